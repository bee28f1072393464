"""Writing files so that a result is either whole under its name or not there at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geoseg.errors import OutputError


def check_output(path: str | Path, *, overwrite: bool = False,
                 suffixes: tuple[str, ...] = ()) -> Path:
    """Check, before any work, that a result can be written; make its folder if needed.

    Args:
        path: Where the result shall go.
        overwrite: Whether an existing file may be replaced.
        suffixes: File name endings that the writer can produce; empty for any.

    Returns:
        The path as `Path`.

    Raises:
        OutputError: The file exists, its ending is not supported, or its folder is not writable.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise OutputError(path, f"ends in {path.suffix or 'nothing'!r}",
                          f"Choose a name that ends in {' or '.join(suffixes)}")
    if path.is_dir():
        raise OutputError(path, "is a folder", "Name a file in it")
    if path.exists() and not overwrite:
        raise OutputError(path, "exists already", "Choose another name, or allow overwriting "
                          "(command line: --overwrite)")
    _check_folder(path.parent, path)
    return path


def _check_folder(folder: Path, path: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".geoseg-{secrets.token_hex(4)}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(path, f"cannot be written in that folder ({error.strerror})",
                          "Choose a folder that you may write to") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well.

    The temporary file keeps the suffix, since GDAL picks drivers by it. When the block raises, the
    temporary file and its side files are removed and an existing `path` stays as it was.

    Raises:
        OutputError: The system refused to write (disk full, quota, removed folder).
    """
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield part
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise OutputError(path, f"could not be written ({error.strerror or error})",
                          "Free some space or choose another folder") from error
    finally:
        for leftover in path.parent.glob(f"{part.name}*"):
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Like `replacing`, for a folder: a temporary sibling that takes the name at the end.

    Raises:
        OutputError: The system refused to write.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    except OSError as error:
        raise OutputError(path, f"could not be written ({error.strerror or error})",
                          "Free some space or choose another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file through `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    """Flush a file or folder to disk; folders cannot be flushed on Windows."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
