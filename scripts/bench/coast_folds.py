"""Coastlines on stretches held out from training, beside the edge of a water index.

The scene is cut into bands of rows. For each, a model is trained on all of the scene but the band
and a gap around it; its coastline in the band, and that of the index, are measured against a
surveyed one. Nothing is chosen on the band.

    python scripts/bench/coast_folds.py -r docs/tutorials/coast.toml --scene image.tif labels.tif \
        --reference coastline.geojson --green 2 --nir 7
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from crossval import changed, setting

from geoseg.coast.accuracy.measure import measure_coastline
from geoseg.coast.accuracy.scores import CoastlineScores
from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.geo.writing import raster_writer
from geoseg.learn.train import train
from geoseg.maps.predict import predict
from geoseg.maps.probabilities import encode, storage
from geoseg.recipe import Recipe
from geoseg.samples.chips import plan_chips
from geoseg.samples.plan import ChipPlan

INDEX = Legend((LegendClass(0, "land", "#d9d3b8"), LegendClass(1, "sea", "#3182bd")))


def main() -> None:
    """Print the scores of every band and of all, and write the coastlines for the picture."""
    options = _arguments()
    image, labels = (Path(item) for item in options.scene)
    recipe = changed(Recipe.read(options.recipe), dict(options.set))
    found: dict[str, list[CoastlineScores]] = {"water index": [], "model": []}
    lines: list[gpd.GeoDataFrame] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = _index(image, options.green, options.nir, folder / "index.tif")
        for number, (rows, area) in enumerate(_bands(image, options, folder)):
            held_out = _without(labels, rows, options.gap, folder / f"labels-{number}.tif")
            plan = _trained_on(plan_chips(image, held_out, recipe=recipe, split=(100, 0, 0),
                                          out=folder / f"{number}.gpkg"))
            model = train(plan, recipe, out=folder / f"{number}.safetensors", device="cpu")
            proba = predict(model, image, out=folder / f"proba-{number}.tif", device="cpu")
            for method, raster, smooth in (("water index", index, 0.0), ("model", proba, 1.0)):
                path = trace_coastline(raster, water="sea", out=folder / f"{number}-{method}.gpkg",
                                       smooth=smooth, area=area, min_length=options.min_length)
                scores = measure_coastline(path, options.reference, area=area)
                found[method].append(scores)
                lines.append(gpd.read_file(path).assign(method=method, band=number))
                print(f"band {number}, {method:12} {_text([scores])}", flush=True)
    for method, scores in found.items():
        print(f"all bands, {method:12} {_text(scores)}")
    if options.out:
        gpd.pd.concat(lines).to_file(options.out, layer="coastlines")


def _bands(image: Path, options: argparse.Namespace, folder: Path
           ) -> Iterator[tuple[tuple[int, int], Path]]:
    """Yield rows and polygon file of bands that share the rows the reference lies in."""
    with rasterio.open(image) as dataset:
        reference = gpd.read_file(options.reference).to_crs(dataset.crs)
        _, bottom, _, top = reference.total_bounds
        first, last = (dataset.index(dataset.bounds.left, y)[0] for y in (top, bottom))
        first, last = max(0, first), min(dataset.height, last + 1)
        edges = np.linspace(first, last, options.folds + 1).round().astype(int)
        for start, stop in pairwise(edges):
            window = rasterio.windows.Window(0, start, dataset.width, stop - start)
            path = folder / f"band-{start}.gpkg"
            gpd.GeoDataFrame(geometry=[shapely.box(*dataset.window_bounds(window))],
                             crs=dataset.crs).to_file(path)
            yield (int(start), int(stop)), path


def _without(labels: Path, rows: tuple[int, int], gap: int, out: Path) -> Path:
    """Copy labels, those of some rows and of a gap around them ignored."""
    with rasterio.open(labels) as source:
        values, profile, tags = source.read(), source.profile, source.tags()
    values[:, max(0, rows[0] - gap):rows[1] + gap] = IGNORE
    with rasterio.open(out, "w", **profile) as target:
        target.update_tags(**tags)
        target.write(values)
    return out


def _trained_on(plan: ChipPlan) -> ChipPlan:
    """Put a few chips aside for the validation that training asks for; nothing is chosen by it."""
    frame = plan.frame.copy()
    frame.loc[frame.index[::12], "split"] = "val"
    return replace(plan, frame=frame)


def _index(image: Path, green: int, nir: int, out: Path) -> Path:
    """Write the sign and size of the normalised difference water index as odds of land."""
    with rasterio.open(image) as source:
        bands, grid = source.read([green, nir]).astype(np.float32), Grid.of(source)
    valid = (bands > 0).all(axis=0)
    index = np.divide(bands[0] - bands[1], bands.sum(axis=0), where=valid,
                      out=np.zeros(valid.shape, np.float32))
    land = 1 / (1 + np.exp(5 * index))
    with raster_writer(out, grid, count=2, legend=INDEX, band_names=INDEX.names,
                       **storage("float32")) as write:
        write(encode(np.stack([land, 1 - land]), valid, "float32"), grid.window)
    return out


def _text(scores: list[CoastlineScores]) -> str:
    texts = []
    for name in ("missed", "strayed"):
        parts = [getattr(item, name) for item in scores]
        weights = [part.samples for part in parts]
        pooled = {key: np.average([getattr(part, key) for part in parts], weights=weights)
                  for key in ("mean", "median", "p95", "coverage")}
        texts.append("{}: mean {mean:.1f} m, median {median:.1f}, p95 {p95:.1f}, coverage "
                     "{coverage:.0%}".format(name, **pooled))
    return "; ".join(texts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-r", "--recipe", required=True, help="recipe, by name or file")
    parser.add_argument("--scene", nargs=2, required=True, metavar=("IMAGE", "LABELS"))
    parser.add_argument("--reference", required=True, help="surveyed coastline")
    parser.add_argument("--green", type=int, required=True, help="band")
    parser.add_argument("--nir", type=int, required=True, help="band")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--gap", type=int, default=32, help="rows around the band left out, too")
    parser.add_argument("--min-length", type=float, default=500, help="metres")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("-o", "--out", help="GeoPackage for the coastlines")
    return parser.parse_args()


if __name__ == "__main__":
    main()
