"""Splitting chips in space: windows, blocks, which block goes where, and the gap between splits.

Neighbouring pixels look alike, so a random split of chips tells how well a network remembers, not
how well it maps new ground (Roberts et al. 2017, Ecography 40, 913-929). Here whole blocks of
chips go to one split, and chips nearer than the gap to another split are left out.

Everything here is arrays: chips are rows, splits are 0 (train), 1 (val), 2 (test), -1 (left out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRAIN, VAL, TEST, LEFT_OUT = 0, 1, 2, -1
"""Numbers of the splits, and of the chips in the gaps between them."""

_BLOCK = 8
_BLOCKS_WANTED = 24
_PLACES_ENOUGH = 5
_WEIGHT_RANGE = 10.0
_SCARCE = 0.4
"""Part of its fair share below which a class counts as hardly there."""


def regular_windows(width: int, height: int, size: int, stride: int) -> np.ndarray:
    """Cover a scene with square chips; the last column and row are moved in to end at its edge.

    A rest narrower than a quarter chip stays uncovered, since its chips would be near copies of
    their neighbours.

    Args:
        width: Columns of the scene, at least `size`.
        height: Rows of the scene, at least `size`.
        size: Side of a chip in pixels.
        stride: Pixels from one chip to the next.

    Returns:
        int (chips, 4): column, row, width, height, by row, then column.
    """
    columns, rows = _starts(width, size, stride), _starts(height, size, stride)
    row, column = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    side = np.full_like(row, size)
    return np.stack([column, row, side, side], axis=1)


def _starts(length: int, size: int, stride: int) -> np.ndarray:
    starts = np.arange(0, length - size + 1, stride)
    rest = length - size - int(starts[-1])
    return np.append(starts, length - size) if rest >= min(stride, size) / 4 else starts


def random_windows(width: int, height: int, size: int, count: int,
                   rng: np.random.Generator) -> np.ndarray:
    """Draw square chips evenly over a scene, sorted by row, then column; they may overlap.

    Args:
        width: Columns of the scene, at least `size`.
        height: Rows of the scene, at least `size`.
        size: Side of a chip in pixels.
        count: How many.
        rng: Generator.

    Returns:
        int (count, 4): column, row, width, height.
    """
    row = rng.integers(height - size + 1, size=count)
    column = rng.integers(width - size + 1, size=count)
    order = np.lexsort((column, row))
    side = np.full(count, size)
    return np.stack([column[order], row[order], side, side], axis=1)


def spatial_blocks(centres: np.ndarray, places: np.ndarray, size: int,
                   block: int | None = None) -> np.ndarray:
    """Number the spatial block that each chip belongs to.

    Each place (scenes that touch or overlap) has its own square grid of blocks. Blocks are eight
    chips a side. Where that makes fewer than 24 blocks they shrink, down to two chips a side;
    with five places or more one block per place is enough, so small scenes then stay whole.

    Args:
        centres: float (chips, 2): x, y of the chips in pixels of a common plane.
        places: int (chips,): place of each chip.
        size: Side of a chip in pixels.
        block: Side of a block in chips; None to choose as above.

    Returns:
        int (chips,): block numbers 0, 1, ...
    """
    count = len(np.unique(places))
    wanted = count if count >= _PLACES_ENOUGH else _BLOCKS_WANTED
    origin = np.full((int(places.max()) + 1, 2), np.inf)
    np.minimum.at(origin, places, centres - size / 2)
    offset = centres - origin[places]
    for side in range(block or _BLOCK, 0, -1):
        cells = np.floor(offset / (side * size) + 1e-9).astype(np.int64)
        numbers = np.unique(np.column_stack([places, cells[:, ::-1]]), axis=0,
                            return_inverse=True)[1].reshape(-1)
        found = int(numbers.max()) + 1
        if block or found >= wanted or (side <= 2 and found >= 3):
            break
    return np.asarray(numbers)


@dataclass(frozen=True, slots=True)
class Chips:
    """What the assignment needs to know about each chip."""

    blocks: np.ndarray
    """int (chips,): block of each chip, numbered from 0 without holes."""
    centres: np.ndarray
    """float (chips, 2): x, y in pixels of a common plane."""
    pairs: np.ndarray
    """int (pairs, 2): chips nearer to each other than the gap."""
    usable: np.ndarray
    """int (chips,): pixels with image data and label."""
    present: np.ndarray
    """int (chips, classes): pixels of each class."""


def assign_splits(chips: Chips, wanted: np.ndarray, seed: int) -> np.ndarray | None:
    """Choose a split for each block and leave out the chips that would come too near another.

    Several hundred seeded proposals are compared. In each, testing and validation blocks grow
    around a few random places, more or less stretched, which gives both compact and scattered
    splits. The cheapest is then improved by moving single blocks from split to split. Cheap means:
    little area left out, kept area as wanted, and every class found in every split.

    Args:
        chips: The chips.
        wanted: float (3,): shares of training, validation and test; they add up to one.
        seed: Seed of the proposals.

    Returns:
        int (chips,): 0, 1, 2, or -1 for chips left out; None if a wanted split always stays empty.
    """
    rng = np.random.default_rng(seed)
    size = np.bincount(chips.blocks, weights=chips.usable)
    count = np.bincount(chips.blocks)
    centres = np.stack([np.bincount(chips.blocks, weights=chips.centres[:, axis]) / count
                        for axis in (0, 1)], axis=1)
    across = chips.pairs[chips.blocks[chips.pairs[:, 0]] != chips.blocks[chips.pairs[:, 1]]]
    best, lowest = np.zeros(0, dtype=np.int8), np.inf
    tries = _tries(len(chips.blocks) + len(across))
    for number in range(2 * tries):
        proposal = (_propose(centres, size, wanted, rng) if number < tries or np.isinf(lowest)
                    else _move_block(best, wanted, rng))
        cost = _cost(leave_gap(proposal[chips.blocks], across), chips, wanted)
        if cost < lowest:
            best, lowest = proposal, cost
    return None if np.isinf(lowest) else leave_gap(best[chips.blocks], across)


def _tries(work: int) -> int:
    """Proposals that take a few seconds, as a function of the chips and pairs to look at."""
    return int(np.clip(20_000_000 // max(work, 1), 100, 1000))


def _propose(centres: np.ndarray, size: np.ndarray, wanted: np.ndarray,
             rng: np.random.Generator) -> np.ndarray:
    """Propose a split for each block: held-out blocks gather around a few random ones."""
    split = np.zeros(len(size), dtype=np.int8)
    scale = np.exp(rng.uniform(-2, 2, size=2))
    # Left-out chips shrink training most, so fewer held-out blocks than wanted may be right.
    generosity = rng.uniform(0.5, 1.1)
    for part in (TEST, VAL):
        free = np.flatnonzero(split == TRAIN)
        if wanted[part] == 0 or len(free) < 2:
            continue
        seeds = rng.choice(free, size=min(int(rng.integers(1, 9)), len(free)), replace=False)
        distance = np.linalg.norm((centres[free, None] - centres[None, seeds]) * scale, axis=2)
        order = free[np.argsort(distance.min(axis=1), kind="stable")]
        filled = np.cumsum(size[order]) - size[order] / 2
        chosen = filled < generosity * wanted[part] * size.sum()
        chosen[0] = True
        split[order[chosen]] = part
    return split


def _move_block(split: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a random block to a random split, or let two random blocks change places."""
    split = split.copy()
    first, second = rng.integers(len(split), size=2)
    if rng.random() < 0.5:
        split[first] = rng.choice(np.flatnonzero(wanted))
    else:
        split[first], split[second] = split[second], split[first]
    return split


def leave_gap(split: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Leave out chips that are too near another split: validation next to test, then training.

    Args:
        split: int (chips,): 0, 1 or 2.
        pairs: int (pairs, 2): chips nearer to each other than the gap.

    Returns:
        int (chips,): the same with -1 for chips left out; no pair then has two splits.
    """
    split = split.copy()
    for loser in (VAL, TRAIN):
        first, second = split[pairs[:, 0]], split[pairs[:, 1]]
        split[pairs[(first == loser) & (second > loser), 0]] = LEFT_OUT
        split[pairs[(second == loser) & (first > loser), 1]] = LEFT_OUT
    return split


def _cost(split: np.ndarray, chips: Chips, wanted: np.ndarray) -> float:
    kept = np.array([chips.usable[split == part].sum() for part in (TRAIN, VAL, TEST)], float)
    if (kept[wanted > 0] == 0).any():
        return np.inf
    present = np.stack([chips.present[split == part].sum(axis=0) for part in (TRAIN, VAL, TEST)])
    everywhere = chips.present.sum(axis=0) > 0
    total = np.maximum(chips.present.sum(axis=0)[everywhere], 1)
    fair = present[:, everywhere][wanted > 0] / total / wanted[wanted > 0, None]
    scarce = np.clip(1 - fair / _SCARCE, 0, 1)
    return float(np.abs(kept / kept.sum() - wanted).sum()
                 + 1.5 * (1 - kept.sum() / chips.usable.sum())
                 + 0.2 * np.abs(fair - 1).mean(axis=1).sum()
                 + scarce.sum() + 3 * (fair[0] == 0).sum())


def sampling_weights(shares: np.ndarray, pixels: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """Return how often each chip should be drawn so that rare classes are seen more often.

    A chip's weight is the square root of its pixels' mean of 1 / (share of what the pixel shows
    in all training chips), taken for each class and its absence; the square root and a cut at a
    factor of ten keep a few chips from being drawn all the time.

    Args:
        shares: float (chips, classes) in 0..1: share of each class among the labelled pixels.
        pixels: int (chips,): usable pixels of each chip.
        is_train: bool (chips,): which chips train.

    Returns:
        float (chips,): weights, at most a factor of 10 apart; mean 1 over the training chips.
    """
    common = pixels[is_train] @ shares[is_train] / max(pixels[is_train].sum(), 1)
    with_absence = np.hstack([shares, 1 - shares])
    common = np.maximum(np.hstack([common, 1 - common]), 1e-6)
    weight = np.sqrt((with_absence / common).mean(axis=1))
    middle, reach = np.median(weight[is_train]), np.sqrt(_WEIGHT_RANGE)
    weight = np.clip(weight, middle / reach, middle * reach)
    return np.asarray(weight / weight[is_train].mean())
