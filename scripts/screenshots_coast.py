"""Inside the QGIS desktop: the coast of Narrabeen with the dialogs, and its pictures.

Started by `screenshots.py`, which says where the data lie, where the products go, and where there
is a probability raster.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle, QgsSettings

from qgis_pictures import dialog_of, legend_and_map, show, step
from qgis_stage import add_layer, wait

CRS = "EPSG:28356"
BEACH = QgsRectangle(342_050, 6_266_330, 343_550, 6_269_220)
"""The whole beach, in that CRS."""
_SOURCES = {"profiles": "transects.geojson", "shoreline": "reference_shoreline.geojson",
            "surveys": "gps_survey_points.gpkg|layername=gps",
            "satellite": "s2_shorelines_shorex.gpkg|layername=s2"}


def coast(data: Path, work: Path, proba: str) -> None:
    """Go from a coastline to its change, with GPS surveys and lines from Sentinel-2."""
    # The map's way from one datum to another is no matter here.
    QgsSettings().setValue("/projections/promptWhenMultipleTransformsExist", False,
                           QgsSettings.Section.App)
    _layers(data)
    dialog_of("tracecoastline", {"PROBABILITIES": proba, "WATER": "water", "MIN_LENGTH": 60,
                                 "DATE": "2024-05-31", "OUTPUT": str(work / "coastline.gpkg")}
              ).close()
    shore, surveys, lines = (_id(name) for name in ("shoreline", "surveys", "satellite"))
    step("seaandland", {"EXTENT": f"341300,344500,6266260,6269290 [{CRS}]", "COASTLINE": shore,
                        "LAND": "right", "OUTPUT": str(work / "sea_land.gpkg")})
    step("coastlineaccuracy", {"LINES": lines, "REFERENCE": surveys, "DAYS": 10, "LAND": "right",
                               "OUTPUT": str(work / "errors.gpkg")}, "metres")
    step("casttransects", {"BASELINE": shore, "SPACING": 100, "SEAWARD": 150, "LANDWARD": 150,
                           "SMOOTH": 300, "LAND": "right", "OUTPUT": str(work / "transects.gpkg")})
    show("transects", "sea_land")
    _picture("map-transects", BEACH)
    step("coastlinechange", {"SOURCES": [surveys, lines], "TRANSECTS": _id("profiles"),
                             "START": "2016-01-01", "END": "2019-12-31",
                             "OUTPUT": str(work / "profiles.gpkg"),
                             "REPORT": str(work / "profiles.html")}, "transect ")
    step("coastlinechange", {"SOURCES": [lines], "TRANSECTS": str(work / "transects.gpkg"),
                             "OUTPUT": str(work / "change.gpkg"),
                             "REPORT": str(work / "change.html")})
    root = QgsProject.instance().layerTreeRoot()
    root.removeChildNode(root.findGroup("geoseg: Coastline change (profiles)"))
    group = root.findGroup("geoseg: Coastline change (change)")
    for expanded in (False, True):  # unfolding has no effect on what thinks it is unfolded
        group.setExpanded(expanded)
    show("Change", "Crossings", "sea_land")
    _picture("map-change", BEACH)


def _layers(data: Path) -> None:
    project = QgsProject.instance()
    project.clear()
    for name, source in _SOURCES.items():
        add_layer(data / source, name)
    wait(1500)  # QGIS itself gives the project the CRS of its first layer, a little later
    project.setCrs(QgsCoordinateReferenceSystem(CRS))


def _id(name: str) -> Any:  # noqa: ANN401
    return QgsProject.instance().mapLayersByName(name)[0].id()


def _picture(name: str, extent: QgsRectangle) -> None:
    """Take a picture with room for long names in the legend."""
    legend_and_map(name, extent, (1100, 800), 380)


coast(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
