"""Writing files so that a result is either whole under its name or not there at all."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geoseg.errors import OutputError


def check_output(path: str | Path, *, overwrite: bool = False, suffixes: tuple[str, ...] = (),
                 inputs: Iterable[object] = ()) -> Path:
    """Check, before any work, that a result can be written; its folder need not exist yet.

    Args:
        path: Where the result shall go.
        overwrite: Whether an existing file may be replaced.
        suffixes: File name endings that the writer can produce; empty for any.
        inputs: What the verb reads, none of which may be replaced even so; paths count, also with
            QGIS' `|layername=...`, other objects do not.

    Returns:
        The path as `Path`.

    Raises:
        OutputError: The file exists or is an input, its ending is not supported, or its folder is
            not writable.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(path, "is a folder", "Name a file in it")
    if suffixes and path.suffix.lower() not in suffixes:
        found = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise OutputError(path, found, f"Choose a name that ends in {' or '.join(suffixes)}")
    read = (str(item).partition("|")[0] for item in inputs if isinstance(item, str | Path))
    if any(Path(item).resolve() == path.resolve() for item in read):
        raise OutputError(path, "is also an input", "Choose another name")
    if path.exists() and not overwrite:
        raise OutputError(path, "exists already", "Choose another name, or allow overwriting "
                          "(command line: --overwrite)")
    _check_folder(path)
    return path


def _check_folder(path: Path) -> None:
    """Try to write where the file will be, or in the nearest folder above it that exists."""
    try:
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        probe = folder / f".geoseg-{secrets.token_hex(4)}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(path, f"cannot be written in that folder ({error.strerror})",
                          "Choose a folder that you may write to") from error


@contextmanager
def making_folder(folder: Path) -> Iterator[Path]:
    """Make a folder and those above it; at the end, remove those of them that stayed empty.

    Raises:
        OutputError: The folder cannot be made.
    """
    made = [item for item in (folder, *folder.parents) if not item.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, f"cannot be made ({error.strerror})",
                          "Choose a folder that you may write to") from error
    try:
        yield folder
    finally:
        for item in made:
            with suppress(OSError):
                item.rmdir()


def not_written(path: Path, found: str = "could not be written") -> OutputError:
    """Return the error for a result that the system refused, or that did not arrive whole."""
    return OutputError(path, found, "Free some space or choose another folder")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well.

    The temporary file keeps the suffix, since GDAL picks drivers by it. At the end, well or not,
    all files beside it whose names begin with its own are removed; when the block raises, an
    existing `path` stays as it was.

    Args:
        path: Final file, checked before with `check_output`.

    Yields:
        The temporary file's name, in the same folder.

    Raises:
        OutputError: The system refused to write (disk full, quota, removed folder).
    """
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    with making_folder(path.parent):
        try:
            yield part
            _sync(part)
            part.replace(path)
            _sync(path.parent)
        except OSError as error:
            raise not_written(path, f"could not be written ({error.strerror or error})") from error
        finally:
            for leftover in path.parent.glob(f"{glob.escape(part.name)}*"):
                with suppress(OSError):
                    leftover.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Like `replacing`, for a folder: a temporary sibling that takes the name at the end.

    Args:
        path: Final folder; what is there is replaced as a whole.

    Yields:
        The temporary folder, which exists.

    Raises:
        OutputError: The system refused to write.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with making_folder(path.parent):
        try:
            part.mkdir()
            yield part
            if path.exists():
                shutil.rmtree(path)
            part.replace(path)
        except OSError as error:
            raise not_written(path, f"could not be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file through `replacing`.

    Raises:
        OutputError: The system refused to write.
    """
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
