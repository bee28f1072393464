"""What all commands share: options, progress bar, errors as sentences."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import click

from geoseg.errors import Cancelled, GeosegError
from geoseg.progress import ConsoleBar, Progress

if TYPE_CHECKING:
    from geoseg.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., object])


def out_option(what: str) -> Callable[[Command], Command]:
    """Return the `-o/--out` option."""
    return click.option("-o", "--out", required=True, type=click.Path(path_type=Path),
                        help=f"{what} to write.")


recipe_option = click.option(
    "--recipe", "-r", required=True, metavar="RECIPE",
    help="Recipe: a TOML file, or a shipped one by name (see `geoseg recipes`).")
optional_recipe_option = click.option(
    "--recipe", "-r", metavar="RECIPE",
    help="Recipe whose settings apply where no option is given.")
settings_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="Change a setting of the recipe, such as train.steps=300. May be repeated.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing result.")
device_option = click.option("--device", default="auto", show_default=True,
                             type=click.Choice(["auto", "cpu", "cuda", "mps"]),
                             help="Where the network runs.")


class _Listed(click.ParamType):  # type: ignore[type-arg]
    """Numbers in one word, which defaults and scripts give as a tuple."""

    separator, example = ",", ""

    def convert(self, value: str | tuple[float, ...], param: click.Parameter | None,
                ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(number) for number in value.split(self.separator))
        except ValueError:
            numbers = ()
        if not self.accepts(numbers):
            self.fail(f"{value!r} is not {self.example}", param, ctx)
        return numbers

    def accepts(self, numbers: tuple[float, ...]) -> bool:
        """Return whether these numbers will do."""
        return bool(numbers)


class Split(_Listed):
    """Three shares written as 70/15/15."""

    name, separator, example = "TRAIN/VAL/TEST", "/", "three shares such as 70/15/15"

    def accepts(self, numbers: tuple[float, ...]) -> bool:
        """Return whether these are three shares of something."""
        return len(numbers) == 3 and min(numbers) >= 0 and sum(numbers) > 0


class Numbers(_Listed):
    """Numbers written as 0.75,1,1.25."""

    name, example = "N,N,...", "numbers such as 0.75,1,1.25"


def thresholds(values: tuple[str, ...]) -> float | dict[str, float] | None:
    """Turn `0.5`, or `water=0.4` given once per class, into what `classify` takes."""
    if not values:
        return None
    try:
        if len(values) == 1 and "=" not in values[0]:
            return float(values[0])
        pairs = (value.rsplit("=", 1) for value in values)
        return {name: float(number) for name, number in pairs}
    except ValueError as error:
        raise click.BadParameter("write --threshold 0.5, or --threshold water=0.4 once per class"
                                 ) from error


def with_settings(recipe: str, settings: tuple[str, ...]) -> Recipe | str:
    """Return what a verb takes as its recipe, with the values of `--set` in it."""
    if not settings:
        return recipe
    from geoseg.class_table import assemble_recipe

    return assemble_recipe(recipe, settings=settings)


@contextmanager
def task(title: str) -> Iterator[Progress]:
    """Run a verb with a progress bar; say errors in one sentence and exit with 1."""
    with sentences(), ConsoleBar(title) as bar, _interrupts() as interrupted:
        def progress(fraction: float, message: str) -> None:
            if interrupted.is_set():
                raise Cancelled
            bar(fraction, message)

        yield progress


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Remember Ctrl-C beside raising KeyboardInterrupt.

    Python drops an exception that comes up inside a finalizer or a weak reference's callback, and
    imports in the middle of the work run many of those; the next report of progress then stops.
    """
    interrupted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def sentences() -> Iterator[None]:
    """Show warnings as notes and errors in one sentence; exit with 1 after an error."""
    log = logging.getLogger("geoseg")
    handler = _Console()
    log.addHandler(handler)
    try:
        yield
    except GeosegError as error:
        _stop(str(error))
    except KeyboardInterrupt:
        _stop(str(Cancelled()))
    except Exception:
        # The last resort: no traceback reaches the user.
        _stop(f"Something went wrong inside geoseg. Please report it with {_crash_report()}.")
    finally:
        log.removeHandler(handler)


class _Console(logging.Handler):
    """Shows warnings above the progress bar."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        click.secho(f"Note: {record.getMessage()}", fg="yellow", err=True)


def _stop(message: str) -> None:
    click.secho(f"Error: {message}", fg="red", err=True)
    sys.exit(1)


def _crash_report() -> Path:
    """Write the traceback to a file and return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="geoseg-error-", suffix=".txt", delete=False,
                                     encoding="utf-8") as file:
        file.write(traceback.format_exc())
        return Path(file.name)


def done(path: Path | str, what: str = "") -> None:
    """Say where the result is, on standard output for scripts to read."""
    click.echo(f"{what}{': ' if what else ''}{path}")
