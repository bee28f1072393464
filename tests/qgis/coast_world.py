"""A small made coast for the tests: probabilities with a straight shore and a round island."""

import json

import numpy as np
from osgeo import gdal, osr

SIDE, PIXEL, LEFT, TOP, EPSG = 200, 10.0, 500_000.0, 5_400_000.0, 32633
RIGHT, BOTTOM = LEFT + SIDE * PIXEL, TOP - SIDE * PIXEL
SHORE = TOP - 803.0
"""Northing of the straight shore, on no edge and no centre of a pixel; land lies north of it."""
ISLAND, RADIUS = (LEFT + 1_000.0, TOP - 1_500.0), 250.0
"""Middle and radius in m of the island."""

_LEGEND = {"overlapping": False, "classes": [
    {"value": 0, "name": "land", "color": "#d9d3b8"},
    {"value": 1, "name": "water", "color": "#3182bd"}]}

gdal.UseExceptions()


def write_coast(path, contrast=1.0):
    """Write a probability raster as `predict` does; return its path.

    Args:
        path: GeoTIFF to write, 200 x 200 px of 10 m, bands land and water.
        contrast: Log odds of land against water, per pixel inland.
    """
    places = (np.arange(SIDE) + 0.5) * PIXEL
    x, y = LEFT + places[None, :], TOP - places[:, None]
    inland = np.maximum(y - SHORE + 0 * x, RADIUS - np.hypot(x - ISLAND[0], y - ISLAND[1]))
    land = 1 / (1 + np.exp(-contrast * inland / PIXEL))
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), SIDE, SIDE, 2, gdal.GDT_Float32)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(EPSG)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((LEFT, PIXEL, 0, TOP, 0, -PIXEL))
    dataset.SetMetadataItem("GEOSEG_LEGEND", json.dumps(_LEGEND))
    for band, (name, values) in enumerate((("land", land), ("water", 1 - land)), start=1):
        dataset.GetRasterBand(band).WriteArray(values.astype(np.float32))
        dataset.GetRasterBand(band).SetDescription(name)
    dataset.FlushCache()
    return path


def write_osm(path):
    """Write the shore and the island as OpenStreetMap's coastline; return the extract's path.

    The shore runs past the edges of the raster by its whole width.
    """
    metric, degrees = osr.SpatialReference(), osr.SpatialReference()
    metric.ImportFromEPSG(EPSG)
    degrees.ImportFromEPSG(4326)
    degrees.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    to_degrees = osr.CoordinateTransformation(metric, degrees)
    wide = SIDE * PIXEL
    # Land on the left: the shore runs east, the island anticlockwise.
    shore = [(LEFT + part * wide, SHORE) for part in np.linspace(-1, 2, 31)]
    turns = np.linspace(0, 2 * np.pi, 73)[:-1]
    island = [(ISLAND[0] + RADIUS * np.cos(turn), ISLAND[1] + RADIUS * np.sin(turn))
              for turn in turns]
    nodes, ways, number = [], [], 0
    for way, points in enumerate((shore, island), start=1):
        refs = []
        for x, y in points:
            number += 1
            lon, lat, _ = to_degrees.TransformPoint(x, y)
            nodes.append(f'<node id="{number}" version="1" lon="{lon:.9f}" lat="{lat:.9f}"/>')
            refs.append(number)
        refs += refs[:1] if points is island else []
        links = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        ways.append(f'<way id="{way}" version="1">{links}<tag k="natural" v="coastline"/></way>')
    path.write_text('<?xml version="1.0"?><osm version="0.6">' + "".join(nodes + ways) + "</osm>",
                    encoding="utf-8")
    return path
