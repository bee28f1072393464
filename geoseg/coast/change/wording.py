"""What the page of coastline change says in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from geoseg.coast.change.found import Change, SourceChange

_FEW_YEARS = 10.0
_MUCH_MEMORY = 0.2
_SAME_TIME = 0.1
"""Share of the time from first to last by which periods may differ and count as the same."""


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign, − being a real minus, or "n/a"."""
    if value is None:
        return "n/a"
    text = f"{value:+.{digits}f}"
    return (text.lstrip("+-") if float(text) == 0 else text).replace("-", "−")


def percent_of(share: float) -> str:
    """Return a share as a percentage, such as "95 %"."""
    return f"{share * 100:.4g} %"


def lead(change: Change) -> list[str]:
    """Return a sentence per source, and one for each two of them that can be compared."""
    return [_of_source(source, change) for source in change.sources] + [
        text for first, second in combinations(change.sources, 2)
        if (text := _of_two(first, second))]


def _of_source(source: SourceChange, change: Change) -> str:
    first, last = source.period
    sure = source.significant
    seaward = sum(rate.fit is not None and rate.fit.rate > 0 for rate in sure)
    known = sum(rate.interval is not None for rate in source.rates)
    head = f"{source.name} ({first} to {last}): "
    if known == 0:
        return head + "too few dates on every transect to say how certain its movement is."
    sides = [f"{count} {side}" for count, side in ((len(sure) - seaward, "landward"),
                                                   (seaward, "seaward")) if count]
    moved = (f"{len(sure)} of {known} transects move{'s' if len(sure) == 1 else ''} significantly "
             f"({', '.join(sides)})" if sure else
             f"none of {known} transects moves significantly" if known > 1 else
             "its transect does not move significantly")
    return (f"{head}{moved} at {percent_of(change.confidence)} confidence; the median rate is "
            f"{signed(source.median_rate)} m per year.")


def _of_two(first: SourceChange, second: SourceChange) -> str | None:
    pairs = [(a, b) for a, b in zip(first.rates, second.rates, strict=True)
             if a.fit is not None and b.fit is not None]
    intervals = [(a.interval, b.interval) for a, b in pairs]
    both = [(a, b) for a, b in intervals if a is not None and b is not None]
    if not both:
        return None
    apart = float(np.median([abs(a.fit.rate - b.fit.rate) for a, b in pairs
                             if a.fit is not None and b.fit is not None]))
    overlap = sum(a[0] <= b[1] and b[0] <= a[1] for a, b in both)
    return (f"Rates of {first.name} and {second.name} are {apart:.2f} m per year apart in the "
            f"median; their intervals overlap on {overlap} of {len(both)} transects.")


def caveats(change: Change) -> Iterator[str]:
    """Yield what the numbers do not say."""
    yield from _about_time(change)
    tests = sum(rate.interval is not None for source in change.sources for rate in source.rates)
    chance = tests * (1 - change.confidence)
    if chance >= 1:
        yield (f"Of {tests} rates, about {chance:.0f} would come out as movement by chance alone, "
               "were the coast standing still.")
    plain = [source.name for source in change.sources if not source.weighted]
    if plain:
        yield f"No errors of single positions are known ({_list(plain)}): all dates count alike."
    for source in change.sources:
        yield from _about_source(source)
    yield from _about_memory(change)


def _about_time(change: Change) -> Iterator[str]:
    starts, ends = zip(*(source.period for source in change.sources), strict=True)
    apart = max(max(starts) - min(starts), max(ends) - min(ends))
    if apart > _SAME_TIME * (max(ends) - min(starts)):
        yield ("The sources do not span the same time, so their rates need not agree; give a "
               "start and an end that they share to compare them.")
    short = [source.name for source in change.sources
             if (source.period[1] - source.period[0]).astype(int) < _FEW_YEARS * 365]
    if short:
        yield (f"Fewer than {_FEW_YEARS:.0f} years ({_list(short)}) tell of storms, seasons and "
               "nourishment as much as of a trend: do not extend such a rate into the future.")


def _about_source(source: SourceChange) -> Iterator[str]:
    found = source.crossings
    if source.kind == "line" and not source.corrected:
        yield (f"{source.name}: lines lie where the water stood. Without water levels and the "
               "slope of the beach, each metre of tide moves them by 1 / slope metres.")
    total = len(found.date)
    if source.outlier.any():
        yield (f"{source.name}: positions that lie oddly far from the rest and do not count "
               f"(crosses in the charts): {int(source.outlier.sum()):,} of {total:,}; a storm can "
               "look like that too.")
    several = int((found.meetings > 1).sum())
    if several:
        yield (f"{source.name}: positions chosen among several of their date: {several:,} of "
               f"{total:,}.")
    if found.too_far:
        yield f"{source.name}: points too far from their transect, left out: {found.too_far:,}."
    if source.undated:
        yield f"{source.name}: features without a date, left out: {source.undated:,}."
    bare = sum(rate.n == 0 for rate in source.rates)
    if bare:
        yield f"{source.name}: transects that are not met: {bare:,} of {len(source.rates):,}."


def _about_memory(change: Change) -> Iterator[str]:
    memories = [rate.fit.memory for source in change.sources for rate in source.rates
                if rate.fit is not None]
    if memories and max(memories) > _MUCH_MEMORY:
        yield ("Positions close in time resemble each other (correlation of one residual with the "
               f"next up to {max(memories):.2f}). " + (
                   "The intervals take them for independent, as asked for, and are too narrow."
                   if change.independent else "The intervals allow for it."))


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
