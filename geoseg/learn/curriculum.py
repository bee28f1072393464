"""From easy chips to all: the chance of each chip to be drawn, as a function of the step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd

_EASIEST = 0.25
"""Share of the chips that training begins with."""


def make_chances(chips: gpd.GeoDataFrame, steps: int, share: float, *, overlapping: bool
                 ) -> Callable[[int], np.ndarray]:
    """Return the function from a step to the chances of the training chips.

    Args:
        chips: The training rows of a chip plan.
        steps: All steps.
        share: Share of the steps over which harder chips join; 0 draws from all by their weights.
        overlapping: Whether classes overlap.
    """
    columns = [name for name in chips.columns if str(name).startswith("share_")]
    shares = chips[columns].to_numpy(dtype=float)
    return partial(chances, steps=steps, share=share,
                   weights=chips["weight"].to_numpy(dtype=float),
                   difficulty=mixture(shares, overlapping=overlapping))


def chances(step: int, *, steps: int, share: float, weights: np.ndarray, difficulty: np.ndarray
            ) -> np.ndarray:
    """Return the chance of each chip to be drawn at a step.

    Curriculum learning (Bengio et al. 2009): the pool begins with the easiest quarter of the chips
    and grows linearly to all of them. Chips of one difficulty join together, so the order of the
    chips has no influence. Within the pool a chip is drawn by its weight.

    Args:
        step: 0 .. steps - 1.
        steps: All steps.
        share: Share of the steps over which the pool grows; 0 for all chips from the start.
        weights: float (chips,): relative chances, at least one above zero.
        difficulty: float (chips,).

    Returns:
        float64 (chips,): sum 1, zero outside the pool.
    """
    if step < share * steps:
        drawn = np.sort(difficulty[weights > 0])
        grown = _EASIEST + (1 - _EASIEST) * step / (share * steps)
        hardest = drawn[min(int(np.ceil(grown * len(drawn))), len(drawn)) - 1]
        weights = np.where(difficulty <= hardest, weights, 0.0)
    return np.asarray(weights / weights.sum())


def mixture(shares: np.ndarray, *, overlapping: bool) -> np.ndarray:
    """Return how mixed the classes of chips are: 0 where all pixels agree.

    Args:
        shares: float (chips, classes) in 0..1: share of each class among the labelled pixels.
        overlapping: Whether classes overlap.

    Returns:
        float (chips,): entropy in nats of the classes; of overlapping ones, the mean entropy of
        each class and its absence.
    """
    shares = np.clip(shares, 0.0, 1.0)
    if overlapping:
        return np.asarray((entr(shares) + entr(1 - shares)).mean(axis=1))
    return np.asarray(entr(shares).sum(axis=1))
