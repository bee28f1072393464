"""How sure a mean distance is, when neighbours along a shore err alike: a block bootstrap."""

from __future__ import annotations

import numpy as np
from scipy import stats

LEVEL = 0.95
"""Share of intervals that should hold the true mean."""
RESAMPLES = 10_000
FEWEST = 5
"""Blocks below which no interval is given: so few say nothing of their spread."""

_BATCH = 4_000_000
_SAME = 1e-6
"""Metres by which errors may differ and still be the same: rounding."""


def correlation_length(deviations: np.ndarray, spacing: float) -> float:
    """Return over how many metres errors along a shore are alike: their integral scale.

    It is the integral of the autocorrelation from lag 0 to the first lag where that is not
    positive; half the spacing for errors that have nothing to do with their neighbours, and for
    those that do not differ.

    Args:
        deviations: What the errors (n,) differ from the mean, of this shore or of all, in metres,
            in their order along the shore.
        spacing: Metres from one to the next, on average.
    """
    count = len(deviations)
    size = 2 ** int(np.ceil(np.log2(2 * count)))  # zeros behind, or ends would meet
    power = np.abs(np.fft.rfft(deviations, size)) ** 2
    covariance = np.fft.irfft(power, size)[:count]
    if covariance[0] <= count * _SAME ** 2:
        return spacing / 2
    correlation = covariance / covariance[0]
    falls = np.flatnonzero(correlation <= 0)
    until = int(falls[0]) if falls.size else count
    return spacing * (0.5 + float(correlation[1:until].sum()))


def block_length(correlation: float, extent: float) -> float:
    """Return the length of blocks, in metres, that suits a shore: (correlation² × extent)^(1/3).

    Shorter blocks cut what belongs together, longer ones leave too few. For fixed blocks the sum of
    both errors is least at (2 G² / D)^(1/3) × extent^(1/3) (Künsch 1989, Lahiri 1999, Politis and
    White 2004), with G the sum of lag × autocovariance and D twice the squared sum of
    autocovariances. For a correlation that falls exponentially this is the formula above, whatever
    the spacing of the samples.

    Args:
        correlation: Correlation length in metres.
        extent: Length of shore sampled, in metres.
    """
    return float(np.cbrt(correlation ** 2 * extent))


def mean_interval(totals: np.ndarray, counts: np.ndarray, seed: int) -> tuple[float, float] | None:
    """Return the interval that holds the true mean in 95 of 100 cases, about.

    Whole blocks are drawn with replacement, as many as there are, and averaged over all that they
    hold; the interval lies between two percentiles of such means. Resampling blocks keeps what
    values inside a block have in common (fixed blocks: Carlstein 1986; overlapping ones: Künsch
    1989; of random length: Politis and Romano 1994). Few blocks spread less than what they are
    drawn from, so the percentiles lie farther out than 2.5 and 97.5, by as much as a t interval
    is wider than one of the normal distribution (Hesterberg 2015).

    Args:
        totals: Sum of the values in each block (k,).
        counts: Number of values in each block (k,), above 0.
        seed: Of the random numbers.

    Returns:
        Lower and upper end; None for fewer than 5 blocks.
    """
    blocks = len(totals)
    if blocks < FEWEST:
        return None
    random = np.random.default_rng(seed)
    means = []
    batch = max(1, _BATCH // blocks)
    for done in range(0, RESAMPLES, batch):
        drawn = random.integers(blocks, size=(min(batch, RESAMPLES - done), blocks))
        means.append(totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    reach = stats.t.ppf((1 + LEVEL) / 2, blocks - 1) * np.sqrt(blocks / (blocks - 1))
    low, high = np.quantile(np.concatenate(means), stats.norm.cdf([-reach, reach]))
    return float(low), float(high)
