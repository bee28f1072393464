"""The page of coastline change, and the styles of its layers."""

from __future__ import annotations

import base64
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geoseg.coast.change.found import Change
from geoseg.coast.change.measure import measure_change
from geoseg.coast.change.page import MOST_CHARTS, MOST_ROWS
from geoseg.coast.change.wording import signed
from tests.coast.change_cases import (
    DATES,
    coastline,
    known_lines,
    known_points,
    known_transects,
    save,
)


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Change:
    """By two sources, with a page."""
    tmp_path = tmp_path_factory.mktemp("change")
    return measure_change([known_lines(tmp_path), known_points(tmp_path)],
                          known_transects(tmp_path), out=tmp_path / "out.gpkg",
                          report=tmp_path / "page.html")


class Page(HTMLParser):
    """Collects what a page refers to, and its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.lists: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("src", "href") and value]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data.strip()


def test_the_page_opens_offline_and_shows_the_rates(change: Change) -> None:
    text = change.report.read_text()
    page = Page()
    page.feed(text)
    assert len(page.links) == 1 + 3
    assert all(link.startswith("data:image/svg+xml") for link in page.links)
    fit = change.sources[1].rates[0].fit
    low, high = fit.interval(0.95)
    shown = [f"{value:+.2f}".replace("-", "−") for value in (fit.rate, low, high)]
    row = next(row for row in page.rows if row[:2] == ["", "survey"])
    assert row[2:4] == [shown[0], f"{shown[1]} to {shown[2]}"]
    assert "2 of 3 transects move significantly (1 landward, 1 seaward) at 95 %" in text
    assert "intervals overlap on 3 of 3 transects" in text


def test_names_do_not_break_the_page(tmp_path: Path) -> None:
    odd = save(tmp_path / "t.gpkg", [shapely.LineString([(0, 0), (200, 0)])], name=["<b>$x_1$&"])
    found = measure_change(known_lines(tmp_path), odd, out=tmp_path / "out.gpkg",
                           report=tmp_path / "page.html")
    text = found.report.read_text()
    assert "<h3>&lt;b&gt;$x_1$&amp;</h3>" in text


def test_layers_carry_styles(change: Change, tmp_path: Path) -> None:
    with sqlite3.connect(change.path) as database:
        styles = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles"))
    assert set(styles) == {"transects_satellite", "transects_survey", "crossings"}
    for name in ("transects_satellite", "transects_survey"):
        layer = gpd.read_file(change.path, layer=name)
        assert all(f'value="{value}"' in styles[name] for value in layer["change"])
    assert 'attr="source"' in styles["crossings"]
    single = measure_change(known_lines(tmp_path), known_transects(tmp_path),
                            out=tmp_path / "single.gpkg")
    with sqlite3.connect(single.path) as database:
        styles = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles"))
    ranges = re.findall(r'lower="([\d.]+)" upper="([\d.]+)"', styles["crossings"])
    years = gpd.read_file(single.path, layer="crossings")["year"]
    assert len(ranges) == 5
    assert all(any(float(low) <= year <= float(high) for low, high in ranges) for year in years)


def test_of_many_transects_the_fastest_are_shown(tmp_path: Path) -> None:
    """From the first transect, which retreats by 2.5 m per year, to one that stands still."""
    count = MOST_ROWS + 20
    names = [f"T{y}" for y in range(count)]
    cast = save(tmp_path / "many.gpkg", [shapely.LineString([(0, y), (200, y)])
                                         for y in range(count)], name=names)
    found = measure_change(known_lines(tmp_path), cast, out=tmp_path / "out.gpkg",
                           report=tmp_path / "page.html")
    text = found.report.read_text()
    assert re.findall(r"<h3>(\w+)</h3>", text) == names[:MOST_CHARTS]
    assert re.findall(r'<th scope="row">(T\d+)</th>', text) == 2 * names[:MOST_ROWS]
    assert f"The {MOST_CHARTS} transects that move fastest are drawn" in text
    assert "distance along the shore" in _drawn(text)
    assert f"Of {count} rates, about 4 would come out" in text


def _drawn(text: str) -> str:
    """Return the first drawing of a page."""
    data = re.search(r"data:image/svg\+xml;base64,([^\"]+)", text).group(1)
    return base64.b64decode(data).decode()


def test_doubts_are_told(tmp_path: Path) -> None:
    shapes = [coastline(date, -60.0 if date == DATES[3] else 0.0) for date in DATES]
    path = save(tmp_path / "doubt.gpkg", [*shapes, shapes[0]], date=[*DATES, ""])
    cast = save(tmp_path / "t.gpkg", [shapely.LineString([(0, y), (200, y)]) for y in (0, 900)],
                name=["near", "far"])
    text = measure_change(path, cast, out=tmp_path / "out.gpkg", end="2008-12-31",
                          report=tmp_path / "page.html").report.read_text()
    for told in ("(crosses in the charts): 1 of 18", "without a date, left out: 1.",
                 "not met: 1 of 2", "Without water levels", "Fewer than 10 years",
                 "No errors of single positions are known (doubt)"):
        assert told in text


@pytest.mark.parametrize(("value", "text"), [(1.234, "+1.23"), (-0.5, "−0.50"), (-0.001, "0.00"),
                                             (None, "n/a"), (0.0, "0.00")])
def test_signs(value: float | None, text: str) -> None:
    assert signed(value) == text
