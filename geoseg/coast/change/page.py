"""Coastline change as one HTML page that opens offline."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geoseg
from geoseg.coast.change.charts import shore_chart, time_chart
from geoseg.coast.change.found import Change
from geoseg.coast.change.layers import change_class, class_colors, source_color
from geoseg.coast.change.rates import Rate
from geoseg.coast.change.wording import caveats, lead, percent_of, signed
from geoseg.maps.html import render

MOST_CHARTS, MOST_ROWS = 24, 60
"""Transects that are drawn over time, and that are listed."""


def render_page(change: Change) -> str:
    """Return the page as HTML."""
    listed = _foremost(change, MOST_ROWS)
    drawn = _foremost(change, MOST_CHARTS)
    names, colors = change.transects.names, class_colors()
    return render("geoseg.coast.change", "change.html.j2", {
        "title": "Coastline change", "date": datetime.now(UTC).strftime("%d %B %Y"),
        "transects_name": Path(change.transects.path.partition("|")[0]).name,
        "count": len(names), "confidence": percent_of(change.confidence),
        "sentences": lead(change), "caveats": list(caveats(change)),
        "sources": [(source.name, source_color(place))
                    for place, source in enumerate(change.sources)],
        "shore": shore_chart(change),
        "rows": [{"name": names[place], "cells": [
            _cells(source.rates[place], colors) for source in change.sources]}
            for place in listed],
        "charts": [{"name": names[place], "picture": time_chart(change, place), "notes": [
            (source.name, source_color(number), _short(source.rates[place]))
            for number, source in enumerate(change.sources)]} for place in drawn],
        "facts": _facts(change),
    })


def _foremost(change: Change, most: int) -> list[int]:
    """Return the places of at most so many transects in order: those that move fastest."""
    places = range(len(change.transects))
    speed = [max((rate.significant, abs(rate.fit.rate)) if rate.fit is not None else (False, -1.0)
                 for rate in (source.rates[place] for source in change.sources))
             for place in places]
    return sorted(sorted(places, key=lambda place: speed[place], reverse=True)[:most])


def _cells(rate: Rate, colors: dict[str, str]) -> dict[str, Any]:
    """Return what the tables show of a rate."""
    kind = change_class(rate)
    return {
        "n": rate.n, "change": kind, "color": colors[kind], "sure": rate.significant,
        "rate": signed(None if rate.fit is None else rate.fit.rate),
        "interval": _interval(rate), "p": _p_value(rate.p_value),
        "net": signed(rate.net_movement, 1), "end_point": signed(rate.end_point_rate),
        "envelope": "n/a" if rate.envelope is None else f"{rate.envelope:.1f}",
        "r2": "n/a" if rate.interval is None or rate.fit is None or rate.fit.r2 is None
        else f"{rate.fit.r2:.2f}",
        "first": "n/a" if rate.first is None else str(rate.first),
        "last": "n/a" if rate.last is None else str(rate.last), "outliers": rate.outliers,
        "effective": "n/a" if rate.fit is None else f"{rate.fit.effective:.0f}",
    }


def _interval(rate: Rate) -> str:
    if rate.interval is None:
        return "n/a"
    return " to ".join(signed(end) for end in rate.interval)


def _p_value(value: float | None) -> str:
    if value is None:
        return "n/a"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _short(rate: Rate) -> str:
    """Return a rate in a few words."""
    if rate.fit is None:
        return "one date, no rate" if rate.n else "not met"
    if rate.interval is None:
        return f"{signed(rate.fit.rate)} m per year, too few dates for an interval"
    return f"{signed(rate.fit.rate)} m per year ({_interval(rate)})" + (
        "" if rate.significant else ", not significant")


def _facts(change: Change) -> dict[str, str]:
    return {
        **{source.name: f"{source.path}: {len(source.crossings.date):,} positions by "
           + ("crossing lines" if source.kind == "line" else "points")
           + (", weighted by their errors" if source.weighted else "")
           + (", brought to one water level" if source.corrected else "")
           for source in change.sources},
        "Transects": f"{change.transects.path}, measured in {change.transects.crs.name}",
        "Layers": str(change.path.name),
        "Made with": f"geoseg {geoseg.__version__}, scipy {version('scipy')}, "
                     f"Python {platform.python_version()}",
    }
