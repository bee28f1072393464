"""Locks of the operating system on a file: it drops them itself when their holder ends, however."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Any, Iterator

from .errors import SetupCancelled

_PAUSE = 0.2
_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextlib.contextmanager
def alone(path: Path, listener: Any) -> Iterator[None]:
    """Hold the lock `path`; as long as another process holds it, wait and say so.

    Raises:
        SetupCancelled: The user cancelled while waiting.
    """
    with path.open("a") as file:
        if not try_lock(file.fileno()):
            listener.log("info", "Another set-up of the engine is running; waiting until it ends")
            listener.progress(0.0, "Waiting for another set-up")
            while not try_lock(file.fileno()):
                if listener.is_cancelled():
                    raise SetupCancelled
                time.sleep(_PAUSE)
        yield


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Keep others from taking the lock `path` alone; many may do so at once.

    On Windows this does nothing: files in use cannot be deleted there anyway.
    """
    if os.name == "nt":
        yield
        return
    with path.open("a") as file:
        try_lock(file.fileno(), together=True)
        yield


def is_free(path: Path) -> bool:
    """Return whether nobody holds the lock `path`."""
    if not path.exists():
        return True
    with path.open("a") as file:
        return try_lock(file.fileno())


def try_lock(descriptor: int, *, together: bool = False) -> bool:
    """Take a lock if that is possible at once; it ends with the file or the process.

    A file system that knows no locks (some network drives) is taken for a free one: set-ups that
    run at the same time are rare, and refusing them all would be worse.
    """
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            how = fcntl.LOCK_SH if together else fcntl.LOCK_EX
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _BUSY
    return True
