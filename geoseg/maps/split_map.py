"""The map of a report: which chips of a scene were learned from, and which were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.maps.drawing import figure_of, plain, svg
from geoseg.samples.plan import SPLIT_COLORS, SPLIT_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MANY_CHIPS = 1500


@dataclass(frozen=True, slots=True)
class SceneChips:
    """The chips of one scene, to be drawn over it."""

    name: str
    """Name of the scene."""
    shape: tuple[int, int]
    """(rows, columns) of the scene."""
    pixel_size: tuple[float, float]
    """(width, height) of a pixel in metres, or 1, 1 in pixel space."""
    unit: str
    """`m` or `px`."""
    boxes: Mapping[str, np.ndarray]
    """By split: int (n, 4): column, row, width, height of each chip."""
    scored: str
    """The split that was scored."""
    background: np.ndarray | None
    """uint8 (rows, columns, 3) picture of the whole scene, at any size."""


def split_chart(scenes: Sequence[SceneChips]) -> str:
    """Draw the chips of each split over their scenes; the scored ones are filled and outlined."""
    columns = 1 if len(scenes) == 1 else min(len(scenes), 3)
    rows = -(-len(scenes) // columns)
    ratio = max(_ratio(scene) for scene in scenes)
    width = 7.2 if columns > 1 or ratio < 0.8 else 5.0
    with figure_of(width, rows * (width / columns * min(ratio, 1.6) + 0.35) + 0.35) as figure:
        for place, scene in enumerate(scenes, start=1):
            _draw_scene(figure.add_subplot(rows, columns, place), scene,
                        with_name=len(scenes) > 1)
        _split_legend(figure, scenes)
        return svg(figure)


def _ratio(scene: SceneChips) -> float:
    """Height over width on the ground."""
    return float(scene.shape[0] * scene.pixel_size[1] / (scene.shape[1] * scene.pixel_size[0]))


def _draw_scene(axes: Axes, scene: SceneChips, *, with_name: bool) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    rows, columns = scene.shape
    if scene.background is not None:
        grey = scene.background.mean(axis=2) * 0.55 + 115
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(0, columns, rows, 0))
    for split, boxes in scene.boxes.items():
        patches = [Rectangle((x, y), w, h) for x, y, w, h in boxes]
        is_scored = split == scene.scored
        color = SPLIT_COLORS[split]
        axes.add_collection(PatchCollection(
            patches, facecolor=(color, 0.5 if is_scored else 0.25),
            edgecolor="#111111" if is_scored else color, linewidth=0.9 if is_scored else 0.4,
            rasterized=len(boxes) > _MANY_CHIPS, zorder=3 if is_scored else 2))
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[],
             aspect=scene.pixel_size[1] / scene.pixel_size[0])
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#bbbbbb")
    if with_name:
        axes.set_title(plain(scene.name), fontsize=8, loc="left")
    _scale_bar(axes, scene)


def _scale_bar(axes: Axes, scene: SceneChips) -> None:
    """Draw a bar of a round length, near a quarter of the scene's width, below its corner."""
    unit = scene.pixel_size[0]
    wanted = scene.shape[1] * unit / 4
    power = 10 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    text = (f"{length / 1000:g} km" if scene.unit == "m" and length >= 1000
            else f"{length:g} {scene.unit}")
    axes.annotate("", (0, -0.02), (length / unit / scene.shape[1], -0.02),
                  xycoords="axes fraction", textcoords="axes fraction", annotation_clip=False,
                  arrowprops={"arrowstyle": "-", "linewidth": 2, "color": "#333333",
                              "shrinkA": 0, "shrinkB": 0})
    axes.annotate(text, (length / unit / scene.shape[1], -0.02), xytext=(5, 0),
                  xycoords="axes fraction", textcoords="offset points", fontsize=8, va="center",
                  annotation_clip=False)


def _split_legend(figure: Figure, scenes: Sequence[SceneChips]) -> None:
    from matplotlib.patches import Patch

    scored = scenes[0].scored
    handles = []
    for split, color in SPLIT_COLORS.items():
        count = sum(len(scene.boxes.get(split, ())) for scene in scenes)
        if count:
            name = SPLIT_NAMES[split] + (" (scored)" if split == scored else "")
            handles.append(Patch(facecolor=(color, 0.5), label=f"{name}: {count:,} chips",
                                 edgecolor="#111111" if split == scored else color))
    figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=1.2,
                  handleheight=1.2)
