"""Named tensors and a JSON document in one `.safetensors` file, sealed by a hash.

Model files and training states share this container. Nothing in it is ever unpickled: the tensors
are plain bytes and the document is JSON. The SHA-256 over the document and all tensors is checked
before anything is used, since a flipped bit would otherwise load without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from geoseg.errors import ModelError
from geoseg.geo.output import replacing

_MAX_HEADER = 8 * 1024 * 1024


def write_container(path: Path, kind: str, document: Mapping[str, Any],
                    tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors and a document to a new file, whole or not at all.

    Args:
        path: File to write; replaced if it exists (the caller has checked).
        kind: What the file is, e.g. `model`; must be given again when reading.
        document: JSON-ready values.
        tensors: Arrays by name.

    Raises:
        OutputError: The system refused to write.
    """
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    metadata = {"geoseg": kind, "document": text, "sha256": _seal(text, tensors)}
    contiguous = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with replacing(path) as part:
        # save_file would make the file readable for its owner alone.
        part.write_bytes(save(contiguous, metadata=metadata))


def read_document(path: str | Path, kind: str) -> dict[str, Any]:
    """Read only the document of a container.

    Raises:
        ModelError: Missing file, not such a container, or damaged.
    """
    return _parse(_metadata(Path(path), kind), Path(path))


def read_container(path: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read document and tensors of a container and check its seal.

    Raises:
        ModelError: Missing file, not such a container, or damaged.
    """
    path = Path(path)
    metadata = _metadata(path, kind)
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise _damaged(path) from error
    if _seal(metadata["document"], tensors) != metadata.get("sha256"):
        raise _damaged(path)
    return _parse(metadata, path), tensors


def _metadata(path: Path, kind: str) -> dict[str, str]:
    if not path.is_file():
        raise ModelError(path, "does not exist", "Check the path")
    if path.suffix in (".pt", ".pth", ".ckpt", ".pkl"):
        raise ModelError(path, "is a pickled checkpoint, which could run any code when opened",
                         "Give a geoseg model (.safetensors)")
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > _MAX_HEADER:
        raise ModelError(path, "is no geoseg file, or its header is damaged",
                         "Give a file made by geoseg train")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error
    if metadata.get("geoseg") != kind or "document" not in metadata:
        raise ModelError(path, f"is not a geoseg {kind} file",
                         "Give a file made by geoseg train")
    return dict(metadata)


def _parse(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    try:
        document = json.loads(metadata["document"])
    except (json.JSONDecodeError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(document, dict):
        raise _damaged(path)
    return document


def _seal(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.asarray(array, order="C").tobytes())
    return digest.hexdigest()


def _damaged(path: Path) -> ModelError:
    return ModelError(path, "is damaged: its contents do not match its checksum",
                      "Fetch or copy it again, or train again")
