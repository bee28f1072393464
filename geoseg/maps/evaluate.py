"""`evaluate`: score a model on the chips of one split, and write a report.

Memory holds one batch of chips, counts of a fixed size, and the few worst chips, however many
there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import ModelError, PlanError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import IGNORE, Legend
from geoseg.geo.output import check_output
from geoseg.geo.raster import open_raster, read, valid_pixels
from geoseg.learn.card import ModelCard
from geoseg.learn.dataset import Scenes, read_label
from geoseg.learn.metrics import Scores, Tally
from geoseg.learn.model import Model
from geoseg.learn.scaling import read_bands
from geoseg.learn.scores import decimals
from geoseg.maps.pictures import image_picture
from geoseg.maps.report import Evaluation, write_report
from geoseg.maps.scored import ScoredChip, WorstChips
from geoseg.maps.split_map import SceneChips
from geoseg.maps.suitability import check_image
from geoseg.progress import Progress, part, silent
from geoseg.samples.chips import ChipPlan
from geoseg.samples.plan import SPLIT_NAMES

if TYPE_CHECKING:
    import geopandas as gpd

MARGIN = 32
"""Pixels of image around a chip that the network sees too, as it would in a whole scene; of the
coarser image, if the network works on one."""
_BATCH_PIXELS = 1024 * 1024
_MAP_SIDE = 900
_MAP_SCENES = 6
_MAP_PIXELS = 100_000_000


def evaluate(model: Model | str | Path, chips: ChipPlan | str | Path, *, split: str = "test",
             out: str | Path, objects: str | None = None, device: str = "auto",
             overwrite: bool = False, progress: Progress = silent) -> Scores:
    """Score a model on the chips of one split and write a report.

    Each chip is predicted with some image around it, as in a whole scene, and compared with its
    labels where both image and label are valid. The class map is the one that `classify` makes by
    default: the likeliest class, or the thresholds that validation found.

    Args:
        model: Model, or its file.
        chips: Chip plan, or its file.
        split: `test`, `val` or `train`.
        out: Report to write, ending in .html; the scores go beside it as .json.
        objects: Class whose patches are objects, such as cells, to be scored as such too; by
            default what the model's recipe says under `map.objects`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        overwrite: Whether existing files may be replaced.
        progress: Told the share of chips done.

    Returns:
        The scores, as they stand in both files.

    Raises:
        GridError: A scene lacks the georeference that the model needs.
        ModelError: Not a model, or the model does not suit plan or scenes.
        OutputError: A file exists, or cannot be written.
        PlanError: No such split, or no labelled pixel in it.
        RasterError: A scene or label cannot be read, or no class is called like the objects.
    """
    path = check_output(out, overwrite=overwrite, suffixes=(".html",))
    check_output(path.with_suffix(".json"), overwrite=overwrite)
    model = model if isinstance(model, Model) else Model.load(model, device=device)
    plan = chips if isinstance(chips, ChipPlan) else ChipPlan.read(chips)
    rows = _rows(plan, model, split)
    _check_scenes(rows, model.card)
    tally = Tally(model.card.legend, thresholds=_thresholds(model.card), boundary=True, chips=True,
                  objects=_objects(model.card, objects))
    worst = _score(model, plan, rows, tally, part(progress, 0.0, 0.95))
    progress(0.95, "writing the report")
    write_report(Evaluation(
        card=model.card, model_name=model.path.name if model.path else "(not saved)",
        plan=plan, split=split, tally=tally,
        worst=[chip.pictures(plan, model.card) for chip in worst],
        scenes=list(_scene_maps(plan, rows, model.card, split))), path)
    scores = tally.scores()
    progress(1.0, f"mean IoU {decimals(scores.mean_iou)} over {scores.classes_scored} classes")
    return scores


def _rows(plan: ChipPlan, model: Model, split: str) -> gpd.GeoDataFrame:
    """Return the chips to score, after checking that plan and model belong together."""
    legend, known = model.card.legend, plan.legend
    if (legend.names, legend.overlapping) != (known.names, known.overlapping):
        raise ModelError(model.path or "the model", f"maps {_describe(legend)}, but "
                         f"{_name(plan)} holds {_describe(known)}",
                         "Plan chips over labels that were burnt with the model's recipe")
    rows = plan.rows(split)
    if rows.empty:
        raise PlanError(_name(plan), f"has no {SPLIT_NAMES[split]} chips",
                        "Choose another split, or plan again with a share for it")
    return rows.sort_values(["scene", "row", "col"], kind="stable")


def _describe(legend: Legend) -> str:
    kind = "overlapping" if legend.overlapping else "exclusive"
    return f"the {kind} classes {', '.join(legend.names)}"


def _name(plan: ChipPlan) -> str:
    return Path(plan.path).name if plan.path else "chip plan"


def _check_scenes(rows: gpd.GeoDataFrame, card: ModelCard) -> None:
    """Warn of scenes unlike the training images; a score on them may be just what is wanted."""
    for scene in rows["scene"].unique():
        with open_raster(scene) as dataset:
            grid = Grid.of(dataset, georeferenced=card.georeferenced)
            check_image(dataset, grid, card, force=True)


def _score(model: Model, plan: ChipPlan, rows: gpd.GeoDataFrame, tally: Tally, progress: Progress
           ) -> list[ScoredChip]:
    """Fill the tally, chip by chip; return the worst ones, worst first."""
    legend = model.card.legend
    worst = WorstChips()
    with Scenes() as scenes:
        done = 0
        for batch in _batches(rows, _margin(model)):
            progress(done / len(rows), f"chip {done + 1} of {len(rows)}")
            for chip, probabilities in _predict(model, scenes, batch):
                labels = chip.label if legend.overlapping else chip.label[0]
                tally.add(probabilities[None], labels[None])
                chip.decide(probabilities, legend, tally.thresholds)
                worst.add(chip)
            done += len(batch)
    if tally.pixels == 0:
        raise PlanError(_name(plan), "has no labelled pixel in the chips to score",
                        "Check the labels, or plan over an area that has some")
    return worst.ranked()


def _thresholds(card: ModelCard) -> dict[str, float]:
    """Return those thresholds of the card that decide: see `decide`."""
    legend = card.legend
    names = legend.names if legend.overlapping else legend.names[1:] if len(legend) == 2 else ()
    return {name: card.thresholds[name] for name in names if name in card.thresholds}


def _objects(card: ModelCard, asked: str | None) -> str | None:
    """Return the class whose patches are objects, if any, after checking that there is one."""
    name = asked or card.recipe.get("map", {}).get("objects")
    if name is not None:
        card.legend.value_of(name)
    return name


def _margin(model: Model) -> int:
    return MARGIN * model.card.network.reduce


def _batches(rows: gpd.GeoDataFrame, margin: int) -> Iterator[gpd.GeoDataFrame]:
    """Yield chips of one size together, as many as one pass through the network takes."""
    for (height, width), group in rows.groupby(["height", "width"], sort=False):
        count = max(1, _BATCH_PIXELS // ((height + 2 * margin) * (width + 2 * margin)))
        for start in range(0, len(group), count):
            yield group.iloc[start:start + count]


def _predict(model: Model, scenes: Scenes, rows: gpd.GeoDataFrame
             ) -> Iterator[tuple[ScoredChip, np.ndarray]]:
    """Predict chips of one size; yield each and its probabilities (classes, rows, columns)."""
    margin = _margin(model)
    windows = [Window(row.col - margin, row.row - margin, row.width + 2 * margin,
                      row.height + 2 * margin) for row in rows.itertuples()]
    images = [read_bands(scenes.open(scene), window, model.card.bands)
              for scene, window in zip(rows["scene"], windows, strict=True)]
    usable = [valid_pixels(valid, values) for values, valid in images]
    probabilities = model.probabilities(
        np.stack([values for values, _ in images]),
        np.stack([valid & here for (_, valid), here in zip(images, usable, strict=True)]))
    inner = np.s_[..., margin:-margin, margin:-margin]
    for place, row in enumerate(rows.itertuples()):
        valid = usable[place][inner]
        label = read_label(scenes.open(row.label), Window(row.col, row.row, row.width, row.height))
        label[:, ~valid] = IGNORE
        yield (ScoredChip(row, images[place][0][inner], valid, label),
               probabilities[place][inner])


def _scene_maps(plan: ChipPlan, rows: gpd.GeoDataFrame, card: ModelCard, split: str
                ) -> Iterator[SceneChips]:
    """Yield what the split map shows: the scenes with the most scored chips."""
    scenes = rows["scene"].value_counts().index[:_MAP_SCENES]
    for scene in scenes:
        here = plan.frame[plan.frame["scene"] == scene]
        boxes = {name: here.loc[here["split"] == name, ["col", "row", "width", "height"]]
                 .to_numpy(dtype=int) for name in SPLIT_NAMES}
        with open_raster(scene) as dataset:
            grid = Grid.of(dataset, georeferenced=card.georeferenced)
            yield SceneChips(Path(scene).name, grid.shape, grid.pixel_size,
                             "m" if grid.is_georeferenced else "px", boxes, split,
                             _overview(dataset, grid, card))


def _overview(dataset: DatasetReader, grid: Grid, card: ModelCard) -> np.ndarray | None:
    """Return a small picture of a scene, unless making it means reading a huge file."""
    if grid.width * grid.height > _MAP_PIXELS and not dataset.overviews(1):
        return None
    factor = min(1.0, _MAP_SIDE / max(grid.shape))
    shape = max(1, round(grid.height * factor)), max(1, round(grid.width * factor))
    values, valid = read(dataset, grid.window, [band.index for band in card.bands], shape=shape)
    return image_picture(values, valid_pixels(valid, values), card.bands)
