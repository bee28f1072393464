"""Vector files come back as they were written, whole or not at all, in every format."""

import subprocess
import sys

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from geoseg.errors import SourceError
from geoseg.geo.vector import (
    VECTOR_SUFFIXES,
    layers,
    read_layer,
    split_layer,
    summarize_layer,
    write_layer,
    write_layers,
)

UTM = "EPSG:32633"


def squares(count, crs=UTM):
    corners = np.arange(count) * 10.0
    return gpd.GeoDataFrame({"name": [f"Nº {n}" for n in range(count)], "value": range(count)},
                            geometry=shapely.box(corners, corners, corners + 5, corners + 5),
                            crs=crs)


@pytest.mark.parametrize("suffix", VECTOR_SUFFIXES)
def test_every_format_gives_the_features_back(tmp_path, suffix):
    frame, path = squares(7), tmp_path / f"my layer{suffix}"
    write_layer(frame, path, layer="squares")
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    found, = layers(path)
    back = read_layer(path, found).to_crs(UTM).sort_values("value", ignore_index=True)
    assert list(back["name"]) == list(frame["name"])
    assert back.geometry.geom_equals_exact(frame.geometry, 0.01).all()
    summary = summarize_layer(path, found)
    assert (summary.features, summary.columns) == (7, ("name", "value"))
    expected = frame.to_crs(summary.crs).total_bounds
    assert summary.bounds == pytest.approx(tuple(expected), abs=1e-6)
    assert (summary.crs == "EPSG:4326") == (suffix == ".geojson")


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet"])
def test_a_box_selects_what_it_meets(tmp_path, suffix):
    write_layer(squares(9), tmp_path / f"a{suffix}", layer="a")
    found = read_layer(tmp_path / f"a{suffix}", bounds=(12, 12, 31, 31))
    assert sorted(found["value"]) == [1, 2, 3]


def test_pixel_space_has_no_crs_and_gives_no_warning(tmp_path):
    write_layer(squares(2, crs=None), tmp_path / "a.gpkg", layer="a", metadata={"GEOSEG": "x"})
    assert read_layer(tmp_path / "a.gpkg").crs is None
    assert pyogrio.read_info(tmp_path / "a.gpkg")["layer_metadata"]["GEOSEG"] == "x"


def test_several_layers_share_a_file_and_its_notes(tmp_path):
    path = tmp_path / "osm.gpkg"
    write_layers({"areas": squares(3), "more": squares(5)}, path, metadata={"date": "today"})
    assert layers(path) == ["areas", "more"]
    assert [summarize_layer(path, name).features for name in layers(path)] == [3, 5]
    assert all(pyogrio.read_info(path, layer=name)["layer_metadata"] == {"date": "today"}
               for name in layers(path))
    assert split_layer(f"{path}|layername=more") == (path, "more")
    with pytest.raises(SourceError, match=r"has no layer 'roads'.*areas, more"):
        read_layer(path, "roads")


@pytest.mark.parametrize("suffix", [*VECTOR_SUFFIXES, ".shp"])
def test_missing_and_damaged_files_are_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for read in (layers, read_layer):
        with pytest.raises(SourceError, match=f"a{suffix}: does not exist"):
            read(path)
    path.write_bytes(b"not a vector file" * 100)
    with pytest.raises(SourceError, match="cannot be"):
        read_layer(path)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from geoseg.errors import OutputError
from geoseg.geo.vector import write_layer
from tests.geo.test_vector import squares

frame = squares(20_000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write_layer(frame, Path(sys.argv[1]), layer="squares")
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
@pytest.mark.parametrize("suffix", VECTOR_SUFFIXES)
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, suffix):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path / f"a{suffix}", "150000"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "Free some space" in done.stdout
    assert list(tmp_path.iterdir()) == []
