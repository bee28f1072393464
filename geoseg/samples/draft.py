"""`Draft`: chips on their way to a plan; how they are laid out, measured and split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from geoseg.errors import PlanError
from geoseg.progress import Progress, part
from geoseg.recipe import ChipsRecipe
from geoseg.samples.scenes import Contents, Scene, count_contents
from geoseg.samples.splits import (
    LEFT_OUT,
    TRAIN,
    Chips,
    assign_splits,
    random_windows,
    regular_windows,
    spatial_blocks,
)
from geoseg.samples.world import World

_log = logging.getLogger("geoseg")
_STEP = 32
"""Pixels: chip sides are multiples of it (see `ChipsRecipe.size`)."""
_THIN = 0.6
"""Part of its wanted share below which training is said to have shrunk."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Chips on their way to a plan; the rows of all arrays are chips."""

    scenes: Sequence[Scene]
    """The scenes."""
    world: World
    """The plane in which they lie."""
    scene: np.ndarray
    """int (chips,): number of the chip's scene."""
    windows: np.ndarray
    """int (chips, 4): column, row, width, height in pixels of the scene."""
    contents: Contents
    """What the chips hold."""
    blocks: np.ndarray
    """int (chips,): spatial block."""
    split: np.ndarray
    """int (chips,): 0 train, 1 val, 2 test, -1 none."""

    def take(self, rows: np.ndarray) -> Draft:
        """Return the chips that a bool or integer index selects."""
        return Draft(self.scenes, self.world, self.scene[rows], self.windows[rows],
                     self.contents.take(rows), self.blocks[rows], self.split[rows])

    @property
    def squares(self) -> np.ndarray:
        """Polygons (chips,) in plane coordinates."""
        return self.world.polygons(self.scene, self.windows)


def lay_out(scenes: Sequence[Scene], settings: ChipsRecipe, overlap: float, count: int | None,
            min_valid: float, progress: Progress) -> Draft:
    """Place regular chips, or random ones, on all scenes; drop those with too little data.

    Args:
        scenes: The scenes; one legend.
        settings: Chip size, block size and seed.
        overlap: Fraction of a regular chip shared with its neighbour, 0 to below 1.
        count: How many random chips to draw on all scenes together; None for regular ones.
        min_valid: Least share of usable pixels in a chip, 0 to 1.
        progress: Progress of the reading.

    Returns:
        The chips with their contents and blocks, none of them in a split yet.

    Raises:
        PlanError: A scene is smaller than a chip, or the labels cannot be learnt from.
        RasterError: A file cannot be read.
    """
    size = settings.size
    for scene in scenes:
        _check_size(scene, size)
    rng = np.random.default_rng([settings.seed, 1])
    areas = np.array([scene.grid.width * scene.grid.height for scene in scenes], dtype=float)
    counts = rng.multinomial(count or 0, areas / areas.sum())
    stride = max(1, round(size * (1 - overlap)))
    windows = [regular_windows(scene.grid.width, scene.grid.height, size, stride) if count is None
               else random_windows(scene.grid.width, scene.grid.height, size, int(number), rng)
               for scene, number in zip(scenes, counts, strict=True)]
    draft = _measure(scenes, windows, size, progress)
    kept = draft.take(draft.contents.usable >= max(min_valid * size**2, 1))
    _check_contents(draft, kept, min_valid)
    places = kept.world.places(size)[kept.scene]
    blocks = spatial_blocks(_centres(kept), places, size, settings.block)
    return replace(kept, blocks=blocks)


def draft_tiles(scenes: Sequence[Scene], split: Sequence[int], blocks: Sequence[int],
                progress: Progress) -> Draft:
    """Make each scene one chip of a given split and block; drop those without any label.

    Args:
        scenes: The tiles; one legend.
        split: 0 train, 1 val, 2 test, for each.
        blocks: Spatial block of each.
        progress: Progress of the reading.

    Raises:
        PlanError: The labels cannot be learnt from.
        RasterError: A file cannot be read.
    """
    windows = [np.array([[0, 0, scene.grid.width, scene.grid.height]]) for scene in scenes]
    size = max(max(scene.grid.shape) for scene in scenes)
    draft = replace(_measure(scenes, windows, size, progress), split=np.array(split),
                    blocks=np.array(blocks))
    kept = draft.take(draft.contents.usable > 0)
    _check_contents(draft, kept, 0.0)
    return kept


def split_blocks(draft: Draft, settings: ChipsRecipe) -> Draft:
    """Assign blocks to splits and leave out the chips of the gaps between them.

    Args:
        draft: Chips from `lay_out`.
        settings: Chip size, which is also the gap; shares of the splits; seed.

    Returns:
        The chips that are in a split.

    Raises:
        PlanError: A wanted split would stay empty.
    """
    wanted = np.array(settings.split) / sum(settings.split)
    chips = Chips(draft.blocks, _centres(draft),
                  draft.world.near(draft.scene, draft.windows, settings.size),
                  draft.contents.usable, draft.contents.present)
    split = assign_splits(chips, wanted, settings.seed)
    if split is None:
        raise _too_small(draft, settings)
    kept = replace(draft, split=split).take(split != LEFT_OUT)
    whole, used = draft.contents.usable.sum(), kept.contents.usable
    train = float(used[kept.split == TRAIN].sum() / whole)
    _log.info("%d spatial blocks; %.0f %% of the labelled pixels train, %.0f %% lie in the gaps "
              "between splits.", draft.blocks.max() + 1, 100 * train,
              100 * (1 - used.sum() / whole))
    if train < _THIN * wanted[TRAIN]:
        _log.warning("Only %.0f %% of the labelled pixels are left for training: gaps of %d px "
                     "take much of so small a scene. Smaller chips or more scenes keep more.",
                     100 * train, settings.size)
    return kept


def _measure(scenes: Sequence[Scene], windows: Sequence[np.ndarray], gap: int,
             progress: Progress) -> Draft:
    total = len(scenes)
    contents = Contents.join([
        count_contents(scene, here, part(progress, i / total, (i + 1) / total))
        for i, (scene, here) in enumerate(zip(scenes, windows, strict=True))])
    number = np.repeat(np.arange(total), [len(here) for here in windows])
    unset = np.full(len(number), LEFT_OUT)
    return Draft(scenes, World.of([scene.grid for scene in scenes], gap), number,
                 np.concatenate(windows), contents, unset, unset)


def _centres(draft: Draft) -> np.ndarray:
    return np.asarray(shapely.get_coordinates(shapely.centroid(draft.squares)))


def _check_size(scene: Scene, size: int) -> None:
    short = min(scene.grid.shape)
    if short < size:
        fits = short // _STEP * _STEP
        raise PlanError(scene.image, f"is {scene.grid.width} x {scene.grid.height} px, smaller "
                        f"than a chip of {size} px",
                        f"The largest chip size that fits is {fits}" if fits else
                        f"Leave it out: the smallest chips have {_STEP} px a side")


def _check_contents(draft: Draft, kept: Draft, min_valid: float) -> None:
    """Check that there is something to learn."""
    subject = draft.scenes[0].label if len(draft.scenes) == 1 else "the labels"
    if not draft.contents.usable.any():
        raise PlanError(subject, "no pixel has both a label and image data",
                        "Check that labels and image overlap, and what the recipe does with "
                        "uncovered pixels")
    if not len(kept.scene):
        most = float((draft.contents.usable / draft.windows[:, 2:].prod(axis=1)).max())
        raise PlanError(subject, f"no chip is filled to {100 * min_valid:.0f} % (the best to "
                        f"{100 * most:.0f} %)", "Lower min_valid or use smaller chips")
    legend = draft.scenes[0].legend
    present = kept.contents.present.sum(axis=0) > 0
    if present.sum() < (1 if legend.overlapping else 2):
        names = [name for name, there in zip(legend.names, present, strict=True) if there]
        raise PlanError(subject, f"only one class is shown ({names[0]})" if names else
                        "none of the classes is shown", "Check the recipe's tags and codes, or "
                        "take in a larger area")


def _too_small(draft: Draft, settings: ChipsRecipe) -> PlanError:
    """Return the error for scenes that cannot hold all splits with gaps between them."""
    parts = sum(share > 0 for share in settings.split)
    shapes = [scene.grid.shape for scene in draft.scenes]
    # Parts and gaps in a row along the longer side, or a part in each corner.
    fits = max(max(min(max(shape) // (2 * parts - 1), min(shape)), min(shape) // 3)
               for shape in shapes) // _STEP * _STEP
    subject = draft.scenes[0].image if len(draft.scenes) == 1 else "the scenes"
    found = (f"cannot be split into {parts} parts with gaps of one chip ({settings.size} px) "
             "between them")
    if settings.block is not None and settings.block > 1:
        return PlanError(subject, f"{found} and blocks of {settings.block} chips",
                         "Leave block to geoseg, or use smaller chips")
    if not _STEP <= fits < settings.size:
        return PlanError(subject, found, "Give more scenes, or set a split's share to 0")
    return PlanError(subject, found, f"Use chips of {fits} px or smaller, give more scenes, or "
                     "set a split's share to 0")
