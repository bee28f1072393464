"""A coastal town that does not exist: an image, and an OpenStreetMap extract with mistakes."""

from __future__ import annotations

from .files import DemoScene as DemoScene
from .files import demo_scene_in as demo_scene_in
from .files import make_demo_scene as make_demo_scene
