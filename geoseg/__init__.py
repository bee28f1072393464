"""geoseg: from an image and OpenStreetMap to a scored map.

Every step is one function, named as on the command line and in the QGIS toolbox. Importing this
package loads none of them; each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Recipe": "geoseg.recipe",
    "fetch_osm": "geoseg.sources.osm",
    "burn_labels": "geoseg.samples.labels",
    "plan_chips": "geoseg.samples.chips",
    "export_chips": "geoseg.samples.export",
    "train": "geoseg.learn.train",
    "Model": "geoseg.learn.model",
    "predict": "geoseg.maps.predict",
    "refine": "geoseg.maps.refine",
    "classify": "geoseg.maps.classify",
    "polygonize": "geoseg.maps.polygons",
    "split_sea_land": "geoseg.sources.sea_land",
    "trace_coastline": "geoseg.coast.tracing.coastline",
    "measure_coastline": "geoseg.coast.accuracy.measure",
    "cast_transects": "geoseg.coast.change.transects",
    "measure_change": "geoseg.coast.change.measure",
    "evaluate": "geoseg.maps.evaluate",
    "overview": "geoseg.maps.overview",
    "encode_rle": "geoseg.maps.rle",
    "decode_rle": "geoseg.maps.rle",
    "compare": "geoseg.comparison.compare",
    "run": "geoseg.chain",
    "info": "geoseg.describe",
    "Legend": "geoseg.geo.legend",
    "Grid": "geoseg.geo.grid",
    "GeosegError": "geoseg.errors",
    "Cancelled": "geoseg.errors",
}

__all__ = ["__version__", *_PUBLIC]

# What type checkers see of the names above; nothing here uses them.
# flake8: noqa: F401
if TYPE_CHECKING:
    from geoseg.chain import run as run
    from geoseg.coast.accuracy.measure import measure_coastline as measure_coastline
    from geoseg.coast.change.measure import measure_change as measure_change
    from geoseg.coast.change.transects import cast_transects as cast_transects
    from geoseg.coast.tracing.coastline import trace_coastline as trace_coastline
    from geoseg.comparison.compare import compare as compare
    from geoseg.describe import info as info
    from geoseg.errors import Cancelled as Cancelled
    from geoseg.errors import GeosegError as GeosegError
    from geoseg.geo.grid import Grid as Grid
    from geoseg.geo.legend import Legend as Legend
    from geoseg.learn.model import Model as Model
    from geoseg.learn.train import train as train
    from geoseg.maps.classify import classify as classify
    from geoseg.maps.evaluate import evaluate as evaluate
    from geoseg.maps.overview import overview as overview
    from geoseg.maps.polygons import polygonize as polygonize
    from geoseg.maps.predict import predict as predict
    from geoseg.maps.refine import refine as refine
    from geoseg.maps.rle import decode_rle as decode_rle
    from geoseg.maps.rle import encode_rle as encode_rle
    from geoseg.recipe import Recipe as Recipe
    from geoseg.samples.chips import plan_chips as plan_chips
    from geoseg.samples.export import export_chips as export_chips
    from geoseg.samples.labels import burn_labels as burn_labels
    from geoseg.sources.osm import fetch_osm as fetch_osm
    from geoseg.sources.sea_land import split_sea_land as split_sea_land


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _PUBLIC:
        raise AttributeError(f"module 'geoseg' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
