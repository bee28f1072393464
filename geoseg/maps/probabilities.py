"""Probability rasters: one band per class, named, with the legend and thresholds in the file.

Stored as uint8 by default: 0 to 254 with band scale 1/254, so that GIS software shows 0 to 1, and
255 for no data. With dtype float32 the values are stored as they are, and NaN is no data.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import RasterError
from geoseg.geo.legend import Legend
from geoseg.geo.raster import read
from geoseg.geo.style.document import Style
from geoseg.geo.style.rasters import HEAT, VIRIDIS, ramp_style

STEPS = 254
"""Largest stored value of a uint8 probability."""
NODATA = 255
"""Stored value of a uint8 probability without data."""
_THRESHOLDS_TAG = "GEOSEG_THRESHOLDS"


def encode(probabilities: np.ndarray, valid: np.ndarray, dtype: str) -> np.ndarray:
    """Return probabilities as they are stored.

    Args:
        probabilities: float32 (classes, rows, columns) in 0..1.
        valid: bool (rows, columns).
        dtype: `uint8` or `float32`.

    Returns:
        Array (classes, rows, columns) of that dtype, nodata where not valid.
    """
    if dtype == "float32":
        return np.where(valid, probabilities, np.float32(np.nan))
    stored = (probabilities * STEPS + 0.5).astype(np.uint8)
    stored[:, ~valid] = NODATA
    return stored


def storage(dtype: str) -> dict[str, Any]:
    """Return the writer options (dtype, nodata, scale) for a probability raster."""
    if dtype == "float32":
        return {"dtype": "float32", "nodata": float("nan")}
    return {"dtype": "uint8", "nodata": NODATA, "scale": 1 / STEPS}


def read_probabilities(dataset: DatasetReader, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of a probability raster.

    Returns:
        float32 (classes, rows, columns) in 0..1 (0 where not valid), and valid bool
        (rows, columns).
    """
    stored, valid = read(dataset, window, dataset.indexes)
    here: np.ndarray = np.logical_and.reduce(valid)
    scale = np.float32(dataset.scales[0])
    return np.where(here, stored * scale, np.float32(0)).astype(np.float32, copy=False), here


def probability_legend(dataset: DatasetReader) -> Legend:
    """Return the legend of an open probability raster, checking that it is one.

    Raises:
        RasterError: It carries no legend, or its bands are not the legend's classes.
    """
    legend = Legend.of(dataset)
    if dataset.count != len(legend) or tuple(dataset.descriptions) != legend.names:
        raise RasterError(dataset.name, "is not a probability raster with one band per class",
                          "Give the output of predict")
    return legend


def threshold_tags(thresholds: dict[str, float]) -> dict[str, str]:
    """Return the raster tags that carry the thresholds found best in validation."""
    return {_THRESHOLDS_TAG: json.dumps(thresholds)} if thresholds else {}


def stored_thresholds(dataset: DatasetReader) -> dict[str, float]:
    """Return the thresholds, by class name, that a probability raster carries; may be empty."""
    return dict(json.loads(dataset.tags().get(_THRESHOLDS_TAG, "{}")))


def probability_style(legend: Legend) -> Style:
    """Return the QGIS style of a probability raster: the first class that is no background."""
    return ramp_style(1 if legend.overlapping or len(legend) == 1 else 2, VIRIDIS)


def uncertainty_style() -> Style:
    """Return the QGIS style of an uncertainty raster: the less sure, the darker."""
    return ramp_style(1, HEAT)
