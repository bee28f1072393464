"""The demo's town, small, with a recipe that trains for a moment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

if TYPE_CHECKING:
    from demo_scene import DemoScene


def make_town(folder: Path, *, size: int = 512) -> DemoScene:
    """Make the demo's scene with coarser pixels."""
    from demo_scene import make_demo_scene

    return make_demo_scene(folder, size=size)


def town_recipe(*, steps: int, further: str = "") -> str:
    """Return the demo's recipe as TOML with smaller chips and fewer steps."""
    text = (SCRIPTS / "demo.toml").read_text(encoding="utf-8")
    before, after = text.split("[chips]")
    after = after.split("[map]")[1]
    return (f"{before}[chips]\nsize = 32\n\n[train]\nencoder = \"mobilenet_v2\"\n"
            f"pretrained = false\nsteps = {steps}\nbatch = 8\nvalidate_every = {steps}\n"
            f"learning_rate = 5e-3\n{further}\n[map]{after}")
