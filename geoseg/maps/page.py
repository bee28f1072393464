"""The page of an overview: panels, title, scale bar, north arrow and key, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

DPI = 200
"""Pixels per inch of the page, which is at most 2400 px wide."""
PANEL_PIXELS = 1200
"""Pixels of the longer side of a panel's picture."""
_WIDTH = 11.8
_INK, _FAINT = "#222222", "#6b6b6b"
_MARGIN, _GAP, _HEAD, _FOOT, _TITLE = 0.25, 0.16, 0.62, 0.95, 0.27
_INCHES_PER_LETTER = 0.066


class Panel(NamedTuple):
    """One picture of the page."""

    title: str
    """Its title."""
    draw: Callable[[Axes], None]
    """Draws it; axes are in pixels of the full raster."""


class Key(NamedTuple):
    """The classes to explain."""

    title: str
    """Which map they are of."""
    legend: Legend
    """Names and colours."""
    shares: np.ndarray
    """Share of the valid area of each class, 0..1."""


class Outlines(NamedTuple):
    """Lines to draw over an image."""

    shapes: gpd.GeoSeries
    """Lines or polygons in pixels of the full raster."""
    color: str
    """As `#rrggbb`."""
    width: float
    """In points."""


def show(axes: Axes, picture: np.ndarray, grid: Grid) -> None:
    """Draw a picture, uint8 (rows, columns, 3 or 4), over the whole grid."""
    axes.imshow(picture, extent=(0, grid.width, grid.height, 0), interpolation="antialiased",
                aspect="auto")


def show_outlines(axes: Axes, picture: np.ndarray, grid: Grid,
                  layers: Sequence[Outlines]) -> None:
    """Draw outlines over a paler picture."""
    import shapely
    from matplotlib.collections import LineCollection

    show(axes, 255 - (255 - picture) // 5 * 3, grid)
    step = max(grid.shape) / PANEL_PIXELS / 2
    for series, color, width in layers:
        lines = shapely.get_parts(shapely.get_rings(series.array)
                                  if (series.geom_type.isin(["Polygon", "MultiPolygon"])).any()
                                  else series.array)
        lines = shapely.simplify(lines, step, preserve_topology=False)
        points, owner = shapely.get_coordinates(lines, return_index=True)
        starts = np.flatnonzero(np.diff(owner)) + 1
        axes.add_collection(LineCollection(np.split(points, starts), colors=color,
                                           linewidths=width, capstyle="round"))


def compose(panels: Sequence[Panel], grid: Grid, name: str, key: Key | None) -> Figure:
    """Lay out a page: two columns, or more of them for narrow images.

    Args:
        panels: The pictures, at most four.
        grid: Grid of all of them.
        name: Title of the page.
        key: Classes to explain under the panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pixel = grid.pixel_size
    aspect = grid.height * pixel[1] / (grid.width * pixel[0])
    columns = _columns(len(panels), aspect)
    rows = -(-len(panels) // columns)
    wide = min((_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) / columns, 7.0, 7.0 / aspect)
    tall = wide * aspect
    width = max(columns * wide + (columns - 1) * _GAP + 2 * _MARGIN, 5.5)
    height = _HEAD + rows * (tall + _TITLE) + _FOOT
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left = (width - columns * wide - (columns - 1) * _GAP) / 2 + column * (wide + _GAP)
        top = _HEAD + row * (tall + _TITLE) + _TITLE
        axes = figure.add_axes((left / width, 1 - (top + tall) / height, wide / width,
                                tall / height))
        _frame(axes, grid)
        panel.draw(axes)
        letter = f"{'abcd'[number]}   " if len(panels) > 1 else ""
        axes.set_title(letter + panel.title, loc="left", fontsize=9, pad=4, color=_INK)
    _head(figure, grid, name)
    _foot(figure, grid, wide / (grid.width * pixel[0]), key)
    return figure


def _columns(count: int, aspect: float) -> int:
    """Return the columns for so many panels of that height over width."""
    if count == 3 and aspect >= 0.7:
        return 3
    return min(count, 1 if aspect < 0.35 else 2 if aspect < 1.4 else 4)


def _frame(axes: Axes, grid: Grid) -> None:
    axes.set(xlim=(0, grid.width), ylim=(grid.height, 0), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(linewidth=0.6, color=_INK)


def _head(figure: Figure, grid: Grid, name: str) -> None:
    width, height = figure.get_size_inches()
    place = (f"{grid.pyproj_crs.name}, {grid.resolution:.3g} m per pixel"
             if grid.pyproj_crs is not None else "pixel space, no georeference")
    figure.text(_MARGIN / width, 1 - 0.30 / height, name, fontsize=13, weight="bold", color=_INK)
    figure.text(_MARGIN / width, 1 - 0.50 / height, f"{grid.width} × {grid.height} px · {place}",
                fontsize=8, color=_FAINT)


def _foot(figure: Figure, grid: Grid, inches_per_unit: float, key: Key | None) -> None:
    """Draw the scale bar, the north arrow and the key under the panels."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, _FOOT / height), xlim=(0, width), ylim=(0, _FOOT))
    axes.axis("off")
    length = _round_length(1.6 / inches_per_unit)
    bar, right = length * inches_per_unit, width - _MARGIN
    for quarter, color in enumerate((_INK, "white", _INK, "white")):
        axes.add_patch(_rectangle(right - bar + quarter * bar / 4, 0.56, bar / 4, 0.06, color))
    unit = "px" if not grid.is_georeferenced else "km" if length >= 1000 else "m"
    shown = length / 1000 if unit == "km" else length
    axes.text(right - bar, 0.66, "0", fontsize=7, ha="center", color=_INK)
    axes.text(right, 0.66, f"{shown:g} {unit}", fontsize=7, ha="right", color=_INK)
    if _is_north_up(grid):
        x = right - bar - 0.35
        axes.annotate("", (x, 0.80), (x, 0.46),
                      arrowprops={"arrowstyle": "-|>", "color": _INK, "linewidth": 1.0})
        axes.text(x, 0.81, "N", fontsize=7, ha="center", va="bottom", color=_INK)
    if key is not None:
        _key(axes, key, right - bar - 0.7 - _MARGIN)


def _key(axes: Axes, key: Key, room: float) -> None:
    note = " (classes overlap)" if key.legend.overlapping else ""
    axes.text(_MARGIN, 0.74, f"{key.title}: share of area{note}", fontsize=8, color=_FAINT)
    longest = max(len(item.name[:20]) for item in key.legend)
    pitch = 0.45 + _INCHES_PER_LETTER * (longest + len("  99.9%"))
    columns = max(int(room // pitch), 1)
    shown = list(zip(key.legend, key.shares, strict=True))[:3 * columns]
    for number, (item, share) in enumerate(shown):
        row, column = divmod(number, columns)
        x, y = _MARGIN + column * pitch, 0.52 - 0.21 * row
        axes.add_patch(_rectangle(x, y, 0.22, 0.13, item.color))
        axes.text(x + 0.29, y + 0.065, f"{item.name[:20]}  {share:.1%}", fontsize=7.5, va="center",
                  color=_INK)


def _rectangle(x: float, y: float, width: float, height: float, color: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=color, edgecolor=_INK, linewidth=0.5)


def _round_length(longest: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20, 50, ... that is not longer than `longest`."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(power * max(step for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9)))


def _is_north_up(grid: Grid) -> bool:
    a, b, _, d, e, _ = tuple(grid.transform)[:6]
    return grid.is_georeferenced and b == 0 and d == 0 and a > 0 and e < 0
