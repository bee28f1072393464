"""The learning rate as a function of the step."""

from __future__ import annotations

import math

_WARM_UP = 0.15
_START = 1 / 25
_END = 1e-4


def one_cycle(step: int, steps: int) -> float:
    """Return the factor on the peak learning rate at a step of a one-cycle schedule.

    Cosine from 1/25 of the peak up to it over the first 15 % of the steps, then cosine down to a
    ten-thousandth (Smith & Topin 2018, "Super-convergence", in the cosine form of fastai).

    Args:
        step: 0 .. steps - 1.
        steps: All steps.
    """
    rise = max(1.0, _WARM_UP * steps - 1)
    if step <= rise:
        return _between(_START, 1.0, step / rise)
    return _between(1.0, _END, (step - rise) / max(1.0, steps - 1 - rise))


def _between(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
