"""How fast a coast moves along one transect: a line through dated positions, and what it hides.

Positions are metres along the transect, growing seaward; times are decimal years. A rate is the
slope of the (weighted) least-squares line. Nothing here knows of maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

DAYS_PER_YEAR = 365.2425
"""Of the Gregorian calendar, in the mean."""
LEAST_FOR_OUTLIERS = 6
"""Fewer positions cannot tell which of them is odd."""
LEAST_FOR_MEMORY = 10
"""Fewer positions cannot tell how much each resembles the one before."""

_MAD_TO_SD = 1.4826
_LEAST_SCALE = 0.01
"""Metres; no coastline is known better, so smaller residuals are never odd."""
_ROUNDING = 1e-20


@dataclass(frozen=True, slots=True)
class Fit:
    """A straight line through positions over time."""

    year: float
    """Weighted mean of the decimal years: where the line is known best."""
    level: float
    """Position of the line then, m."""
    rate: float
    """Slope, m per year, positive seaward."""
    error: float | None
    """Standard error of the rate, m per year; None if too few positions tell it."""
    level_error: float | None
    """Standard error of `level`, m."""
    degrees: float
    """Degrees of freedom that the errors were estimated with."""
    r2: float | None
    """Share of the (weighted) variance that the line explains, 0..1; None where nothing varies."""
    memory: float
    """Correlation of each residual with the one before, -1..1; 0 if there are too few to tell."""
    effective: float
    """As how many independent positions they count, at most as many as there are."""

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """Return lower and upper end of the rate's t interval, m per year."""
        if self.error is None:
            return None
        half = self._quantile(confidence) * self.error
        return self.rate - half, self.rate + half

    def p_value(self) -> float | None:
        """Return the two-sided probability of such a rate if the coast stood still."""
        if self.error is None:
            return None
        if self.error == 0:
            return 0.0 if self.rate else 1.0
        return float(2 * stats.t.sf(abs(self.rate) / self.error, self.degrees))

    def at(self, years: np.ndarray) -> np.ndarray:
        """Return the line's positions (n,) in m at decimal years (n,)."""
        return self.level + self.rate * (np.asarray(years) - self.year)

    def half_width(self, years: np.ndarray, confidence: float) -> np.ndarray | None:
        """Return half the width (n,) in m of the line's confidence band at decimal years (n,)."""
        if self.error is None or self.level_error is None:
            return None
        distance = np.asarray(years) - self.year
        return self._quantile(confidence) * np.hypot(self.level_error, self.error * distance)

    def _quantile(self, confidence: float) -> float:
        return float(stats.t.ppf((1 + confidence) / 2, self.degrees))


@dataclass(frozen=True, slots=True)
class Rate:
    """What happened on one transect by one source; lengths in m, positive seaward."""

    n: int
    """Positions that count."""
    outliers: int
    """Positions that were found odd and do not."""
    first: np.datetime64 | None
    """Date of the first position that counts."""
    last: np.datetime64 | None
    """Date of the last."""
    fit: Fit | None
    """Line through them; None below two positions."""
    net_movement: float | None
    """Last position minus first."""
    envelope: float | None
    """Most seaward position minus most landward."""
    confidence: float
    """Of the interval, 0..1."""

    @property
    def span_years(self) -> float | None:
        """Years from first to last."""
        if self.first is None or self.last is None:
            return None
        return float((self.last - self.first).astype(int)) / DAYS_PER_YEAR

    @property
    def end_point_rate(self) -> float | None:
        """Net movement over the years between."""
        if self.net_movement is None or not self.span_years:
            return None
        return self.net_movement / self.span_years

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end of the rate's confidence interval."""
        return None if self.fit is None else self.fit.interval(self.confidence)

    @property
    def p_value(self) -> float | None:
        """Probability of such a rate if the coast stood still."""
        return None if self.fit is None else self.fit.p_value()

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out a coast that stands still."""
        p_value = self.p_value
        return p_value is not None and p_value < 1 - self.confidence


def decimal_years(dates: np.ndarray) -> np.ndarray:
    """Return dates, datetime64 (n,), as float years (n,): 1970 plus days over 365.2425."""
    days = np.asarray(dates).astype("datetime64[D]").astype(np.int64)
    return np.asarray(1970.0 + days / DAYS_PER_YEAR)


def find_outliers(years: np.ndarray, positions: np.ndarray, limit: float) -> np.ndarray:
    """Return which positions lie oddly far from the line that most of them follow.

    The line is Theil and Sen's (the median of the slopes between all pairs; Sen 1968), which odd
    positions hardly move. A position is odd if its residual differs from the median residual by
    more than `limit` times 1.4826 times the median absolute deviation, with `limit` = 3.5 as
    Iglewicz and Hoaglin (1993) advise.

    Args:
        years: Decimal years (n,).
        positions: Metres (n,).
        limit: In standard deviations; 0 for no outliers at all.

    Returns:
        bool (n,); all false for fewer than six positions.
    """
    years, positions = np.asarray(years, float), np.asarray(positions, float)
    if limit == 0 or len(years) < LEAST_FOR_OUTLIERS or np.ptp(years) == 0:
        return np.zeros(len(years), dtype=bool)
    residuals = positions - stats.theilslopes(positions, years).slope * years
    away = np.abs(residuals - np.median(residuals))
    return np.asarray(away > limit * max(_MAD_TO_SD * float(np.median(away)), _LEAST_SCALE))


def fit_line(years: np.ndarray, positions: np.ndarray, sigmas: np.ndarray | None = None, *,
             independent: bool = False) -> Fit:
    """Fit a line by least squares, weighted by 1/sigma² where sigmas are given.

    The variance of the residuals (in units of the sigmas) is estimated from them. With sigmas it
    counts as 1 at least: positions never tell the rate better than their own errors allow, and a
    beach that comes and goes by more than these errors widens the interval (the larger of the two
    errors, after Birge 1932).

    Positions close in time resemble each other, and count for fewer then: with r, the correlation
    of each residual with the one before, n of them count as n (1 - r) / (1 + r) in both the
    variance and the degrees of freedom (Santer et al. 2000). Below ten positions r is not told
    from chance and not used, nor is an r below 0.

    Args:
        years: Decimal years (n,), ascending, not all the same.
        positions: Metres (n,).
        sigmas: Standard deviations (n,) of the positions in m, above 0; None if not known.
        independent: Whether positions are taken for independent of each other, whatever r.
    """
    years, positions = np.asarray(years, float), np.asarray(positions, float)
    n = len(years)
    weights = np.ones(n) if sigmas is None else np.asarray(sigmas, float) ** -2.0
    total = weights.sum()
    year, level = weights @ years / total, weights @ positions / total
    x, y = years - year, positions - level
    sxx, syy = weights @ x**2, weights @ y**2
    rate = float(weights @ (x * y) / sxx)
    residuals = (y - rate * x) * np.sqrt(weights)
    squares = float(residuals @ residuals)
    if squares <= _ROUNDING * syy:  # a perfect fit leaves nothing but noise of the arithmetic
        residuals, squares = np.zeros(n), 0.0
    memory = _memory(residuals)
    effective = n * (1 - memory) / (1 + memory) if memory > 0 and not independent else float(n)
    degrees = effective - 2
    error = level_error = None
    if degrees >= 1:
        variance = squares / degrees
        if sigmas is not None:
            variance = max(variance, 1.0)
        error, level_error = math.sqrt(variance / sxx), math.sqrt(variance / total)
    return Fit(float(year), float(level), rate, error, level_error, degrees,
               1 - squares / float(syy) if syy > 0 else None, memory, effective)


def _memory(residuals: np.ndarray) -> float:
    """Return the correlation of each residual with the one before, 0 if that cannot be told."""
    squares = float(residuals @ residuals)
    if len(residuals) < LEAST_FOR_MEMORY or squares == 0:
        return 0.0
    return float(residuals[:-1] @ residuals[1:]) / squares


def measure_rate(dates: np.ndarray, positions: np.ndarray, sigmas: np.ndarray | None,
                 outlier: np.ndarray, *, confidence: float, independent: bool) -> Rate:
    """Return what happened on one transect.

    Args:
        dates: datetime64[D] (n,), each once, in any order; n may be 0.
        positions: Metres (n,) along the transect.
        sigmas: Their standard deviations (n,) in m, or None.
        outlier: bool (n,): positions that do not count.
        confidence: Of the interval, 0..1.
        independent: See `fit_line`.
    """
    keep = np.flatnonzero(~outlier)
    keep = keep[np.argsort(dates[keep], kind="stable")]
    odd = int(outlier.sum())
    if not len(keep):
        return Rate(0, odd, None, None, None, None, None, confidence)
    days, metres = dates[keep], positions[keep]
    first, last = days[0], days[-1]
    if len(keep) == 1:
        return Rate(1, odd, first, last, None, None, None, confidence)
    fit = fit_line(decimal_years(days), metres, None if sigmas is None else sigmas[keep],
                   independent=independent)
    return Rate(len(keep), odd, first, last, fit, float(metres[-1] - metres[0]),
                float(np.ptp(metres)), confidence)
