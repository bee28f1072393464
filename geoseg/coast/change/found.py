"""What `measure_change` found: rates by source and transect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.coast.change.crossings import Crossings
from geoseg.coast.change.rates import Rate
from geoseg.coast.change.transect_layer import Transects
from geoseg.tables import aligned


@dataclass(frozen=True, eq=False)
class SourceChange:
    """What one source tells of the transects."""

    name: str
    """Stem of its file, made different where two are alike."""
    path: str
    """The file, as it was named."""
    kind: str
    """`line` or `point`."""
    crossings: Crossings
    """Its positions, sorted by transect and date."""
    outlier: np.ndarray
    """bool (n,): positions that do not count."""
    rates: tuple[Rate, ...]
    """One per transect, in their order."""
    weighted: bool
    """Whether its positions have errors (sigma) to be weighted by."""
    corrected: bool
    """Whether its positions were brought to one water level."""
    undated: int
    """Features that were left out for want of a date."""

    @property
    def period(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last date on which it meets a transect."""
        return self.crossings.date.min(), self.crossings.date.max()

    @property
    def significant(self) -> list[Rate]:
        """The rates that tell movement from chance."""
        return [rate for rate in self.rates if rate.significant]

    @property
    def median_rate(self) -> float | None:
        """Median of the transects' rates in m per year; None without any."""
        rates = [rate.fit.rate for rate in self.rates if rate.fit is not None]
        return float(np.median(rates)) if rates else None


@dataclass(frozen=True, eq=False)
class Change:
    """What became of a coast along transects, by each source."""

    path: Path
    """GeoPackage with the layers."""
    report: Path | None
    """The HTML page, if one was asked for."""
    transects: Transects
    """The transects."""
    sources: tuple[SourceChange, ...]
    """The sources, in the order in which they were given."""
    confidence: float
    """Of all intervals, 0..1."""
    independent: bool
    """Whether positions were taken for independent of each other."""

    def rows(self) -> Iterator[tuple[str, SourceChange, Rate]]:
        """Yield name of the transect, source and rate, transect by transect."""
        for place, name in enumerate(self.transects.names):
            for source in self.sources:
                yield name, source, source.rates[place]

    def table(self) -> str:
        """Return the rates as aligned text, transect by transect."""
        head = ["transect", "source", "positions", "m per year",
                f"{100 * self.confidence:g} % interval", "significant", "net movement m"]
        return aligned([head, *(_cells(name, source.name, rate)
                                for name, source, rate in self.rows())], 2)

    def to_dict(self) -> dict[str, Any]:
        """Return all rates as JSON has them; what is not known is None."""
        return {"path": str(self.path), "report": None if self.report is None else str(self.report),
                "confidence": self.confidence,
                "rates": [{"transect": name, "source": source.name, **rate_values(rate)}
                          for name, source, rate in self.rows()]}


def _cells(name: str, source: str, rate: Rate) -> list[str]:
    interval, moved = rate.interval, rate.net_movement
    return [name, source, str(rate.n), "" if rate.fit is None else f"{rate.fit.rate:+.2f}",
            "" if interval is None else "{:+.2f} to {:+.2f}".format(*interval),
            "" if interval is None else "yes" if rate.significant else "no",
            "" if moved is None else f"{moved:+.1f}"]


def rate_values(rate: Rate) -> dict[str, Any]:
    """Return a rate as attributes of a layer, by their names; what is not known is None."""
    fit, interval = rate.fit, rate.interval
    low, high = interval if interval is not None else (None, None)
    return {
        "n": rate.n, "outliers": rate.outliers,
        "first_date": None if rate.first is None else str(rate.first),
        "last_date": None if rate.last is None else str(rate.last),
        "span_years": rate.span_years,
        "rate_m_per_year": None if fit is None else fit.rate,
        "rate_low": low, "rate_high": high,
        "rate_error": None if fit is None else fit.error,
        "p_value": rate.p_value, "significant": rate.significant,
        "r2": None if fit is None or fit.error is None else fit.r2,
        "n_effective": None if fit is None else fit.effective,
        "net_movement_m": rate.net_movement, "end_point_rate": rate.end_point_rate,
        "envelope_m": rate.envelope,
    }
