"""Water levels: where the waterline would have lain with the water at one height.

A waterline seen at high water lies further up the beach than at low water. On a beach face of
slope tan β, water higher by h metres moves it h / tan β metres landward; adding that to a position
that grows seaward brings it to the reference level (as Vos et al. 2019 do for satellite lines).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoseg.coast.dated import DatedLayer
from geoseg.errors import GeosegError, SourceError

_DATE, _HEIGHT = "date", "height"


@dataclass(frozen=True, eq=False)
class WaterLevels:
    """Heights of the water by date."""

    path: str
    """The table they were read from."""
    dates: np.ndarray
    """datetime64[D] (n,), ascending, each once."""
    heights: np.ndarray
    """float64 (n,): metres above the datum."""

    def at(self, dates: np.ndarray) -> np.ndarray:
        """Return heights (m,) in metres on dates, datetime64[D] (m,).

        Raises:
            SourceError: A date is missing.
        """
        place = np.minimum(np.searchsorted(self.dates, dates), len(self.dates) - 1)
        missing = np.unique(dates[self.dates[place] != dates])
        if len(missing):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise SourceError(self.path, f"has no height on {missing[0]}{more}",
                              "Give the height of the water on each date of the coastlines")
        return np.asarray(self.heights[place])


def read_water_levels(path: str | Path) -> WaterLevels:
    """Read a table of water levels: CSV with the columns `date` and `height`, in metres.

    Raises:
        SourceError: The table cannot be read, lacks a column, holds what is no date or no number,
            or has two heights on one date.
    """
    import pandas as pd

    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise SourceError(path, "cannot be read as a table",
                          "Give a CSV file with the columns date and height") from error
    columns = {str(name).strip().lower(): name for name in table.columns}
    missing = [name for name in (_DATE, _HEIGHT) if name not in columns]
    if missing or not len(table):
        raise SourceError(path, f"has no column {missing[0]!r}" if missing else "has no rows",
                          "Give a CSV file with the columns date and height (in metres)")
    texts = {name: table[columns[name]] for name in (_DATE, _HEIGHT)}
    dates = pd.to_datetime(texts[_DATE].str.strip(), format="ISO8601", errors="coerce", utc=True)
    heights = pd.to_numeric(texts[_HEIGHT], errors="coerce")
    for name, values, cure in (
            (_DATE, dates, "Write dates as 2024-05-31 or 20240531"),
            (_HEIGHT, heights, "Write heights in metres, such as -0.35")):
        wrong = np.flatnonzero(values.isna())
        if len(wrong):
            raise SourceError(path, f"has {texts[name].iloc[wrong[0]]!r} as {name} in row "
                              f"{wrong[0] + 1}", cure)
    days = dates.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    order = np.argsort(days, kind="stable")
    days = days[order]
    again = np.flatnonzero(days[1:] == days[:-1])
    if len(again):
        raise SourceError(path, f"has several heights on {days[again[0]]}",
                          "Give one per date: that at the time of the image")
    return WaterLevels(str(path), days, heights.to_numpy(float)[order])


def levels_of(layer: DatedLayer, levels: WaterLevels | None, level_field: str | None,
              used: np.ndarray) -> np.ndarray | None:
    """Return the height of the water at each feature, float64 (n,) in m; None if none is meant.

    A table applies to lines only: surveyed points have a height of their own. An attribute applies
    to each layer that has it.

    Args:
        layer: The features, with dates.
        levels: Heights by date, or None.
        level_field: Attribute with heights, or None.
        used: bool (n,): features that will be used; the others get NaN.

    Raises:
        SourceError: A height is missing or no number.
    """
    import pandas as pd

    heights = np.full(len(layer.shapes), np.nan)
    if level_field is not None and level_field in layer.frame.columns:
        heights[used] = pd.to_numeric(layer.frame[level_field], errors="coerce")[used]
        if np.isnan(heights[used]).any():
            raise SourceError(layer.path, f"has features without a number in {level_field}",
                              "Give each the height of the water in metres")
        return heights
    if levels is not None and layer.kind == "line":
        heights[used] = levels.at(layer.require_dates()[used])
        return heights
    return None


def moved_to_level(positions: np.ndarray, heights: np.ndarray, slopes: np.ndarray,
                   reference: float) -> np.ndarray:
    """Return where the waterline would have lain with the water at the reference height.

    Args:
        positions: Metres along the transect (n,), growing seaward.
        heights: Heights of the water (n,) in m.
        slopes: Slopes of the beach face, tan β (n,), above 0.
        reference: Height in m above the same datum.

    Returns:
        float64 (n,): position + (height - reference) / slope.
    """
    return np.asarray(positions + (heights - reference) / slopes)


def check_correction(levels: object, slope: float | None, known_slopes: np.ndarray,
                     names: tuple[str, ...]) -> np.ndarray:
    """Return the slope of each transect (n,), NaN without a correction; one number fills gaps.

    Args:
        levels: What gives heights, or None for no correction.
        slope: Slope of the beach face for transects that do not know theirs.
        known_slopes: float64 (n,): those of the transects, NaN where not known.
        names: Their names (n).

    Raises:
        GeosegError: Heights without slopes, a slope without heights, or a slope that is none.
    """
    if levels is None:
        if slope is not None:
            raise GeosegError("slope", "is given without water levels",
                              "Give water levels too, or leave the slope out")
        return np.full(len(known_slopes), np.nan)
    if slope is not None and not (math.isfinite(slope) and slope > 0):
        raise GeosegError("slope", f"is {slope}", "Give tan β above 0, such as 0.08")
    filled = np.where(np.isnan(known_slopes), np.nan if slope is None else slope, known_slopes)
    unknown = np.flatnonzero(np.isnan(filled))
    if len(unknown):
        raise GeosegError("slope", f"is not known for transect {names[unknown[0]]!r}",
                          "Give the slope of the beach face, or the transects an attribute slope")
    return filled
