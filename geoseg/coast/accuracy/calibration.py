"""Whether the standard deviations that lines carry are true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoseg.coast.accuracy.errors import Errors

ONE_SIGMA = 0.6827
"""Share of a normal distribution within one standard deviation."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the distances compare with the standard deviations of the lines."""

    samples: int
    """How many samples of the reference lie nearest to a line with a standard deviation."""
    within: float
    """Share 0 to 1 of these within one standard deviation of the line; 0.68 if all is well."""
    factor: float
    """What the standard deviations are to be multiplied by so that it is 0.68: give it to
    `trace_coastline` as `sigma_factor`, best found on another stretch or date than it is used on.
    """


def calibrate(errors: Sequence[Errors]) -> Calibration | None:
    """Compare distances from the reference with the standard deviations of the nearest lines.

    Args:
        errors: Errors from the reference to the lines.

    Returns:
        None if no line that counts has a standard deviation.
    """
    known = [item for item in errors if item.sigma is not None]
    if not known:
        return None
    sigma = np.concatenate([item.sigma[item.counts] for item in known if item.sigma is not None])
    distance = np.concatenate([item.counted for item in known])
    there = sigma > 0  # also leaves out NaN
    if not there.any():
        return None
    ratio = distance[there] / sigma[there]
    return Calibration(int(there.sum()), float((ratio <= 1).mean()),
                       float(np.quantile(ratio, ONE_SIGMA)))
