"""The formula of a loss: `0.7*ce + focal(gamma=2, alpha=0.25)`, read without torch.

So a recipe with a mistake in it is refused where it is read, and every choice stands in one table.
What the losses compute stands in `geoseg.learn.losses`.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """A number that a loss takes; `ends` says whether its bounds belong to it, as in `(0, 1]`."""

    default: float | None
    low: float
    high: float = math.inf
    ends: str = "[)"

    def admits(self, value: float) -> bool:
        """Return whether a value lies within the bounds."""
        above = value >= self.low if self.ends[0] == "[" else value > self.low
        below = value <= self.high if self.ends[1] == "]" else value < self.high
        return above and below

    @property
    def bounds(self) -> str:
        """The bounds in words, such as `more than 0, at most 1`."""
        words = [f"{'at least' if self.ends[0] == '[' else 'more than'} {self.low:g}"]
        if math.isfinite(self.high):
            words.append(f"{'at most' if self.ends[1] == ']' else 'less than'} {self.high:g}")
        return ", ".join(words)


@dataclass(frozen=True)
class Term:
    """One loss of a sum.

    Attributes:
        weight: Factor on the loss, more than 0.
        name: One of `LOSSES`.
        options: All options of the loss that were given or have a default.
    """

    weight: float
    name: str
    options: dict[str, float]


_SMOOTH = Option(1.0, 0)
_REACH = Option(math.inf, 0, ends="()")
_TVERSKY = {"alpha": Option(0.3, 0, ends="()"), "beta": Option(0.7, 0, ends="()"),
            "smooth": _SMOOTH}

OPTIONS: dict[str, dict[str, Option]] = {
    "ce": {"heatmap": Option(None, 0, ends="()"), "blur": Option(None, 0, ends="()")},
    "dice": {"smooth": _SMOOTH},
    "iou": {"smooth": _SMOOTH},
    "focal": {"gamma": Option(2.0, 0), "alpha": Option(None, 0, 1, ends="()")},
    "tversky": _TVERSKY,
    "focal-tversky": {**_TVERSKY, "gamma": Option(4 / 3, 0, ends="()")},
    "lovasz": {},
    "exp-log": {"gamma": Option(0.3, 0, ends="()"), "dice": Option(0.8, 0, 1, ends="[]"),
                "smooth": _SMOOTH},
    "boundary": {"reach": _REACH},
    "hausdorff": {"alpha": Option(2.0, 0, ends="()"), "reach": _REACH},
    "gce": {"q": Option(0.7, 0, 1, ends="(]")},
}
"""Options of the losses by name; docs/methods/losses.md says what they mean."""

LOSSES: tuple[str, ...] = tuple(OPTIONS)
ALIASES = {"bce": "ce", "jaccard": "iou"}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TERM = re.compile(rf"\s*(?:(?P<weight>{_NUMBER})\s*\*\s*)?(?P<name>[A-Za-z][\w-]*)\s*"
                   r"(?:\((?P<options>[^()]*)\)\s*)?(?=\+|$)")
_OPTION = re.compile(rf"\s*(?P<name>[A-Za-z]\w*)\s*=\s*(?P<value>{_NUMBER})\s*")


def parse_loss(formula: str) -> list[Term]:
    """Read a weighted sum of losses.

    Args:
        formula: For example `ce + dice` or `0.7*ce + 0.3*tversky(alpha=0.3, beta=0.7)`.

    Raises:
        ValueError: The formula cannot be read, names an unknown loss or option, or gives a weight
            or an option that is out of bounds; the message is one sentence with the cure.
    """
    terms, place = [], 0
    while True:
        match = _TERM.match(formula, place)
        if match is None:
            raise ValueError(f"{formula[place:].strip()!r} is not a loss; write a sum such as "
                             f"0.7*ce + 0.3*tversky(alpha=0.3, beta=0.7)")
        terms.append(_term(match["weight"], match["name"], match["options"]))
        place = match.end() + 1
        if place > len(formula):
            return terms


def check_loss(formula: str, classes: int, *, overlapping: bool) -> None:
    """Refuse a loss that does not suit the classes.

    Args:
        formula: See `parse_loss`.
        classes: How many classes there are.
        overlapping: Whether each class is a yes or no of its own.

    Raises:
        ValueError: As `parse_loss`; the alpha of focal meets more than two exclusive classes; or
            ce has a heatmap of exclusive classes, or a blur besides.
    """
    for term in parse_loss(formula):
        if {"heatmap", "blur"} <= set(term.options):
            raise ValueError("ce is given both heatmap and blur, which are two targets; leave out "
                             "one")
        if "heatmap" in term.options and not overlapping:
            raise ValueError(
                "heatmap of ce is for overlapping classes: exclusive ones must add up to 1, and "
                f"their heat does not; write ce(blur={term.options['heatmap']:g}), or set task to "
                "overlapping")
        if term.name == "focal" and "alpha" in term.options and not overlapping and classes > 2:
            raise ValueError(
                f"alpha of focal weighs a class against the other one, and there are {classes} "
                f"exclusive classes; write {term.options['alpha']:g}*focal for a factor, or weigh "
                "the classes by train.class_weights")


def _term(weight: str | None, given: str, options: str | None) -> Term:
    """Check the parts of one term."""
    name = ALIASES.get(given, given)
    if name not in OPTIONS:
        raise ValueError(f"{given!r} is not a loss; {_nearest(given, (*LOSSES, *ALIASES))}")
    factor = float(weight or 1)
    if not 0 < factor < math.inf:
        raise ValueError(f"the weight {weight} of {given} must be more than 0; leave out a loss "
                         "that shall not count")
    return Term(factor, name, _options(given, OPTIONS[name], options))


def _options(loss: str, known: dict[str, Option], text: str | None) -> dict[str, float]:
    """Read `name=value, ...` and fill in the defaults."""
    values = {name: option.default for name, option in known.items() if option.default is not None}
    given: set[str] = set()
    for part in text.split(",") if text and text.strip() else []:
        match = _OPTION.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} in the options of {loss} cannot be read; write "
                             f"name=number, separated by commas")
        name, value = match["name"], float(match["value"])
        if name not in known:
            raise ValueError(f"{loss} has no option {name!r}; {_nearest(name, tuple(known))}")
        if name in given:
            raise ValueError(f"{loss} is given {name} twice; leave out one")
        if not known[name].admits(value):
            raise ValueError(f"{name}={match['value']} of {loss} must be {known[name].bounds}")
        given.add(name)
        values[name] = value
    return values


def _nearest(given: str, known: tuple[str, ...]) -> str:
    """Say which name may have been meant, and which there are."""
    if not known:
        return "it takes none"
    near = difflib.get_close_matches(given.lower().replace("_", "-"), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known are {', '.join(known)}"
