"""Water levels by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoseg.coast.change.tides import check_correction, moved_to_level, read_water_levels
from geoseg.errors import GeosegError, SourceError


def test_high_water_hides_beach() -> None:
    # Half a metre of high water on a beach of 1 in 10 hides five metres of it; low water shows
    # three more than there are at the reference.
    found = moved_to_level(np.array([50.0, 50.0, 50.0]), np.array([0.5, -0.3, 0.5]),
                           np.array([0.1, 0.1, 0.05]), 0.0)
    np.testing.assert_allclose(found, [55, 47, 60])
    np.testing.assert_allclose(moved_to_level(np.array([50.0]), np.array([0.5]), np.array([0.1]),
                                              0.7), 48)


def table(folder: Path, text: str) -> Path:
    path = folder / "levels.csv"
    path.write_text(text)
    return path


def test_a_table(tmp_path: Path) -> None:
    found = read_water_levels(table(
        tmp_path, "Height, Date\n0.4,2020-03-01T23:50:00Z\n-0.25,20190102\n"))
    assert found.dates.astype(str).tolist() == ["2019-01-02", "2020-03-01"]
    days = np.array(["2020-03-01", "2019-01-02", "2020-03-01"], dtype="datetime64[D]")
    assert found.at(days).tolist() == [0.4, -0.25, 0.4]
    for missing in ("2018-01-01", "2019-06-01", "2021-01-01"):
        with pytest.raises(SourceError, match=f"no height on {missing}. Give the height"):
            found.at(np.array([missing], dtype="datetime64[D]"))
    with pytest.raises(SourceError, match="no height on 2018-01-01 and 1 more"):
        found.at(np.array(["2021-01-01", "2018-01-01"], dtype="datetime64[D]"))


@pytest.mark.parametrize(("text", "message"), [
    ("day,height\n2020-01-01,1\n", "no column 'date'"),
    ("date,tide\n2020-01-01,1\n", "no column 'height'"),
    ("date,height\n", "has no rows"), ("", "cannot be read as a table"),
    ("date,height\n2020-01-01,1\nsoon,1\n", "'soon' as date in row 2"),
    ("date,height\n2020-01-01,high\n", "'high' as height in row 1"),
    ("date,height\n2020-01-01,\n", "as height in row 1"),
    ("date,height\n2020-01-01,1\n2020-01-01T12:00,2\n", "several heights on 2020-01-01"),
])
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_water_levels(table(tmp_path, text))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read as a table"):
        read_water_levels(tmp_path / "none.csv")


def test_slopes_and_levels_go_together() -> None:
    known, names = np.array([0.1, np.nan]), ("a", "b")
    assert check_correction("levels", 0.05, known, names).tolist() == [0.1, 0.05]
    assert np.isnan(check_correction(None, None, known, names)).all()
    with pytest.raises(GeosegError, match="not known for transect 'b'"):
        check_correction("levels", None, known, names)
    with pytest.raises(GeosegError, match="without water levels"):
        check_correction(None, 0.1, known, names)
    with pytest.raises(GeosegError, match="slope: is -1"):
        check_correction("levels", -1, known, names)
