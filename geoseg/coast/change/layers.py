"""Change as layers of a GeoPackage: transects coloured by rate, and the positions behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.coast.change.found import Change, SourceChange, rate_values
from geoseg.coast.change.rates import Rate, decimal_years
from geoseg.geo.style.document import Style
from geoseg.geo.style.vectors import Look, category_style, range_style
from geoseg.geo.vector import write_layers
from geoseg.maps.drawing import COLORS

if TYPE_CHECKING:
    import geopandas as gpd

TRANSECTS, CROSSINGS = "transects", "crossings"
"""Layer names; with several sources, `transects_` and the source's name, one each."""
NOT_SIGNIFICANT, NO_RATE = "not significant", "too few dates"
STEPS = (0.5, 2.0)
"""Metres per year at which the colours change."""

_LANDWARD = ("#f4a582", "#de4e3b", "#a50f15")
_SEAWARD = ("#8fc3e8", "#3182bd", "#08408f")
_GREY, _DARK = "#8c8c8c", "#303030"
_AGES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""After matplotlib's viridis, the oldest first."""


def change_class(rate: Rate) -> str:
    """Return in words how fast a transect moves, as the layers and the page name it."""
    if rate.fit is None or rate.interval is None:
        return NO_RATE
    if not rate.significant:
        return NOT_SIGNIFICANT
    side = "landward" if rate.fit.rate < 0 else "seaward"
    speed = abs(rate.fit.rate)
    return _classes(side)[sum(speed >= step for step in STEPS)]


def _classes(side: str) -> tuple[str, str, str]:
    low, high = (f"{step:g}" for step in STEPS)
    return (f"{side} below {low} m per year", f"{side} {low} to {high} m per year",
            f"{side} {high} m per year or more")


def class_colors() -> dict[str, str]:
    """Return the colour of each class of change, from fast landward to fast seaward."""
    return {**dict(zip(_classes("landward")[::-1], _LANDWARD[::-1], strict=True)),
            NOT_SIGNIFICANT: _GREY,
            **dict(zip(_classes("seaward"), _SEAWARD, strict=True)), NO_RATE: _DARK}


def source_color(place: int) -> str:
    """Return the colour of the source at that place."""
    return COLORS[place % len(COLORS)]


def write_change(change: Change) -> None:
    """Write the layers to the change's GeoPackage.

    Raises:
        OutputError: The system refused to write.
    """
    frames, styles = {}, {}
    for source in change.sources:
        layer = TRANSECTS if len(change.sources) == 1 else f"{TRANSECTS}_{source.name}"
        frames[layer] = _transect_frame(change, source)
        styles[layer] = category_style("change", [
            (name, name, color) for name, color in class_colors().items()],
            Look("line", width=1.3, casing=0.25))
    frames[CROSSINGS] = _crossing_frame(change)
    styles[CROSSINGS] = _crossing_style(change)
    write_layers(frames, change.path, styles=styles)


def _transect_frame(change: Change, source: SourceChange) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pandas as pd

    transects = change.transects
    table = pd.DataFrame([rate_values(rate) for rate in source.rates])
    for column in table.columns.difference(["n", "outliers", "significant", "first_date",
                                            "last_date"]):
        table[column] = table[column].astype(float)
    table.insert(0, "transect", list(transects.names))
    table.insert(1, "source", source.name)
    table.insert(2, "change", [change_class(rate) for rate in source.rates])
    table["position_m"] = transects.positions
    return gpd.GeoDataFrame(table, geometry=transects.layer_lines(), crs=transects.layer_crs)


def _crossing_frame(change: Change) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pandas as pd

    transects, parts = change.transects, []
    for source in change.sources:
        found = source.crossings
        columns = {
            "transect": [transects.names[place] for place in found.transect],
            "source": source.name, "date": found.date.astype("datetime64[ms]"),
            "year": decimal_years(found.date), "chainage_m": found.position,
            "sigma_m": found.sigma, "outlier": source.outlier, "meetings": found.meetings,
        }
        if any(item.corrected for item in change.sources):
            columns |= {"measured_m": found.measured, "water_level_m": found.level}
        parts.append(gpd.GeoDataFrame(
            columns, geometry=transects.places(found.measured, found.transect),
            crs=transects.layer_crs))
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True))


def _crossing_style(change: Change) -> Style:
    look = Look("point", size=1.8, outline=0.15)
    if len(change.sources) > 1:
        return category_style("source", [
            (source.name, source.name, source_color(place))
            for place, source in enumerate(change.sources)], look)
    first, last = change.sources[0].period
    days = np.linspace(0, (last - first).astype(int), len(_AGES) + 1).round().astype(int)
    dates = first + days
    years = decimal_years(dates)
    years[0], years[-1] = years[0] - 0.01, years[-1] + 0.01  # rounding must not lose the ends
    return range_style("year", [
        (years[place], years[place + 1], f"{dates[place]} to {dates[place + 1]}", color)
        for place, color in enumerate(_AGES)], look)
