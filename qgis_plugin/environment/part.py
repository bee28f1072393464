"""A listener for one part of the work: its 0 to 1 is a stretch of the whole."""

from __future__ import annotations

import re
from typing import Any


class Part:
    """Passes everything on to a listener, and progress as a stretch of the whole.

    Args:
        listener: The listener of the whole.
        start: Where the part begins, 0 to 1.
        end: Where it ends.
    """

    def __init__(self, listener: Any, start: float, end: float) -> None:
        self._listener, self._start, self._end = listener, start, end

    def is_cancelled(self) -> bool:
        """Return whether the user wants to stop."""
        return self._listener.is_cancelled()

    def progress(self, fraction: float, text: str | None = None) -> None:
        """Tell how far this part is."""
        self._listener.progress(self._start + fraction * (self._end - self._start), text)

    def log(self, level: str, text: str) -> None:
        """Pass a line on."""
        self._listener.log(level, text)


class Downloads:
    """Reads from the lines of pip and uv how far the downloads are, weighed by size.

    Args:
        part: Is told of the progress.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._waiting: dict[str, float] = {}
        self._done = 0.0
        self._furthest = 0.0

    def read(self, line: str) -> None:
        """Take one line of the output."""
        begun = _BEGUN.match(line)
        if begun:
            name, number, unit = begun.groups()
            self._waiting[name] = float(number) * _UNITS[unit[0].upper()]
            self._tell(f"Downloading {name} ({number} {unit})")
            return
        ended = _ENDED.match(line)
        if ended:
            self._done += self._waiting.pop(ended.group(1), 0.0)
            largest = max(self._waiting, key=self._waiting.__getitem__, default=None)
            self._tell(f"Downloading {largest}" if largest else "Downloaded")
        elif line.startswith(("Prepared", "Installing collected")):
            self._part.progress(0.9, "Unpacking the packages")
        elif line.startswith(("Installed", "Successfully installed")):
            self._part.progress(1.0, "Packages installed")

    def _tell(self, text: str) -> None:
        everything = self._done + sum(self._waiting.values())
        # Further downloads begin while others go on; the bar shall not run backwards.
        self._furthest = max(self._furthest, 0.9 * self._done / everything if everything else 0.0)
        self._part.progress(self._furthest, text)


_BEGUN = re.compile(r"\s*Downloading (\S+?)(?:-\d\S*)? \(([\d.]+) ?([kKMG]?i?B|bytes)\)")
_ENDED = re.compile(r" Downloaded (\S+)")
_UNITS = {"B": 1e-6, "K": 1e-3, "M": 1.0, "G": 1e3}
