"""One run in a process of its own: `python -m geoseg.comparison.child`.

It speaks with the process that started it as the worker does with QGIS, see `geoseg.caller`: the
request in one line of standard input, whose end is the wish to stop; events as lines of JSON on
standard output. So it ends whenever the one that started it does, on every system.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from geoseg.caller import Caller
from geoseg.errors import Cancelled, GeosegError, TrainingError


def main() -> None:
    """Serve one request, then end the process."""
    requests, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print there shall not be taken for an event
    caller = Caller(requests, events)
    code = 0
    try:
        _, params = caller.request()
        caller.keep_in_touch()
        logging.getLogger("geoseg").addHandler(_Forward(caller))
        _perform(params, caller)
        caller.tell("result")
    except Cancelled:
        caller.tell("cancelled")
    except GeosegError as error:
        caller.tell("error", kind="training" if isinstance(error, TrainingError) else "user",
                    parts=[error.subject, error.found, error.cure])
    except BaseException:
        traceback.print_exc()
        caller.tell("error", kind="bug", parts=[])
        code = 1
    sys.stderr.flush()
    caller.end(code)


def _perform(params: dict[str, Any], caller: Caller) -> None:
    from geoseg.comparison.runs import perform
    from geoseg.recipe import Recipe
    from geoseg.samples.plan import ChipPlan

    caller.check()
    perform(ChipPlan.read(params["plan"]), Recipe.from_dict(params["recipe"]),
            Path(params["folder"]), split=params["split"], device=params["device"],
            progress=caller.progress)


class _Forward(logging.Handler):
    """Passes warnings on."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(logging.WARNING)
        self._caller = caller

    def emit(self, record: logging.LogRecord) -> None:
        self._caller.tell("log", text=record.getMessage())


if __name__ == "__main__":
    main()
