"""`plan_chips`: squares for training, validation and testing that share no pixel."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from geoseg.errors import PlanError
from geoseg.geo.output import check_output
from geoseg.progress import Progress, silent
from geoseg.recipe import ChipsRecipe, Recipe
from geoseg.samples.draft import Draft, draft_tiles, lay_out, split_blocks
from geoseg.samples.plan import SPLITS, ChipPlan
from geoseg.samples.scenes import open_scenes
from geoseg.samples.splits import TRAIN, sampling_weights
from geoseg.samples.tiles import Tile, find_tiles, read_facts
from geoseg.samples.world import all_apart, smallest_distance

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["SPLITS", "ChipPlan", "plan_chips"]

_log = logging.getLogger("geoseg")
_HARDLY = 0.1
"""Part of its overall share below which a class is hardly there."""


def plan_chips(image: str | Path | None = None, labels: str | Path | None = None, *,
               scenes: Sequence[tuple[str | Path, str | Path]] = (),
               folder: str | Path | None = None, recipe: Recipe | str | Path | None = None,
               size: int | None = None, split: tuple[float, float, float] | None = None,
               block: int | None = None, seed: int | None = None, overlap: float = 0.0,
               random: int | None = None, min_valid: float = 0.25, out: str | Path,
               overwrite: bool = False, progress: Progress = silent) -> ChipPlan:
    """Plan training, validation and test chips, and write them as a layer one can look at.

    Chips go to a split by spatial blocks, and at least one chip side lies between chips of
    different splits; chips in between are left out. The plan is checked for this at the end.

    Args:
        image: An image.
        labels: Its label raster, on the same grid.
        scenes: Further pairs of image and labels.
        folder: Instead of images, a folder of tiles as `export_chips` writes them. Each tile then
            is a scene with one chip, whose folder tells its split.
        recipe: Recipe for chips, bands and georeference; what is given here goes before it.
        size: Side of a chip in pixels, a multiple of 32.
        split: Shares of training, validation and test area.
        block: Side of a spatial block in chips; by default 8, or less in small scenes.
        seed: Seed of the assignment and of random chips.
        overlap: Fraction of a chip shared with its neighbour, 0 to below 1.
        random: Instead of a regular plan, draw this many random chips; those without enough data
            and those in the gap are then left out.
        min_valid: Least share of pixels with image data and label; 0 to 1.
        out: GeoPackage to write.
        overwrite: Whether `out` may be replaced.
        progress: Progress of the reading.

    Returns:
        The plan, as `ChipPlan.read` would return it.

    Raises:
        GridError: Labels that do not lie on their image's grid, or no georeference.
        OutputError: `out` cannot be written.
        PlanError: A setting out of range, an image too small, or labels that cannot be learnt from.
        RasterError: A file that cannot be read, or labels without legend.
    """
    path = check_output(out, overwrite=overwrite, suffixes=(".gpkg",),
                        inputs=[image, labels, *chain.from_iterable(scenes)])
    recipe = None if recipe is None else Recipe.of(recipe)
    settings = _settings(recipe, size, split, block, seed)
    _check_options(overlap, random, min_valid)
    pairs, tiles = _pairs(image, labels, scenes, folder)
    opened = open_scenes(pairs, bands=recipe.image.bands if recipe else None,
                         georeferenced=recipe.georeferenced if recipe else True)
    if tiles:
        draft = draft_tiles(opened, [SPLITS.index(tile.split) for tile in tiles],
                            [tile.block for tile in tiles], progress)
        gap = _tile_gap(draft, Path(folder or ""))
    else:
        draft = split_blocks(lay_out(opened, settings, overlap, random, min_valid, progress),
                             settings)
        gap = settings.size
        _check_gap(draft, gap)
    plan = ChipPlan(_frame(draft), opened[0].legend, int(draft.windows[:, 2:].max()), gap,
                    settings.seed, draft.world.crs is not None)
    _warn_missing(plan)
    return plan.write(path)


def _check_options(overlap: float, random: int | None, min_valid: float) -> None:
    if not 0 <= overlap < 1:
        raise PlanError("overlap", f"is {overlap}", "Give a fraction from 0 to below 1")
    if not 0 <= min_valid <= 1:
        raise PlanError("min_valid", f"is {min_valid}", "Give a share from 0 to 1")
    if random is not None and random < 1:
        raise PlanError("random", f"is {random}", "Give the number of chips to draw, 1 or more")


def _settings(recipe: Recipe | None, size: int | None,
              split: tuple[float, float, float] | None, block: int | None,
              seed: int | None) -> ChipsRecipe:
    given = {"size": size, "split": split, "block": block, "seed": seed}
    base = recipe.chips.model_dump() if recipe else {}
    try:
        settings = ChipsRecipe.model_validate(
            {**base, **{name: value for name, value in given.items() if value is not None}})
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(f"chip {first['loc'][0]}", f"is {first['input']!r}",
                        f"{first['msg']}") from error
    if min(settings.split) < 0 or settings.split[0] <= 0:
        raise PlanError("chip split", f"is {'/'.join(f'{s:g}' for s in settings.split)}",
                        "Give three shares such as 70/15/15, the first above zero")
    return settings


def _pairs(image: str | Path | None, labels: str | Path | None,
           scenes: Sequence[tuple[str | Path, str | Path]], folder: str | Path | None
           ) -> tuple[list[tuple[str | Path, str | Path]], list[Tile]]:
    if folder is not None and (image is not None or scenes):
        raise PlanError("plan-chips", "got both images and a folder of tiles", "Give one of them")
    if folder is not None:
        tiles = find_tiles(Path(folder))
        return [(tile.image, tile.label) for tile in tiles], tiles
    if (image is None) != (labels is None):
        raise PlanError("plan-chips", "got an image without labels, or labels without an image",
                        "Give both")
    first = [(image, labels)] if image is not None and labels is not None else []
    return [*first, *scenes], []


def _tile_gap(draft: Draft, folder: Path) -> int:
    """Check that tiles of different splits share no pixel; return how far they lie apart."""
    if draft.world.crs is None:
        _log.info("The tiles have no place on the Earth: whether their splits share pixels cannot "
                  "be checked.")
        return int(read_facts(folder).get("gap", 0))
    size = int(draft.windows[:, 2:].max())
    distance = smallest_distance(draft.squares, draft.split)
    if distance < 0:
        pairs = draft.world.near(draft.scene, draft.windows, 0)
        first, second = pairs[(np.diff(draft.split[pairs]) != 0).ravel()][0]
        raise PlanError(draft.scenes[draft.scene[first]].image, "shares pixels with "
                        f"{draft.scenes[draft.scene[second]].image}, which is of another split",
                        "Cut the tiles again so that splits do not overlap (export-chips does)")
    _log.info("No pixel is in two splits; tiles of different splits lie at least %.0f px apart.",
              distance)
    if distance < size:
        _log.warning("Tiles of different splits lie only %.0f px apart, less than one tile of "
                     "%d px: scores will flatter the model.", distance, size)
    return int(min(distance + 0.5, size))


def _check_gap(draft: Draft, gap: int) -> None:
    """Check on the final geometry, by other means than it was made, that the promise holds."""
    distance = smallest_distance(draft.squares, draft.split)
    if distance < 0 or not all_apart(draft.squares, draft.split):
        raise AssertionError(f"chips of different splits lie {distance} px apart, not {gap}")
    _log.info("No pixel is in two splits; chips of different splits lie at least %s apart "
              "(asked for: %d px).", "any distance" if np.isinf(distance) else
              f"{distance:.0f} px", gap)


def _frame(draft: Draft) -> gpd.GeoDataFrame:
    """Return the layer of the plan."""
    import geopandas as gpd

    shares = draft.contents.shares
    columns = {
        "scene": [draft.scenes[number].image.as_posix() for number in draft.scene],
        "label": [draft.scenes[number].label.as_posix() for number in draft.scene],
        **dict(zip(("col", "row", "width", "height"), draft.windows.T, strict=True)),
        "split": [SPLITS[number] for number in draft.split],
        "block": draft.blocks,
        "valid": draft.contents.usable / draft.windows[:, 2:].prod(axis=1),
        **{f"share_{value}": share for value, share in enumerate(shares.T)},
        "weight": sampling_weights(shares, draft.contents.usable, draft.split == TRAIN),
    }
    return gpd.GeoDataFrame(columns, geometry=draft.world.to_crs(draft.squares),
                            crs=draft.world.crs)


def _warn_missing(plan: ChipPlan) -> None:
    """Warn of classes that a split lacks, or has much less of than the rest."""
    pixels = np.array([plan.rows(split)["valid"].sum() for split in SPLITS])
    shares = np.stack([plan.shares(split) for split in SPLITS])
    overall = pixels @ shares / pixels.sum()
    for split, here, count in zip(SPLITS, shares, pixels, strict=True):
        if not count:
            continue
        absent = [name for name, share in zip(plan.legend.names, here, strict=True) if share == 0]
        scarce = [name for name, share, usual in zip(plan.legend.names, here, overall, strict=True)
                  if 0 < share < _HARDLY * usual]
        effect = "learn" if split == "train" else "score"
        if absent:
            _log.warning("No %s chip shows %s: there is nothing to %s it on.", split,
                         ", ".join(absent), effect)
        if scarce:
            _log.warning("The %s chips show hardly any %s: there is little to %s it on. Smaller "
                         "chips or more scenes spread it better.", split, ", ".join(scarce), effect)
