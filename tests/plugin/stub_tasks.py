"""Takes the place of `geoseg.tasks` in an engine made for tests."""

import logging
import math
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from geoseg import caller
from geoseg.errors import Cancelled, GeosegError

HERE = Path(__file__).parents[1]
log = logging.getLogger("geoseg")


def start_children():
    """Start two processes and write down the number of the group."""
    for _ in range(2):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (HERE / "group.txt").write_text(str(os.getpid()))


def busy(params, progress):
    """Go on for ever; take back what is half made when stopped."""
    start_children()
    try:
        while True:
            progress(0.5, "busy")
            time.sleep(0.02)
    finally:
        (HERE / "cleaned.txt").touch()


def stubborn(params, progress):
    """Go on for ever, whatever happens."""
    caller.LAST_CHANCE = 1.5
    start_children()
    while True:
        try:
            time.sleep(0.02)
        except Cancelled:
            continue


def unheard(params, progress):
    """Go on for ever, with signs of life."""
    caller.BEAT = 0.1
    busy(params, progress)


def lost(params, progress):
    """Go on for ever and report only once; take back what is half made when interrupted."""
    start_children()
    progress(0.5, "busy")
    try:
        while True:
            sum(range(1000))
    finally:
        (HERE / "cleaned.txt").touch()


def waits(params, progress):
    """Wait for ever for another thread."""
    progress(0.5, "busy")
    try:
        threading.Event().wait()
    finally:
        (HERE / "cleaned.txt").touch()


def slow_to_clean(params, progress):
    """Need longer for taking back than the worker is patient."""
    try:
        while True:
            progress(0.5, "busy")
            time.sleep(0.02)
    finally:
        time.sleep(2.5)
        (HERE / "cleaned.txt").touch()


def chatty(params, progress):
    """Report and print far more often than anybody wants to read."""
    start = time.monotonic()
    for step in range(500):
        progress(step / 500, f"step {step}")
        os.write(1, b"\xff native\n")
        print("python")
        time.sleep(0.002)
    return {"numbers": {"seconds": time.monotonic() - start}}


def talks(params, progress):
    """Log and warn on every level."""
    log.debug("hidden")
    log.info("an %s", "info")
    log.warning("a warning")
    log.error("an error")
    warnings.warn("old ways", UserWarning, stacklevel=1)
    return {}


def numbers(params, progress):
    """Answer with values that JSON does not have."""
    return {"numbers": {"nan": math.nan, "inf": -math.inf, "one": 1}, "path": Path("a", "b"),
            "pair": (True, None)}


def echo(params, progress):
    return params


def user_error(params, progress):
    raise GeosegError("image.tif", "is blue", "Paint it")


def bug(params, progress):
    raise ZeroDivisionError("division by zero\nsecond line")


def leaves(params, progress):
    sys.exit(3)


def memory(params, progress):
    raise MemoryError


def torch_memory(params, progress):
    class OutOfMemoryError(RuntimeError):
        pass

    raise OutOfMemoryError("CUDA out of memory")


def missing(params, progress):
    import no_such_package.part  # noqa: F401


def broken(params, progress):
    raise ImportError("libfoo.so: cannot open\nmore")


def slow_beats(params, progress):
    caller.BEAT = 0.2
    time.sleep(1.5)
    return {}


def lingers(params, progress):
    """Leave a thread that would keep Python from ending."""
    threading.Thread(target=time.sleep, args=(60,)).start()
    return {}


def load(task):
    if task == "no_library":
        raise OSError("[WinError 126] The specified module could not be found")
    if task == "slow_import":
        time.sleep(1.0)
        return echo
    return globals()[task]
