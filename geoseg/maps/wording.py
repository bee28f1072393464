"""What scores mean, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from geoseg.learn.card import ModelCard
from geoseg.learn.scores import ClassScores, Scores
from geoseg.samples.plan import ChipPlan

_FEW_CHIPS = 10
_FEW_PIXELS = 2000
_POOR_CALIBRATION = 0.1


def percent(value: float | None) -> str:
    """Return a share as a percentage, or `n/a`; only an exact 0 or 1 reads 0 % or 100 %."""
    if value is None:
        return "n/a"
    text = f"{value:.0%}" if value in (0, 1) else f"{value:.1%}"
    if 0 < value < 1 and text in ("0.0%", "100.0%"):
        text = "< 0.1%" if value < 0.5 else "> 99.9%"
    return text.replace("%", "\N{NO-BREAK SPACE}%").replace("< ", "<\N{NO-BREAK SPACE}").replace(
        "> ", ">\N{NO-BREAK SPACE}")


def listing(names: list[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def summary(scores: Scores) -> str:
    """Return the whole in one or two sentences."""
    if scores.overlapping:
        first = (f"{percent(scores.accuracy)} of the yes-or-no answers, one per class and pixel, "
                 f"agree with the labels of {scores.pixels:,} pixels.")
    else:
        first = (f"{percent(scores.accuracy)} of {scores.pixels:,} labelled pixels were given the "
                 "class that their label shows.")
    best = [item for item in scores.classes if item.iou is not None]
    if len(best) < 2:
        return first
    best.sort(key=lambda item: item.iou or 0.0)
    return (f"{first} The best mapped class is {best[-1].name} (IoU {best[-1].iou:.2f}), the "
            f"poorest {best[0].name} (IoU {best[0].iou:.2f}).")


def class_sentence(item: ClassScores) -> str:
    """Return what recall and precision of one class mean."""
    if item.support == 0:
        return (f"no label shows it, so it cannot be scored; {item.predicted:,} pixels were given "
                "it all the same.") if item.predicted else "no label shows it, and none was mapped."
    found = f"of the pixels labelled {item.name}, {percent(item.recall)} were found"
    if item.precision is None:
        return f"{found}; none was mapped as {item.name}."
    return f"{found}; of those mapped as {item.name}, {percent(item.precision)} are labelled so."


def caveats(scores: Scores, card: ModelCard, plan: ChipPlan, split: str) -> Iterator[str]:
    """Yield what a reader must know before trusting the scores.

    Args:
        scores: The scores.
        card: Card of the model.
        plan: The chip plan.
        split: The split that was scored.
    """
    yield ("The labels are taken for the truth, but OpenStreetMap and land-cover maps are no "
           "survey. Where labels are incomplete, out of date or shifted, a right pixel counts as "
           "wrong and a wrong one as right: the scores say how well the map agrees with them.")
    yield _about_split(plan, split)
    count = len(plan.rows(split))
    if count < _FEW_CHIPS:
        yield (f"Only {count} {'chip was' if count == 1 else 'chips were'} scored. "
               "Another choice of chips could give quite different numbers.")
    yield from _class_caveats(scores)
    if scores.ece is not None and scores.ece > _POOR_CALIBRATION:
        yield ("The probabilities are poorly calibrated here (see the reliability diagram). Use "
               "them to rank pixels, not as chances.")
    if not card.georeferenced:
        yield ("The images have no georeference. All sizes and distances are in pixels, and "
               "nothing here claims a place on the Earth.")


def _about_split(plan: ChipPlan, split: str) -> str:
    if split == "train":
        return ("These are the chips the model was trained on. The scores say how well it "
                "remembers them, nothing about how well it maps a new area.")
    if split == "val":
        return ("The validation chips decided when training stopped, and set the thresholds and "
                "the temperature. The scores are therefore a little too good.")
    if set(plan.rows("test")["scene"]) & set(plan.rows("train")["scene"]):
        return ("The test chips lie in the same scenes as training chips, though apart from them. "
                "In another region, season or sensor expect lower scores.")
    return ("The test chips lie in scenes without training chips. In a region, season or sensor "
            "that differs more than these scenes do, expect lower scores.")


def _class_caveats(scores: Scores) -> Iterator[str]:
    missing = [item.name for item in scores.classes if item.support == 0]
    if missing:
        yield (f"No label shows {listing(missing)}: not scored, and left out of the means, which "
               f"are over {scores.classes_scored} of {len(scores.classes)} classes.")
    scarce = [f"{item.name} ({item.support:,} px)" for item in scores.classes
              if 0 < item.support < _FEW_PIXELS]
    if scarce:
        yield (f"Few labelled pixels show {listing(scarce)}; the scores there are uncertain.")
