"""Tables as aligned text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return lines of cells as text: the first columns to the left, numbers to the right.

    Args:
        lines: The head and the rows, all of one length.
        words: How many of the first columns hold words.
    """
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i < words else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines)
