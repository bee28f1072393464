"""How much of a class raster each class takes."""

from __future__ import annotations

import numpy as np
from rasterio.io import DatasetReader

from geoseg.geo.legend import Legend
from geoseg.geo.windows import row_bands
from geoseg.progress import Progress, silent


def class_shares(dataset: DatasetReader, legend: Legend, progress: Progress = silent) -> np.ndarray:
    """Return the share of the valid area that each class takes, counted at full resolution.

    Args:
        dataset: Open class map or label raster.
        legend: Its classes. Overlapping ones may take more than everything together.
        progress: Told the rows done.

    Returns:
        float (classes,) in 0..1; zeros if no pixel is valid.
    """
    counts, total = np.zeros(len(legend)), 0
    for window in row_bands(dataset.height, dataset.width):
        values = dataset.read(window=window)
        if legend.overlapping:
            counts += (values == 1).sum(axis=(1, 2))
            total += int((values <= 1).all(axis=0).sum())
        else:
            here = np.bincount(values.ravel(), minlength=256)[:len(legend)]
            counts, total = counts + here, total + int(here.sum())
        progress((window.row_off + window.height) / dataset.height, "counting classes")
    return counts / max(total, 1)
