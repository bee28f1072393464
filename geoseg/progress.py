"""Progress reporting: one callable type that every verb accepts.

A `Progress` takes the fraction done (0 to 1) and a short message. To cancel a verb, raise
`geoseg.errors.Cancelled` inside the callback; the verb cleans up and lets it through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Progress = Callable[[float, str], None]
T = TypeVar("T")


def silent(fraction: float, message: str) -> None:
    """Report nothing; the default of every verb."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Return a progress whose 0 to 1 fills `start` to `stop` of the given one."""

    def report(fraction: float, message: str) -> None:
        progress(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return report


def track(items: Collection[T], progress: Progress, message: str) -> Iterator[T]:
    """Yield the items of a sized collection, reporting before each and once at the end."""
    total = max(len(items), 1)
    for done, item in enumerate(items):
        progress(done / total, message)
        yield item
    progress(1.0, message)


class ConsoleBar:
    """A progress bar on standard error, as a context manager that is itself a `Progress`."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ConsoleBar:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("[bold]{task.fields[title]}"), BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), TextColumn("·"),
            TimeRemainingColumn(compact=True), TextColumn("{task.description}"),
            console=Console(stderr=True), transient=False,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=1.0, title=self._title)
        return self

    def __call__(self, fraction: float, message: str) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=fraction, description=message)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            # A bar that stands still would only distract from the error below it.
            self._bar.live.transient = kind is not None
            self._bar.stop()
