"""A small made town for the tests: an image, and the OpenStreetMap extract that fits it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from osgeo import gdal, osr

SIDE, PIXEL, LEFT, TOP, EPSG = 512, 0.5, 500_000.0, 5_600_000.0, 32632
SETTINGS = ("chips.size=64; train.network=classic-unet; train.width=8; train.depth=3; "
            "train.steps=12; train.batch=2; train.validate_every=6; predict.tile=128")
"""A training of seconds: the tests ask whether the way is whole, not whether the map is good."""

gdal.UseExceptions()


class Town(NamedTuple):
    """The files of the town."""

    image: Path
    """GeoTIFF, 3 bands uint8, 512 x 512 px of 0.5 m in EPSG:32632."""
    extract: Path
    """OSM XML with the buildings."""
    extent: str
    """The middle of the image as Processing writes extents."""


def make_town(folder):
    """Write the town's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    houses = list(_houses())
    half = SIDE * PIXEL / 2
    x, y = LEFT + half, TOP - half
    extent = f"{x - half},{x + half},{y - half},{y + half} [EPSG:{EPSG}]"
    return Town(_image(folder / "ortho.tif", houses), _extract(folder / "town.osm", houses), extent)


def _houses():
    """Yield (column, row, width, height) of each house, on a jittered lattice."""
    random = np.random.default_rng(5)
    for row in range(16, SIDE - 32, 40):
        for column in range(16, SIDE - 32, 40):
            width, height = random.integers(14, 24, 2)
            shift = random.integers(-6, 7, 2)
            yield column + shift[0], row + shift[1], width, height


def _image(path, houses):
    random = np.random.default_rng(6)
    values = np.empty((3, SIDE, SIDE), np.float32)
    values[:] = np.array([70, 95, 60], np.float32)[:, None, None]
    for column, row, width, height in houses:
        values[:, row:row + height, column:column + width] = np.array([190, 120, 95])[:, None, None]
    values += random.normal(0, 9, values.shape)
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), SIDE, SIDE, 3, gdal.GDT_Byte,
                                                   ["TILED=YES"])
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(EPSG)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((LEFT, PIXEL, 0, TOP, 0, -PIXEL))
    dataset.WriteArray(values.clip(0, 255).astype(np.uint8))
    dataset.FlushCache()
    return path


def _extract(path, houses):
    metric, degrees = osr.SpatialReference(), osr.SpatialReference()
    metric.ImportFromEPSG(EPSG)
    degrees.ImportFromEPSG(4326)
    degrees.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    to_degrees = osr.CoordinateTransformation(metric, degrees)
    nodes, ways = [], []
    for place, (column, row, width, height) in enumerate(houses):
        corners = [(column, row), (column + width, row), (column + width, row + height),
                   (column, row + height)]
        numbers = [4 * place + corner + 1 for corner in range(4)]
        for number, (x, y) in zip(numbers, corners):
            lon, lat, _ = to_degrees.TransformPoint(LEFT + x * PIXEL, TOP - y * PIXEL)
            nodes.append(f'<node id="{number}" version="1" lon="{lon:.9f}" lat="{lat:.9f}"/>')
        links = "".join(f'<nd ref="{number}"/>' for number in [*numbers, numbers[0]])
        ways.append(f'<way id="{place + 1}" version="1">{links}<tag k="building" v="house"/></way>')
    path.write_text('<?xml version="1.0"?><osm version="0.6">' + "".join(nodes + ways) + "</osm>",
                    encoding="utf-8")
    return path
