"""The charts of reports, as `data:` addresses of SVG drawings.

Each draws one curve or several, by name: the classes of one model, or one class of many models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from geoseg.learn.scores import decimals
from geoseg.learn.thresholds import PrecisionRecall, Reliability
from geoseg.maps.drawing import (
    COLORS,
    DASHES,
    INK,
    PALE,
    figure_of,
    percent_axes,
    plain,
    readable,
    svg,
)
from geoseg.samples.plan import SPLIT_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RARE = 0.001


def precision_recall_chart(curves: Mapping[str, PrecisionRecall], *,
                           colors: Mapping[str, str] | None = None, title: str = "class") -> str:
    """Draw precision over recall.

    Args:
        curves: By name; those of classes that no label shows are left out.
        colors: By name, as `#rrggbb`; darkened where they would not show on white.
        title: What the curves are, over the legend.
    """
    with figure_of(6.4, 3.7) as figure:
        axes = figure.add_subplot()
        for place, (name, curve) in enumerate(curves.items()):
            if curve.area is None:
                continue
            axes.plot(curve.recall, curve.precision, color=_color(place, name, colors),
                      linestyle=DASHES[place % len(DASHES)], linewidth=1.6,
                      label=f"{plain(name)} ({curve.area:.2f})")
        axes.set(xlabel="recall: share of the labelled pixels that is found",
                 ylabel="precision: share of the found that is right",
                 xlim=(0, 1.005), ylim=(0, 1.02), aspect="equal")
        figure.legend(loc="outside right upper", title=f"{title} (average precision)",
                      alignment="left")
        return svg(figure)


def reliability_chart(curves: Mapping[str, Reliability], *,
                      colors: Mapping[str, str] | None = None, title: str = "model") -> str:
    """Draw how often predictions come true over how confident they were, and how many there are.

    Args:
        curves: By name. A single one shows its distance from the diagonal; several are told
            apart by a legend with their expected calibration errors.
        colors: By name, as `#rrggbb`; darkened where they would not show on white.
        title: What the curves are, over the legend.
    """
    with figure_of(5.2 if len(curves) == 1 else 7.2, 4.3) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        upper.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--")
        upper.set(ylabel="came true", ylim=(0, 1.02), xlim=(0, 1))
        lower.set(xlabel="confidence", ylabel="share")
        if len(curves) == 1:
            _draw_single(upper, lower, next(iter(curves.values())))
        else:
            for place, (name, bins) in enumerate(curves.items()):
                _draw_one_of_many(upper, lower, name, bins, _color(place, name, colors))
            figure.legend(loc="outside right upper", alignment="left",
                          title=f"{title}\n(expected calibration error)")
        lower.set_ylim(bottom=0)
        for axes in (upper, lower):
            percent_axes(axes)
        return svg(figure)


def _draw_single(upper: Axes, lower: Axes, bins: Reliability) -> None:
    upper.annotate("as it should be", (0.04, 0.09), color="#666666", rotation=39,
                   rotation_mode="anchor", fontsize=8)
    upper.vlines(bins.confidence, bins.confidence, bins.accuracy, color=PALE, linewidth=4)
    upper.plot(bins.confidence, bins.accuracy, color=INK, linewidth=1.3)
    _draw_points(upper, bins, INK)
    upper.set_title(f"expected calibration error {decimals(bins.error)}", fontsize=9)
    lower.bar(bins.confidence, bins.shares, width=0.035, color=PALE)


def _draw_one_of_many(upper: Axes, lower: Axes, name: str, bins: Reliability, color: str) -> None:
    upper.plot(bins.confidence, bins.accuracy, color=color, linewidth=1.3,
               label=f"{plain(name)} ({decimals(bins.error)})")
    _draw_points(upper, bins, color)
    lower.plot(bins.confidence, bins.shares, color=color, linewidth=1.3)


def _draw_points(axes: Axes, bins: Reliability, color: str) -> None:
    """Draw a point for each bin, hollow if it stands for few predictions."""
    axes.scatter(bins.confidence, bins.accuracy, s=18, edgecolor=color, zorder=3, clip_on=False,
                 color=np.where(bins.shares >= _RARE, color, "white"))


def _color(place: int, name: str, colors: Mapping[str, str] | None) -> str:
    return readable((colors or {}).get(name, COLORS[place % len(COLORS)]))


def learning_chart(history: Sequence[Mapping[str, float]], best_step: int | None) -> str:
    """Draw training loss and validation mean IoU over the steps.

    Args:
        history: Entries with `step`, `loss` and `val_mean_iou`.
        best_step: The step whose weights were kept.
    """
    step = [entry["step"] for entry in history]
    with figure_of(7.2, 2.6) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(step, [entry["loss"] for entry in history], ".-", color=INK, linewidth=1.3)
        left.set(xlabel="step", title="training loss")
        left.set_ylim(bottom=0)
        right.plot(step, [entry["val_mean_iou"] for entry in history], ".-", color=INK,
                   linewidth=1.3)
        right.set(xlabel="step", title="mean IoU on validation chips")
        if best_step is not None:
            right.axvline(best_step, color=SPLIT_COLORS["test"], linewidth=1)
            right.annotate("kept", (best_step, 0.03), xycoords=("data", "axes fraction"),
                           xytext=(-4, 0), textcoords="offset points", ha="right", fontsize=8,
                           color=SPLIT_COLORS["test"])
        for axes in (left, right):
            axes.title.set_fontsize(9)
        return svg(figure)
