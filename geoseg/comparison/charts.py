"""The charts of a comparison, as `data:` addresses of SVG drawings; every run is seen in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from geoseg.comparison.check import metric_name
from geoseg.comparison.table import Row
from geoseg.learn.thresholds import Reliability
from geoseg.maps.charts import reliability_chart
from geoseg.maps.drawing import COLORS, INK, PALE, figure_of, plain, readable, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = len(COLORS)
"""How many settings are drawn where each needs a colour of its own."""
_LONGEST = 34
_BINS = 20


def seed_chart(rows: Sequence[Row]) -> str:
    """Draw the score of each run as a dot; mean and one standard deviation of each setting."""
    with figure_of(7.2, 0.9 + 0.34 * len(rows)) as figure:
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            values = row.values(row.metric)
            if row.mean is None:
                continue
            if row.spread is not None:
                axes.barh(place, 2 * row.spread, left=row.mean - row.spread, height=0.46,
                          color=PALE, alpha=0.6)
            axes.vlines(row.mean, place - 0.32, place + 0.32, color=INK, linewidth=1.8)
            axes.scatter(values, np.full(len(values), place), s=22, color=INK, zorder=3,
                         edgecolor="white", linewidth=0.6, clip_on=False)
        axes.set(yticks=range(len(rows)), yticklabels=[_label(row.name) for row in rows],
                 ylim=(len(rows) - 0.4, -0.6), xlabel=metric_name(rows[0].metric))
        axes.margins(x=0.06)
        axes.use_sticky_edges = False
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        return svg(figure)


def time_chart(rows: Sequence[Row]) -> str | None:
    """Draw the score over the processor time of training; None if no time is known."""
    with figure_of(7.2, 3.4) as figure:
        axes = figure.add_subplot()
        latest = 0.0
        for place, row in enumerate(rows[:SHOWN]):
            points = [(outcome.cpu_seconds, value) for (_, outcome), value
                      in zip(row.done, row.values(row.metric), strict=False)
                      if outcome.cpu_seconds is not None]
            if not points:
                continue
            times, values = np.array(points).T
            latest = max(latest, float(times.max()))
            axes.scatter(times, values, s=26, color=color(place), alpha=0.55, linewidth=0)
            axes.scatter(times.mean(), values.mean(), s=64, color=color(place), marker="D",
                         edgecolor="white", label=_label(row.name))
        if latest == 0:
            return None
        axes.set(xlabel="processor seconds of training", ylabel=metric_name(rows[0].metric))
        axes.set_xlim(0, latest * 1.05)
        figure.legend(loc="outside right upper", title="mean of the seeds", alignment="left")
        return svg(figure)


def learning_curves(rows: Sequence[Row]) -> str:
    """Draw the validation mean IoU over the steps: the mean of the seeds, from lowest to highest.

    Losses of different formulas have no common scale; this score has.
    """
    with figure_of(7.2, 3.4) as figure:
        axes = figure.add_subplot()
        for place, row in enumerate(rows[:SHOWN]):
            if not row.done:
                continue
            steps, table = _by_step(row, "val_mean_iou")
            axes.plot(steps, np.nanmean(table, axis=0), ".-", color=color(place), linewidth=1.5,
                      label=_label(row.name))
            axes.fill_between(steps, np.nanmin(table, axis=0), np.nanmax(table, axis=0),
                              color=color(place), alpha=0.15, linewidth=0)
        axes.set(xlabel="step", ylabel="mean IoU on validation chips")
        _steps_axis(axes)
        figure.legend(loc="outside right upper", title="mean and range of the seeds",
                      alignment="left")
        return svg(figure)


def loss_curves(rows: Sequence[Row]) -> str:
    """Draw the training loss of each setting in a panel with an axis of its own."""
    shown = [(place, row) for place, row in enumerate(rows[:SHOWN]) if row.done]
    columns = min(len(shown), 3)
    lines = -(-len(shown) // columns)
    with figure_of(7.2, 1.75 * lines + 0.2) as figure:
        for number, (place, row) in enumerate(shown, start=1):
            axes = figure.add_subplot(lines, columns, number)
            steps, table = _by_step(row, "loss")
            axes.plot(steps, table.T, color=color(place), linewidth=0.9, alpha=0.7)
            _title(axes, row.name)
            _steps_axis(axes)
            axes.tick_params(labelsize=7)
            if number > len(shown) - columns:
                axes.set_xlabel("step", fontsize=8)
        return svg(figure)


def calibration_chart(rows: Sequence[Row]) -> str | None:
    """Draw the reliability of the settings, their seeds taken together."""
    curves = {_label(row.name): pooled([outcome.reliability for _, outcome in row.done])
              for row in rows[:SHOWN] if row.done}
    if not any(len(bins.count) for bins in curves.values()):
        return None
    colors = {_label(row.name): color(place) for place, row in enumerate(rows[:SHOWN])}
    return reliability_chart(curves, colors=colors, title="setting")


def pooled(parts: Sequence[Reliability]) -> Reliability:
    """Return the reliability of several models' predictions taken together.

    Args:
        parts: Bins of equal width, those without predictions left out.
    """
    confidence = np.concatenate([item.confidence for item in parts])
    count = np.concatenate([item.count for item in parts])
    right = np.concatenate([item.accuracy * item.count for item in parts])
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(place, count, _BINS)
    used = counts > 0
    return Reliability(np.bincount(place, confidence * count, _BINS)[used] / counts[used],
                       np.bincount(place, right, _BINS)[used] / counts[used],
                       counts[used].astype(np.int64))


def color(place: int) -> str:
    """Return the colour of the setting of that rank, from 0."""
    return readable(COLORS[place % len(COLORS)])


def _by_step(row: Row, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return steps, and values (seeds, steps) that are NaN where a run had stopped."""
    histories: list[dict[float, float]] = [
        {entry["step"]: entry[key] for entry in _entries(outcome.history)}
        for _, outcome in row.done]
    steps = sorted(set().union(*histories))
    return np.array(steps), np.array([[history.get(step, np.nan) for step in steps]
                                      for history in histories])


def _steps_axis(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def _entries(history: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    return [entry for entry in history if entry.get("val_mean_iou") is not None]


def _label(name: str) -> str:
    return plain(name if len(name) <= _LONGEST else f"{name[:_LONGEST - 1]}…")


def _title(axes: Axes, name: str) -> None:
    axes.set_title(_label(name), fontsize=8, loc="left")
