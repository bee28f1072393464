"""A small engine to set up: one or two packages, and a worker that only answers `check`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from qgis_plugin.environment import EngineHome, SetupFailed
from tests.plugin.processes import Listener

ROOT = Path(__file__).parents[2]
DEAD_PROXY = "http://127.0.0.1:9"
"""A proxy that is not there."""

_WORKER = '''
import json, sys
def tell(event, **data):
    print(json.dumps({"event": event, **data}), flush=True)
tell("hello", protocol=1, version="0.0", python=sys.version.split()[0], pid=0)
request = json.loads(sys.stdin.readline())
IMPORTS
tell("result", data={"task": request["task"], "python": sys.executable, "text": "It works."})
'''

CERTIFI = "import certifi; certifi.where()"
"""What the worker does to see whether its package is there."""


def cancelling_at(words: str) -> Listener:
    """Return a listener that cancels when a text of progress or log begins with these words."""
    return Listener(lambda self: any((text or "").startswith(words)
                                     for _, text in (*self.steps, *self.logs)))


def entries(*names: str) -> str:
    """Return the entries of packages in the engine's real lock."""
    lock = (ROOT / "qgis_plugin" / "engine.lock").read_text(encoding="utf-8")
    return "".join(re.search(rf"^{name}==.*\n(?: .*\n)+", lock, re.MULTILINE)[0] for name in names)


def worker(folder: Path, imports: str = CERTIFI) -> Path:
    """Write a worker into a folder; its `check` is to import something."""
    path = folder / "worker.py"
    path.write_text(_WORKER.replace("IMPORTS", imports), encoding="utf-8")
    return path


def home(folder: Path, *names: str, text: str | None = None) -> EngineHome:
    """Return a home below a folder, whose lock holds the packages named."""
    path = folder / "small.lock"
    path.write_text(entries(*names) if text is None else text, encoding="utf-8")
    return EngineHome(folder / "Größe und 'Höhe'", path)


def set_up(engine: EngineHome, folder: Path, listener: Listener | None = None,
           imports: str = CERTIFI, **changes: object) -> Path:
    """Set it up with the Python that runs the tests."""
    arguments = {"base_python": sys.executable, "backend": "default",
                 "worker": worker(folder, imports), "version": "0.0",
                 "listener": listener or Listener(), **changes}
    return engine.set_up(**arguments)


def names(engine: EngineHome) -> list[str]:
    """Return what lies in a home."""
    return sorted(path.name for path in engine.root.iterdir())


def fails(engine: EngineHome, folder: Path, **changes: object) -> str:
    """Return how a set-up fails; it must leave nothing behind and say why in its log."""
    with pytest.raises(SetupFailed) as caught:
        set_up(engine, folder, **changes)
    assert not [name for name in names(engine) if name.startswith(("env", "tools"))]
    assert str(caught.value) in engine.log.read_text(encoding="utf-8")
    return str(caught.value)
