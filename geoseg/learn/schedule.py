"""The learning rate, as a factor on its peak: a pure function of the step and past validations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geoseg.recipe import TrainRecipe

_START = 1 / 25
_END = 1e-4


def rate_factor(settings: TrainRecipe, step: int, epoch: float, scores: Sequence[float]) -> float:
    """Return the factor on the peak learning rate that a recipe's schedule sets at a step.

    Args:
        settings: Names the schedule and its parameters.
        step: 0 .. settings.steps - 1.
        epoch: Epochs done before this step; one has as many crops as there are training chips.
        scores: Of all validations so far, higher is better.

    Returns:
        In 0..1.
    """
    match settings.schedule:
        case "one-cycle":
            return one_cycle(step, settings.steps, settings.warm_up)
        case "cosine":
            return cosine(step, settings.steps)
        case "plateau":
            return plateau(scores, settings.decay_every, settings.decay_factor)
        case "step":
            return step_decay(epoch, settings.decay_start, settings.decay_every,
                              settings.decay_factor)
        case "constant":
            return 1.0


def one_cycle(step: int, steps: int, warm_up: float = 0.15) -> float:
    """Rise in a cosine from 1/25 of the peak, then fall in a cosine to a ten-thousandth.

    Smith & Topin 2018, "Super-convergence", in the cosine form of fastai.

    Args:
        step: 0 .. steps - 1.
        steps: All steps.
        warm_up: Share of the steps over which the rate rises; 0 starts at the peak.
    """
    rise = max(1.0, warm_up * steps - 1) if warm_up else 0.0
    if step < rise:
        return _between(_START, 1.0, step / rise)
    return _between(1.0, _END, (step - rise) / max(1.0, steps - 1 - rise))


def cosine(step: int, steps: int) -> float:
    """Fall in half a cosine from the peak to zero, which a further step would reach.

    Loshchilov & Hutter 2017, "SGDR", without its restarts.
    """
    return _between(1.0, 0.0, step / steps)


def plateau(scores: Sequence[float], wait: float, factor: float) -> float:
    """Fall by a factor whenever so many validations in a row have not beaten the best.

    Args:
        scores: Of all validations so far, higher is better.
        wait: Validations without improvement before the rate falls, and before it falls again.
        factor: Factor on the rate each time.
    """
    best, stale, falls = -math.inf, 0, 0
    for score in scores:
        if score > best:
            best, stale = score, 0
        else:
            stale += 1
        if stale >= wait:
            falls, stale = falls + 1, 0
    return factor ** falls


def step_decay(epoch: float, start: float, every: float, factor: float) -> float:
    """Fall by a factor at each multiple of some epochs, once a number of them are done.

    With the epochs e counted from one, as in the report on land cover from OpenStreetMap:
    lr(e + 1) = factor * lr(e) if e >= start and e is a multiple of `every`, else lr(e).

    Args:
        epoch: Epochs done; 2.5 is in the middle of the third.
        start: Epochs without decay.
        every: Epochs between decays.
        factor: Factor on the rate at each.
    """
    first = max(1, math.ceil(start / every))
    return factor ** max(0, math.floor(epoch / every) - first + 1)


def _between(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
