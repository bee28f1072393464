"""What may be set when coastlines are measured, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geoseg.coast.dated import Side
from geoseg.errors import GeosegError


@dataclass(frozen=True, slots=True)
class Options:
    """How coastlines are measured; all lengths in metres."""

    days: int | None
    """Largest difference of dates; None if dates are not matched."""
    within: tuple[float, ...]
    """Distances for which shares are told, rising."""
    max_distance: float | None
    """Distance beyond which a sample has no counterpart; None for no limit."""
    penalty: float | None
    """What counts where the reference has no line within `max_distance`; None for no such score."""
    land: Side | None
    """Side of the lines on which the land lies; None if unknown."""
    step: float
    """Largest distance of samples along a line."""
    block: float | None
    """Length of the blocks drawn for intervals; None if it is found from the errors."""
    seed: int
    """Of the random numbers for intervals."""

    def check(self) -> None:
        """Check that all is in range.

        Raises:
            GeosegError: An option is out of range.
        """
        if self.days is not None and self.days < 0:
            raise GeosegError("days", f"is {self.days}", "Give 0 or more")
        if not self.within:
            raise GeosegError("within", "names no distance", "Give at least one, such as 10")
        lengths = [("within", value) for value in self.within] + [
            ("maximum distance", self.max_distance), ("step", self.step), ("block", self.block)]
        for name, value in lengths:
            if value is not None and not (math.isfinite(value) and value > 0):
                raise GeosegError(name, f"is {value:g}", "Give metres above 0")
        if self.land not in ("left", "right", None):
            raise GeosegError("land", f"is {self.land!r}", "Give left or right")
        if self.penalty is None:
            return
        if self.max_distance is None:
            raise GeosegError("penalty", "is given without a maximum distance",
                              "Give the distance beyond which the reference counts as missed")
        if not (math.isfinite(self.penalty) and self.penalty >= 0):
            raise GeosegError("penalty", f"is {self.penalty:g}", "Give metres, 0 or more")
