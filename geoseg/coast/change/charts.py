"""The charts of coastline change, as `data:` addresses of SVG drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.coast.change.found import Change, SourceChange
from geoseg.coast.change.layers import source_color
from geoseg.coast.change.rates import DAYS_PER_YEAR, Rate, decimal_years
from geoseg.maps.drawing import figure_of, plain, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 16
"""Up to so many transects, each is named on the axis along the shore."""
_BARS = 60
"""Up to so many transects, each interval is a bar; of more they make a band."""
_DODGE = 0.14


def shore_chart(change: Change) -> str:
    """Draw the rates along the shore with their intervals; filled dots are significant."""
    named = len(change.transects) <= _NAMED
    with figure_of(7.2, 3.1) as figure:
        axes = figure.add_subplot()
        axes.axhline(0, color="#555555", linewidth=0.9)
        for place, source in enumerate(change.sources):
            shift = (place - (len(change.sources) - 1) / 2) * _DODGE
            along = np.arange(len(change.transects)) + shift if named \
                else _positions(change)
            _draw_rates(axes, along, source, source_color(place))
        if named:
            axes.set(xticks=range(len(change.transects)), xlabel="transect",
                     xticklabels=[plain(name) for name in change.transects.names])
            axes.set_xlim(-0.6, len(change.transects) - 0.4)
            if max(map(len, change.transects.names)) > 60 // len(change.transects):
                axes.tick_params(axis="x", rotation=40)
        else:
            axes.set_xlabel("distance along the shore, " + _shore_unit(change)[1])
        axes.set_ylabel("m per year\n← landward      seaward →")
        axes.margins(y=0.08)
        return svg(figure)


def _shore_unit(change: Change) -> tuple[float, str]:
    return (1000.0, "km") if change.transects.positions[-1] > 5000 else (1.0, "m")


def _positions(change: Change) -> np.ndarray:
    return np.asarray(change.transects.positions / _shore_unit(change)[0])


def _draw_rates(axes: Axes, along: np.ndarray, source: SourceChange, color: str) -> None:
    rates = np.array([np.nan if rate.fit is None else rate.fit.rate for rate in source.rates])
    ends = np.array([rate.interval or (np.nan, np.nan) for rate in source.rates])
    sure = np.array([rate.significant for rate in source.rates])
    if len(along) <= _BARS:
        axes.vlines(along, ends[:, 0], ends[:, 1], color=color, linewidth=1.6, alpha=0.65)
    else:
        axes.fill_between(along, ends[:, 0], ends[:, 1], color=color, alpha=0.18, linewidth=0)
    size = 26 if len(along) <= _BARS else 7
    axes.scatter(along, rates, s=size, edgecolor=color, linewidth=1.1, zorder=3,
                 color=np.where(sure, color, "white"))


def time_chart(change: Change, place: int) -> str:
    """Draw the positions on one transect over time, with line and band of each source.

    Args:
        change: What was found.
        place: Place of the transect.
    """
    with figure_of(7.2, 2.2) as figure:
        axes = figure.add_subplot()
        for number, source in enumerate(change.sources):
            _draw_series(axes, source, place, source_color(number), change.confidence)
        axes.set_ylabel("m from origin\nseaward →")
        axes.margins(x=0.02, y=0.08)
        _year_axis(axes)
        return svg(figure)


def _draw_series(axes: Axes, source: SourceChange, place: int, color: str,
                 confidence: float) -> None:
    found, rate = source.crossings, source.rates[place]
    here = found.transect == place
    years, positions = decimal_years(found.date[here]), found.position[here]
    odd = source.outlier[here]
    crowded = len(years) > 150
    if source.weighted and not crowded:
        sigma = found.sigma[here]
        axes.vlines(years, positions - sigma, positions + sigma, color=color, linewidth=0.8,
                    alpha=0.5)
    # Many dots make a long file: a line to the eye needs no more than their centres.
    axes.plot(years[~odd], positions[~odd], linestyle="none", marker="o", color=color,
              markersize=2.0 if crowded else 3.6, alpha=0.45 if crowded else 0.8,
              markeredgewidth=0, rasterized=crowded)
    axes.plot(years[odd], positions[odd], linestyle="none", marker="x", color=color, markersize=5)
    _draw_fit(axes, rate, color, confidence)


def _draw_fit(axes: Axes, rate: Rate, color: str, confidence: float) -> None:
    if rate.fit is None or rate.first is None or rate.last is None:
        return
    first, last = decimal_years(np.array([rate.first, rate.last]))
    years = np.linspace(first, last, 60)
    line = rate.fit.at(years)
    axes.plot(years, line, color="white", linewidth=3.2, zorder=3)
    axes.plot(years, line, color=color, linewidth=1.7, zorder=4)
    half = rate.fit.half_width(years, confidence)
    if half is not None:
        axes.fill_between(years, line - half, line + half, color=color, alpha=0.22, linewidth=0,
                          zorder=2)


def _year_axis(axes: Axes) -> None:
    """Label years, with quarters between where there are few of them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = axes.get_xlim()
    if high - low < 30 / DAYS_PER_YEAR:
        axes.set_xlim(low - 0.05, high + 0.05)
        low, high = axes.get_xlim()
    whole = high - low > 3
    axes.xaxis.set_major_locator(MaxNLocator(integer=whole, nbins=9))
    axes.xaxis.set_major_formatter(FuncFormatter(
        lambda year, _: f"{year:.0f}" if whole else _month(float(year))))


def _month(year: float) -> str:
    """Return year and month of a decimal year."""
    day = np.datetime64("1970-01-01") + np.timedelta64(round((year - 1970) * DAYS_PER_YEAR), "D")
    return str(day.astype("datetime64[M]"))
