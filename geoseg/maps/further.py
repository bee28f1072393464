"""The scores that papers name beside the usual ones, each with what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.learn.scores import ObjectScores, Scores, decimals


@dataclass(frozen=True, slots=True)
class FurtherScore:
    """One row of the table of further scores."""

    name: str
    """What it is called."""
    value: str
    """Its value as it is shown."""
    meaning: str
    """What it tells, as a sentence."""


def further_scores(scores: Scores) -> Iterator[FurtherScore]:
    """Yield those further scores that were counted; docs/methods/metrics.md has the formulas."""
    if scores.objects is not None:
        yield from _of_objects(scores.objects)
    if scores.mean_soft_iou is not None:
        yield FurtherScore(
            "mean soft IoU", decimals(scores.mean_soft_iou),
            "IoU counted with the probabilities in place of the map; some papers call it Jaccard. "
            "It falls with every doubt, so it can be low where the map is right.")
    if scores.mean_chip_dice is not None:
        yield FurtherScore(
            "Dice per chip", decimals(scores.mean_chip_dice),
            "Mean of the Dice of each class in each chip, where a class that neither label nor "
            "map shows scores 1. Few chips with a class make it high without skill.")
    if scores.balanced_accuracy is not None:
        yield FurtherScore(
            "balanced accuracy", decimals(scores.balanced_accuracy),
            "Mean recall of the classes: the accuracy if all of them were equally common.")


def _of_objects(found: ObjectScores) -> Iterator[FurtherScore]:
    chips = f"{found.chips:,} chip{'' if found.chips == 1 else 's'}"
    yield FurtherScore(
        f"V_rand of {found.name}", decimals(found.v_rand),
        f"Are its patches whole and kept apart, as labelled? Counts pairs of pixels, 1 is perfect; "
        f"mean over {chips}. Mapped from a probability of {found.best_v_rand_at:g} on it would be "
        f"{decimals(found.best_v_rand)}, the best of nine thresholds.")
    yield FurtherScore(
        f"V_info of {found.name}", decimals(found.v_info),
        f"The same question by shared information, which weighs small patches more. Best: "
        f"{decimals(found.best_v_info)}, from a probability of {found.best_v_info_at:g} on.")
