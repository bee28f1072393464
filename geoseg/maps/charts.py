"""The figures of a report, as `data:` addresses of SVG drawings."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.learn.metrics import Reliability, Tally
from geoseg.samples.plan import SPLIT_COLORS, SPLIT_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "geoseg",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222", "xtick.color": "#444444", "ytick.color": "#444444",
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "legend.frameon": False, "figure.constrained_layout.use": True,
}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
_INK, _PALE = "#224466", "#a9bccf"
_MANY_CHIPS = 1500
_RARE = 0.001


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


def precision_recall_chart(tally: Tally) -> str:
    """Draw precision over recall of each class that the labels show."""
    scores = {item.name: item for item in tally.scores().classes}
    with _figure(6.4, 3.7) as figure:
        axes = figure.add_subplot()
        for item in tally.legend:
            area = scores[item.name].average_precision
            if area is None:
                continue
            curve = tally.precision_recall(item.name)
            axes.plot(curve.recall, curve.precision, color=readable(item.color), linewidth=1.6,
                      linestyle=_DASHES[item.value % len(_DASHES)],
                      label=f"{_plain(item.name)} ({area:.2f})")
        axes.set(xlabel="recall: share of the labelled pixels that is found",
                 ylabel="precision: share of the found that is right",
                 xlim=(0, 1.005), ylim=(0, 1.02), aspect="equal")
        figure.legend(loc="outside right upper", title="class (average precision)",
                      alignment="left")
        return _svg(figure)


def reliability_chart(bins: Reliability, ece: float) -> str:
    """Draw how often predictions come true over how confident they were, and how many there are."""
    with _figure(5.2, 4.3) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        upper.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--")
        upper.annotate("as it should be", (0.04, 0.09), color="#666666", rotation=39,
                       rotation_mode="anchor", fontsize=8)
        upper.vlines(bins.confidence, bins.confidence, bins.accuracy, color=_PALE, linewidth=4)
        upper.plot(bins.confidence, bins.accuracy, color=_INK, linewidth=1.3)
        common = bins.count >= _RARE * bins.count.sum()
        upper.scatter(bins.confidence, bins.accuracy, s=18, edgecolor=_INK, zorder=3,
                      color=np.where(common, _INK, "white"), clip_on=False)
        upper.set(ylabel="came true", ylim=(0, 1.02), xlim=(0, 1),
                  title=f"expected calibration error {ece:.3f}")
        upper.title.set_fontsize(9)
        lower.bar(bins.confidence, bins.count / bins.count.sum(), width=0.035, color=_PALE)
        lower.set(xlabel="confidence", ylabel="share")
        for axes in (upper, lower):
            _percent(axes)
        return _svg(figure)


def learning_chart(history: Sequence[Mapping[str, float]], best_step: int | None) -> str:
    """Draw training loss and validation mean IoU over the steps.

    Args:
        history: Entries with `step`, `loss` and `val_mean_iou`.
        best_step: The step whose weights were kept.
    """
    step = [entry["step"] for entry in history]
    with _figure(7.2, 2.6) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(step, [entry["loss"] for entry in history], ".-", color=_INK, linewidth=1.3)
        left.set(xlabel="step", title="training loss")
        left.set_ylim(bottom=0)
        right.plot(step, [entry["val_mean_iou"] for entry in history], ".-", color=_INK,
                   linewidth=1.3)
        right.set(xlabel="step", title="mean IoU on validation chips")
        if best_step is not None:
            right.axvline(best_step, color=SPLIT_COLORS["test"], linewidth=1)
            right.annotate("kept", (best_step, 0.03), xycoords=("data", "axes fraction"),
                           xytext=(-4, 0), textcoords="offset points", ha="right", fontsize=8,
                           color=SPLIT_COLORS["test"])
        for axes in (left, right):
            axes.title.set_fontsize(9)
        return _svg(figure)


def split_chart(scenes: Sequence[SceneChips]) -> str:
    """Draw the chips of each split over their scenes; the scored ones are filled and outlined."""
    columns = 1 if len(scenes) == 1 else min(len(scenes), 3)
    rows = -(-len(scenes) // columns)
    ratio = max(_ratio(scene) for scene in scenes)
    width = 7.2 if columns > 1 or ratio < 0.8 else 5.0
    with _figure(width, rows * (width / columns * min(ratio, 1.6) + 0.35) + 0.35) as figure:
        for place, scene in enumerate(scenes, start=1):
            _draw_scene(figure.add_subplot(rows, columns, place), scene,
                        with_name=len(scenes) > 1)
        _split_legend(figure, scenes)
        return _svg(figure)


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
        axes.set_title(_plain(scene.name), fontsize=8, loc="left")
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


def readable(color: str) -> str:
    """Return the colour, darkened if need be until lines of it show on white.

    WCAG 2.1 asks for a contrast of 3:1 of graphics.
    """
    rgb = tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(*rgb)
    while 1.05 / (_luminance(rgb) + 0.05) < 3:
        light *= 0.95
        rgb = colorsys.hls_to_rgb(hue, light, saturation)
    return "#" + "".join(f"{round(value * 255):02x}" for value in rgb)


def _luminance(rgb: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _percent(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def _plain(name: str) -> str:
    """Keep matplotlib from reading `$` as mathematics, and a leading `_` as "leave out"."""
    return name.replace("$", r"\$") if not name.startswith("_") else f" {name}".replace("$", r"\$")


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """Give a figure in the report's style, in inches, without pyplot's global state."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height))


def _svg(figure: Figure) -> str:
    with io.BytesIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True, dpi=150)
        return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
