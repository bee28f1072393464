"""One model or several that answer together: the weighted mean of their calibrated logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg.errors import ModelError
from geoseg.learn.card import BandCard, ModelCard, read_card
from geoseg.learn.model import Model

Models = Model | str | Path | Sequence[Model | str | Path]
"""A model or its file, or several."""

Bands = tuple[BandCard, ...]
"""What a network sees of an image: which bands, and how they are scaled."""

_SAME_RESOLUTION = 1.25


@dataclass(frozen=True)
class Ensemble:
    """Models with weights that add up to one; they agree in what they map, and at which scale."""

    models: tuple[Model, ...]
    weights: tuple[float, ...]

    @classmethod
    def load(cls, models: Models, weights: Sequence[float] | None, device: str) -> Ensemble:
        """Load models, after a look at their cards.

        Args:
            models: See `Models`.
            weights: One positive weight per model; by default all count the same.
            device: `auto`, `cpu`, `cuda`, `mps`; for those that are not loaded yet.

        Raises:
            ModelError: None is given, the weights do not suit them, or they do not go together.
        """
        several = [models] if isinstance(models, Model | str | Path) else list(models)
        shares = _shares(weights, len(several))
        _check_agreement([(_name(model), model.card if isinstance(model, Model)
                           else read_card(model)) for model in several])
        return cls(tuple(model if isinstance(model, Model) else Model.load(model, device=device)
                         for model in several), shares)

    @property
    def card(self) -> ModelCard:
        """The first model's card; in what they map, all say the same."""
        return self.models[0].card

    @property
    def thresholds(self) -> dict[str, float]:
        """The weighted mean threshold of each class for which every model has one."""
        cards = [model.card for model in self.models]
        return {name: sum(weight * card.thresholds[name]
                          for weight, card in zip(self.weights, cards, strict=True))
                for name in self.card.thresholds
                if all(name in card.thresholds for card in cards)}

    @property
    def inputs(self) -> tuple[Bands, ...]:
        """The different things that the models see."""
        return tuple(dict.fromkeys(tuple(model.card.bands) for model in self.models))


def _name(model: Model | str | Path) -> str:
    return str(model.path or model.card.name) if isinstance(model, Model) else str(model)


def _shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    if count == 0:
        raise ModelError("model", "is not given", "Give a model, or several")
    if weights is None:
        weights = [1.0] * count
    if len(weights) != count:
        raise ModelError("weights", f"are {len(weights)} for {count} models",
                         "Give each model one, or leave them out")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ModelError("weights", f"are {', '.join(f'{weight:g}' for weight in weights)}",
                         "Give positive numbers")
    return tuple(weight / sum(weights) for weight in weights)


def _check_agreement(cards: Sequence[tuple[str, ModelCard]]) -> None:
    """Refuse models that map different things, or the same at different scales."""
    (first, known), *others = cards
    for name, card in others:
        found = _difference(card, known)
        if found:
            raise ModelError(name, f"{found} {first}", "Only models of the same classes, task and "
                             "pixel size can predict together")


def _difference(card: ModelCard, known: ModelCard) -> str:
    names, others = ([item.name for item in each.classes] for each in (card, known))
    if names != others:
        return f"maps {', '.join(names)}, not {', '.join(others)} as"
    if card.task != known.task:
        return f"has {card.task} classes, unlike"
    if card.georeferenced != known.georeferenced:
        return f"{'needs a' if card.georeferenced else 'has no'} georeference, unlike"
    ratio = card.resolution / known.resolution
    if card.georeferenced and not 1 / _SAME_RESOLUTION <= ratio <= _SAME_RESOLUTION:
        return (f"was trained with pixels of {card.resolution:.4g} m, not "
                f"{known.resolution:.4g} m as")
    return ""
