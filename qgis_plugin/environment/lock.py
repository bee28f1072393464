"""The packages of the engine as its lock names them: versions and hashes, for every platform."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

_PYTORCH = re.compile(r"(torch|torchvision|triton|nvidia-.*|cuda-.*)$")
_CHOSEN = ("torch", "torchvision")


class Lock:
    """A file of requirements with hashes.

    Args:
        path: The file; as `uv pip compile --generate-hashes` writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    @property
    def digest(self) -> str:
        """What the lock says, as a short hash; the same with the line ends of any system."""
        return hashlib.sha256(self._text().encode()).hexdigest()[:16]

    def pytorch(self) -> str:
        """The requirements that differ between kinds of accelerator: PyTorch and what it brings."""
        return "".join(entry for name, entry in self._entries() if _PYTORCH.match(name))

    def others(self) -> str:
        """All other requirements."""
        return "".join(entry for name, entry in self._entries() if not _PYTORCH.match(name))

    def pytorch_versions(self) -> str:
        """The versions of torch and torchvision without hashes.

        PyTorch's own index has files of its own for each kind of accelerator, so the hashes of the
        lock do not fit them.
        """
        lines = [entry.splitlines()[0].rstrip(" \\") for name, entry in self._entries()
                 if name in _CHOSEN]
        return "".join(f"{line}\n" for line in lines)

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8").rstrip() + "\n"

    def _entries(self) -> list[tuple[str, str]]:
        """Return (name, text) of each requirement; the hashes are its indented lines."""
        texts = re.findall(r"^[A-Za-z0-9].*\n(?:[ \t]+.*\n)*", self._text(), re.MULTILINE)
        return [(re.split(r"[^A-Za-z0-9._-]", text)[0].lower(), text) for text in texts]
