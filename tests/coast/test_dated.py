"""Dates in the forms they come in, and layers that cannot be placed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geoseg.coast.dated import read_dated
from geoseg.errors import SourceError

DAYS = [date(2020, 2, 29), date(1988, 1, 5)]
FORMS = {
    "iso": ["2020-02-29", "1988-01-05"], "compact": ["20200229", "19880105"],
    "numbers": [20200229, 19880105], "floats": [20200229.0, 19880105.0],
    "with time": ["2020-02-29T00:09:15", "1988-01-05 23:59:59"],
    "compact with time": ["20200229T000915Z", "19880105T235959Z"],
    "dates": [pd.Timestamp(day) for day in DAYS],
    "zoned": [pd.Timestamp(day, tz="UTC") + pd.Timedelta(hours=1) for day in DAYS],
}


def write(folder: Path, values: list[object], *, field: str = "date", crs: object = 32633,
          shapes: list[object] | None = None) -> Path:
    shapes = shapes or [shapely.LineString([(5e5, 5.4e6), (5e5 + 10, 5.4e6 + n)]) for n in range(2)]
    path = folder / "lines.gpkg"
    gpd.GeoDataFrame({field: values}, geometry=shapes, crs=crs).to_file(path, layer="lines")
    return path


@pytest.mark.parametrize("form", FORMS)
def test_dates_in_every_form(tmp_path: Path, form: str) -> None:
    found = read_dated(write(tmp_path, FORMS[form]))
    assert found.require_dates().tolist() == DAYS
    assert found.kind == "line"


@pytest.mark.parametrize("field", ["DATE", "Acquired", "timestamp"])
def test_the_attribute_is_found(tmp_path: Path, field: str) -> None:
    assert read_dated(write(tmp_path, FORMS["iso"], field=field)).require_dates().tolist() == DAYS


def test_an_attribute_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, FORMS["iso"], field="flown")
    assert read_dated(path).dates is None
    assert read_dated(path, date_field="flown").require_dates().tolist() == DAYS
    with pytest.raises(SourceError, match=r"has no attribute 'taken'\. It has flown"):
        read_dated(path, date_field="taken")


def test_an_empty_date_is_no_date(tmp_path: Path) -> None:
    dates = read_dated(write(tmp_path, ["", "2020-02-29"])).require_dates()
    assert np.isnat(dates).tolist() == [True, False]


@pytest.mark.parametrize("value", ["yesterday", "2020-13-01", "29.02.2020"])
def test_what_is_no_date_is_told(tmp_path: Path, value: str) -> None:
    with pytest.raises(SourceError, match=r"which is not a date\. Write dates as"):
        read_dated(write(tmp_path, [value, "2020-02-29"]))


def test_layers_without_dates_say_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no dates"):
        read_dated(write(tmp_path, [1, 2], field="number")).require_dates()


def test_other_geometries_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ["", ""], shapes=[shapely.Point(5e5, 5.4e6)] * 2)
    assert read_dated(path).kind == "point"
    with pytest.raises(SourceError, match=r"holds no lines\. Give a layer of lines"):
        read_dated(path, ("line",))


def test_coordinates_must_lie_in_their_crs(tmp_path: Path) -> None:
    path = write(tmp_path, ["", ""], crs=4326)
    with pytest.raises(SourceError, match=r"lie outside WGS 84"):
        read_dated(path)


def test_a_northern_zone_with_negative_northings_is_the_south(tmp_path: Path) -> None:
    line = shapely.LineString([(342_500, -3_733_900), (343_200, -3_730_600)])
    found = read_dated(write(tmp_path, [""], crs=32656, shapes=[line]))
    south = found.shapes_in("EPSG:32756")
    np.testing.assert_allclose(shapely.get_coordinates(south),
                               np.add(shapely.get_coordinates(line), (0, 10_000_000)), atol=1e-3)
