"""Time and memory of tracing a large raster, beside contourpy on the same array in memory.

python scripts/bench/tracing.py --size 10000
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from contourpy import contour_generator
from rasterio.crs import CRS
from rasterio.windows import Window
from scipy.special import expit

from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.coast.tracing.odds import log_odds
from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend, LegendClass
from geoseg.geo.writing import raster_writer
from geoseg.maps.probabilities import encode, storage

LEGEND = Legend((LegendClass(0, "land", "#d8c690"), LegendClass(1, "water", "#3182bd")))
ROWS = 500


def main() -> None:
    """Print processor seconds of both, their ratio, and the peak of memory of ours."""
    options = _arguments()
    if options.child:
        _child(*options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probabilities.tif"
        water = _write(path, options.size)
        z = log_odds(1 - water, water)
        ours, theirs, peak = [], [], 0
        for number in range(options.repeat):
            theirs.append(_contourpy(z))
            answer = subprocess.run(
                [sys.executable, __file__, "--child", str(path), f"{folder}/{number}.gpkg",
                 str(options.smooth)], check=True, capture_output=True, text=True)
            seconds, memory, base = (float(word) for word in answer.stdout.split())
            ours.append(seconds)
            peak = max(peak, memory)
        print(f"{options.size} x {options.size} px, smoothing {options.smooth:g} px, median of "
              f"{options.repeat}")
        print(f"contourpy, array in memory   {statistics.median(theirs):6.2f} CPU-s")
        print(f"trace_coastline, from file   {statistics.median(ours):6.2f} CPU-s, "
              f"{statistics.median(ours) / statistics.median(theirs):.2f} x, peak "
              f"{peak:.0f} MiB ({base:.0f} after imports)")


def _write(path: Path, size: int) -> np.ndarray:
    """Write a made coast with bays and islands of all sizes; return the probability of water."""
    random = np.random.default_rng(0)
    height = np.zeros((size, size), dtype=np.float32)
    for cells, share in ((6, 1.0), (25, 0.35), (100, 0.1), (400, 0.03)):
        coarse = random.normal(size=(cells, cells)).astype(np.float32)
        height += share * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    height *= size / 20  # so that land turns to water within some ten pixels
    # Far out, probabilities are 0 and 1, as of a trained network.
    water = expit(height, out=height)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 500_000, 0, -10, 5_400_000), size, size)
    with raster_writer(path, grid, count=2, legend=LEGEND, band_names=LEGEND.names,
                       **storage("uint8")) as write:
        for top in range(0, size, ROWS):
            rows = water[top:top + ROWS]
            window = Window(0, top, size, len(rows))
            write(encode(np.stack([1 - rows, rows]), np.ones(rows.shape, dtype=bool), "uint8"),
                  window)
    return np.rint(water * 254) / 254


def _contourpy(z: np.ndarray) -> float:
    start = time.process_time()
    contour_generator(z=z, name="serial").lines(0.0)
    return time.process_time() - start


def _child(path: str, out: str, smooth: str) -> None:
    base = _peak()
    start = time.process_time()
    trace_coastline(path, water="water", out=out, smooth=float(smooth))
    seconds = time.process_time() - start
    print(seconds, _peak(), base)


def _peak() -> float:
    """Return the most memory in MiB that this process has held."""
    line = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
                if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=10_000, help="pixels a side")
    parser.add_argument("--smooth", type=float, default=1.0, help="smoothing in pixels")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
