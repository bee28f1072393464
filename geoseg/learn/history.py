"""The course of a training run, as JSON and as a picture of its learning curves."""

from __future__ import annotations

import json
from pathlib import Path

from geoseg.geo.output import replacing, write_text


def write_history(history: list[dict[str, float]], folder: Path) -> None:
    """Write `history.json` and `curves.png` into a run folder.

    Raises:
        OutputError: The system refused to write.
    """
    from matplotlib.figure import Figure

    write_text(folder / "history.json", json.dumps(history, indent=1))
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    steps = [entry["step"] for entry in history]
    losses.plot(steps, [entry["loss"] for entry in history], color="#31688e")
    losses.set(xlabel="step", ylabel="training loss", xlim=(0, None))
    scores.plot(steps, [entry["val_mean_iou"] for entry in history], color="#b5651d",
                label="mean IoU")
    scores.plot(steps, [entry["val_accuracy"] for entry in history], color="#7a7a7a",
                linestyle="--", label="accuracy")
    scores.set(xlabel="step", ylabel="validation", xlim=(0, None), ylim=(0, 1))
    scores.legend(frameon=False, loc="lower right")
    for axes in (losses, scores):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    with replacing(folder / "curves.png") as part:
        figure.savefig(part, dpi=140)
