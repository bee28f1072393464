"""One task in a process of its own, so that QGIS never waits for it nor falls with it.

::

    python -I -X utf8 -u geoseg/worker.py

Standard input: the request `{"protocol": 1, "task": NAME, "params": {...}}` in one line; a later
`{"cancel": true}`, or the end of the stream (QGIS is gone), asks the task to stop.

Standard output: events, one line of JSON each. `hello` comes before anything heavy is imported,
then `progress`, `log` and `beat`, at the end exactly one of `result`, `cancelled` and `error`.
What native libraries and stray prints write there goes to standard error instead.

The tasks themselves are in `geoseg.tasks`. Until the request is read, only the standard library is
imported, in a way that an old Python understands too: it can then say what is wrong with it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

if TYPE_CHECKING:
    from geoseg.caller import Caller

OLDEST_PYTHON = (3, 11)
"""First Python that understands the rest of the engine."""

_SET_UP = 'Run "Set up engine" again, or choose an interpreter that fits'


def main() -> NoReturn:
    """Serve one request, then end the process."""
    requests, events = _private_streams()
    faulthandler.enable()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from geoseg import __version__
    from geoseg.caller import PROTOCOL, Caller

    caller = Caller(requests, events)
    caller.tell("hello", protocol=PROTOCOL, version=__version__, pid=os.getpid(),
                python=".".join(map(str, sys.version_info[:3])))
    code = serve(caller)
    sys.stderr.flush()
    caller.end(code)


def serve(caller: Caller) -> int:
    """Do the task that the caller asks for and tell how it ended; return the exit code."""
    from geoseg.errors import Cancelled, GeosegError

    task = "request"
    try:
        task, params = caller.request()
        caller.keep_in_touch()
        _forward_logs(caller)
        data = _do(caller, task, params)
        caller.show_progress()
        caller.tell("result", data=data)
    except Cancelled:
        caller.tell("cancelled")
    except GeosegError as error:
        caller.tell("error", kind="user", text=str(error))
    except BaseException as error:
        _tell_failure(caller, task, error)
    else:
        return 0
    return 1


def _do(caller: Caller, task: str, params: dict[str, Any]) -> dict[str, Any]:
    """Import what the task needs, then do it."""
    from geoseg.errors import GeosegError

    caller.check()
    if sys.version_info < OLDEST_PYTHON:
        raise GeosegError(sys.executable, f"is Python {sys.version_info[0]}.{sys.version_info[1]}, "
                          f"but the engine needs {'.'.join(map(str, OLDEST_PYTHON))} or newer",
                          _SET_UP)
    try:
        from geoseg.tasks import load

        work = load(task)
    except OSError as error:
        # This is how Windows says that a library of torch cannot be loaded.
        raise ImportError(str(error)) from error
    caller.check()
    return work(params, caller.progress)


def _tell_failure(caller: Caller, task: str, error: BaseException) -> None:
    """Tell of a failure that no verb foresaw; some have a reason that the user can mend."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if caller.wants_to_stop.is_set():
        # Nobody waits for the task any more, and being stopped may be what broke it.
        caller.tell("log", level="debug", text=trace)
        caller.tell("cancelled")
    elif (reason := _curable(task, error)) is not None:
        caller.tell("error", kind="user", text=reason, traceback=trace)
    else:
        said = _first_line(f"{type(error).__name__}: {error}").strip(": ")
        caller.tell("error", kind="bug", traceback=trace,
                    text=f"{task}: something went wrong inside the engine ({said}). Please report "
                         "it with the lines in the log.")


def _curable(task: str, error: BaseException) -> str | None:
    """Return what to do about an error that is the surroundings' fault, or None."""
    ran_out = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
    # torch's own error is told by its name, since torch may not be there at all.
    if ran_out or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return (f"{task}: memory ran out. Use smaller tiles, chips or batches, or close other "
                "programs.")
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and package != "geoseg":
        found = (f"lacks the package {package}" if isinstance(error, ModuleNotFoundError)
                 else f"cannot load a package ({_first_line(str(error))})")
        return f"{sys.executable}: {found}. {_SET_UP}."
    return None


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep input and output for the protocol; give everybody else nothing and standard error."""
    requests, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, events


class _LogHandler(logging.Handler):
    """Passes on what the engine logs."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    def emit(self, record: logging.LogRecord) -> None:
        level = ("debug" if record.levelno < logging.INFO
                 else "info" if record.levelno < logging.WARNING else "warning")
        self._caller.tell("log", level=level, text=record.getMessage())


def _forward_logs(caller: Caller) -> None:
    """Send the engine's log to the caller, and Python's warnings for those who look closely."""
    log = logging.getLogger("geoseg")
    log.setLevel(logging.INFO)
    log.addHandler(_LogHandler(caller))

    def show(message: Warning | str, category: type[Warning], *place: object,
             **more: object) -> None:
        caller.tell("log", level="debug", text=f"{category.__name__}: {message}")

    warnings.showwarning = show


if __name__ == "__main__":
    main()
