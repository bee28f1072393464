"""Train the coast models of the SAR paper on made scenes, and measure their lines on others.

Made coasts, whose true line is known, are seen as amplitudes: land and sea differ by 8 dB, both
vary by 1 dB over some ten pixels, and speckle of two looks lies over all. Networks are small and
not pretrained, so that all five take minutes; inputs, labels, losses and optimisers are those of
the shipped recipes. Distances are means in pixels, from the truth to the line and back.

    python scripts/bench/coast_models.py --work build/coast-models -o coast_models.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from coasts import distances
from made_coast import Coast, make_coast
from scipy.ndimage import gaussian_filter

from geoseg.class_table import assemble_recipe
from geoseg.coast.extractors import (
    LAND,
    SEA,
    argmax_positions,
    ensemble_positions,
    fill_positions,
    minmax_pixels,
    positions_line,
)
from geoseg.coast.tracing.coastline import trace_coastline
from geoseg.learn.model import Model
from geoseg.learn.train import train
from geoseg.maps.predict import predict
from geoseg.samples.chips import plan_chips
from geoseg.samples.labels import burn_labels

PIXEL, LOOKS, CALIBRATION = 3.0, 2, 83.0
SEA_DB, LAND_DB, VARIATION_DB = -19.0, -11.0, 1.0
CODES = {"sea": 0, "land": 2}
"""Values of the land-cover raster, as the recipes have them."""
REGIONS = ("paper-coast-sar", "paper-coast-sar-strip")
LINES = ("paper-coast-sar-line", "paper-coast-sar-amplitude", "paper-coast-sar-heatmap")
SMALL = {"chips.size": 64, "chips.split": [80, 20, 0], "chips.block": 2, "train.crop": 64,
         "train.network": "classic-unet", "train.depth": 4, "train.width": 8,
         "train.pretrained": False, "train.batch": 8, "train.patience": 100,
         "augment.scale": [0.8, 1.25], "predict.scales": [1.0], "predict.tile": 256,
         "predict.tta": "flips"}
"""What makes the recipes small, and keeps scenes at full resolution."""
NARROWER = {"train.loss": "ce(heatmap=4)"}
"""Heat for bays of some twenty pixels; that of the recipe runs together between their shores."""


@dataclass(frozen=True)
class Scene:
    """A made radar scene with its labels."""

    image: Path
    """uint16 amplitudes, georeferenced, with pixels of 3 m."""
    cover: Path
    """Land-cover raster of `CODES` on the same grid."""
    line: Path
    """True coastline, with the attribute `width` in metres."""
    truth: np.ndarray
    """float64 (n, 2): dense points of it, (column, row) from the raster's corner."""
    transform: Affine
    """From pixels to the map."""


def make_scene(folder: Path, name: str, coast: Coast, *, seed: int, east: int = 0,
               width: float = 12.0, looks: int = LOOKS, variation: float = VARIATION_DB) -> Scene:
    """Write a scene, its land cover and its coastline.

    Args:
        folder: Where to write.
        name: How the files begin.
        coast: The coast.
        seed: Of speckle and of what varies over land and sea.
        east: Kilometres by which the scene lies east of others.
        width: Width of the coastline as a label, in metres.
        looks: How many looks the speckle is averaged over.
        variation: Standard deviation in dB of what land and sea vary by.
    """
    random, shape = np.random.default_rng(seed), coast.land_share.shape
    transform = Affine(PIXEL, 0, 500_000 + 1000 * east, 0, -PIXEL, 5_400_000)
    power = np.zeros(shape)
    for level, share in ((SEA_DB, 1 - coast.land_share), (LAND_DB, coast.land_share)):
        rough = gaussian_filter(random.normal(size=shape), 12)
        power += share * 10 ** ((level + variation * rough / rough.std()) / 10)
    speckled = power * random.gamma(looks, 1 / looks, shape)
    amplitude = np.sqrt(speckled * 10 ** (CALIBRATION / 10)).round().clip(1, 65535)
    cover = np.where(coast.land_share > 0.5, CODES["land"], CODES["sea"])
    paths = [folder / f"{name}_{part}" for part in ("image.tif", "cover.tif", "coast.gpkg")]
    for path, array in zip(paths, (amplitude.astype(np.uint16), cover.astype(np.uint8)),
                           strict=False):
        with rasterio.open(path, "w", driver="GTiff", width=shape[1], height=shape[0], count=1,
                           dtype=array.dtype, crs="EPSG:32633", transform=transform) as dataset:
            dataset.write(array, 1)
    lines = [shapely.transform(shapely.LineString(points), lambda xy: _placed(xy, transform))
             for points in _pieces(coast.truth)]
    gpd.GeoDataFrame({"width": [f"{width:g}"] * len(lines)}, geometry=lines, crs="EPSG:32633"
                     ).to_file(paths[2])
    return Scene(*paths, coast.truth, transform)


def _pieces(truth: np.ndarray) -> list[np.ndarray]:
    """Return the truth as lines, thinned to a point every tenth of a pixel or so."""
    breaks = np.flatnonzero(np.hypot(*np.diff(truth, axis=0).T) > 1) + 1
    return [np.concatenate([piece[::10], piece[-1:]]) for piece in np.split(truth, breaks)
            if len(piece) > 20]


def _placed(points: np.ndarray, transform: Affine) -> np.ndarray:
    return np.column_stack(transform @ tuple(points.T))


def train_on(name: str, scenes: Sequence[Scene], folder: Path, settings: Mapping[str, object]
             ) -> Model:
    """Burn labels, plan chips and train one of the recipes.

    Args:
        name: The recipe.
        scenes: Scenes to learn from.
        folder: Where to write.
        settings: What differs from the shipped recipe.
    """
    recipe = assemble_recipe(name, settings=settings)
    pairs = []
    for scene in scenes:
        labels = folder / f"{scene.image.stem}_{name}.tif"
        sources = {"line": [scene.line], "sea": [scene.cover]}
        sources["strip"] = [*sources["sea"], *sources["line"]]
        kind = "line" if name in LINES else "strip" if name == REGIONS[1] else "sea"
        burn_labels(sources[kind], recipe, like=scene.image, out=labels,
                    assign={} if kind == "sea" else {scene.line: "coast"}, overwrite=True)
        pairs.append((scene.image, labels))
    chips = plan_chips(scenes=pairs, recipe=recipe, out=folder / f"{name}.gpkg", overwrite=True)
    return train(chips, recipe, out=folder / f"{name}.safetensors", device="cpu", overwrite=True)


def traced_points(probabilities: Sequence[Path], scene: Scene, out: Path) -> np.ndarray:
    """Trace the mean log odds of probabilities of sea and land; return dense points in pixels."""
    # Shorter loops are speckle; the smallest island has a shore of 145 m.
    trace_coastline(list(probabilities), water="sea", out=out, min_length=120, overwrite=True)
    lines = shapely.segmentize(gpd.read_file(out).geometry.array, 0.25 * PIXEL)
    return _placed(shapely.get_coordinates(lines), ~scene.transform)


def column_positions(probabilities: Path) -> np.ndarray:
    """Return the paper's place of the coast in each column, in rows from the first's centre.

    A probability of a coast gives its likeliest row; a map of sea and land the mean row of the
    pixels that the 3 x 3 rule finds.
    """
    with rasterio.open(probabilities) as dataset:
        bands, names = dataset.read(masked=True), dataset.descriptions
    if names == ("coast",):
        return argmax_positions(bands[0].filled(0), ~np.ma.getmaskarray(bands[0]), "columns")
    sea = bands.argmax(axis=0) == names.index("sea")
    pixels = minmax_pixels(np.where(sea, SEA, LAND))
    columns = pixels[:, 0].astype(int)
    counts = np.bincount(columns, minlength=sea.shape[1])
    sums = np.bincount(columns, weights=pixels[:, 1], minlength=sea.shape[1])
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def column_points(members: Sequence[Path]) -> np.ndarray:
    """Return the paper's line of an ensemble: the mean place per column, dense, in pixels."""
    positions = [column_positions(member) for member in members]
    mean = fill_positions(ensemble_positions(positions, [1.0] * len(positions)))
    line = shapely.LineString(positions_line(mean, "columns") + 0.5)
    return shapely.get_coordinates(shapely.segmentize(line, 0.25))


def main() -> None:
    """Train, print the table, and draw the picture."""
    options = _arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    learnt = [make_scene(options.work, f"train{n}", make_coast(384, turn), seed=n, east=5 * n)
              for n, turn in enumerate((75, -40))]
    tests = {"one branch": make_scene(options.work, "branch", make_coast(256, 0, islands=False),
                                      seed=10, east=20),
             "bays and islands": make_scene(options.work, "bays", make_coast(256, 30), seed=11,
                                            east=25)}
    maps: dict[str, dict[str, Path]] = {kind: {} for kind in tests}
    for name in (*REGIONS, *LINES):
        start = time.process_time()
        model = train_on(name, learnt, options.work, {
            **SMALL, "train.steps": options.steps, "train.validate_every":
            options.steps // 10 if name in REGIONS else options.steps,
            **(NARROWER if name == LINES[2] else {})})
        print(f"{name}: {time.process_time() - start:.0f} CPU-s, validation mean IoU "
              f"{model.card.scores['mean_iou']:.3f}", flush=True)
        for kind, scene in tests.items():
            maps[kind][name] = predict(model, scene.image, out=options.work / f"{kind}_{name}.tif",
                                       dtype="float32", overwrite=True)
    found = {kind: _all_lines(maps[kind], scene, options.work) for kind, scene in tests.items()}
    print(f"\n{'':44}" + "".join(f"{kind:>20}" for kind in tests))
    for method in found["one branch"]:
        cells = ["{:.2f} / {:.2f}".format(*distances(found[kind][method], scene.truth))
                 for kind, scene in tests.items()]
        print(f"{method:44}" + "".join(f"{cell:>20}" for cell in cells))
    if options.out:
        _draw(tests, found, options.out)


def _all_lines(maps: Mapping[str, Path], scene: Scene, folder: Path) -> dict[str, np.ndarray]:
    """Return the line of each method."""
    regions = [maps[name] for name in REGIONS]
    out = folder / f"{scene.image.stem}.gpkg"
    lines = {f"contour, {name}": traced_points([maps[name]], scene, out) for name in REGIONS}
    lines["contour, mean log odds of both"] = traced_points(regions, scene, out)
    for name in (*REGIONS, *LINES):
        lines[f"by column, {name}"] = column_points([maps[name]])
    lines["by column, mean of the paper's four"] = column_points(
        [maps[name] for name in (*REGIONS, *LINES[:2])])
    return lines


def _draw(tests: Mapping[str, Scene], found: Mapping[str, Mapping[str, np.ndarray]], path: Path
          ) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.9), layout="constrained")
    FigureCanvasAgg(figure)
    shown = {"by column, mean of the paper's four": ("#d7191c", "mean row per column (the paper)"),
             "contour, mean log odds of both": ("#0571b0", "contour of the mean log odds")}
    for axes, (kind, scene) in zip(figure.subplots(1, len(tests)), tests.items(), strict=True):
        with rasterio.open(scene.image) as dataset:
            image = np.sqrt(dataset.read(1).astype(float))
        height, width = image.shape
        axes.imshow(image, cmap="gray", extent=(0, width, height, 0),
                    vmax=np.quantile(image, 0.99))
        for method, (color, label) in shown.items():
            for number, piece in enumerate(_runs(found[kind][method])):
                axes.plot(*piece.T, color=color, linewidth=1.3,
                          label=label if number == 0 else None)
        axes.set(title=kind, xticks=[], yticks=[])
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def _runs(points: np.ndarray) -> list[np.ndarray]:
    """Return dense points as lines, parted where the next is more than a pixel away."""
    return np.split(points, np.flatnonzero(np.hypot(*np.diff(points, axis=0).T) > 1) + 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for all files")
    parser.add_argument("--steps", type=int, default=300, help="steps of each training")
    parser.add_argument("-o", "--out", type=Path, help="picture to draw (.png)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
