"""Made probabilities and labels, and tallies of them."""

from __future__ import annotations

import numpy as np

from geoseg.geo.legend import IGNORE, Legend, LegendClass
from geoseg.learn.metrics import Tally


def make_legend(count, *, overlapping=False):
    return Legend(tuple(LegendClass(i, f"class {i}", "#336699") for i in range(count)),
                  overlapping)


def make_chips(count=3, classes=4, size=24, *, seed=0, skill=2.0, absent=()):
    """Softmax probabilities that lean towards random labels, of which some are ignored."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([c for c in range(classes) if c not in absent], (count, size, size))
    logits = rng.normal(size=(count, classes, size, size))
    logits += skill * (labels[:, None] == np.arange(classes)[:, None, None])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels[rng.random(labels.shape) < 0.1] = IGNORE
    return probabilities.astype(np.float32), labels.astype(np.uint8)


def make_overlapping(count=3, classes=3, size=24, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random((count, classes, size, size)) < 0.3
    logits = rng.normal(size=labels.shape) + 2.0 * labels - 1
    labels = labels.astype(np.uint8)
    labels[rng.random(labels.shape) < 0.1] = IGNORE
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels


def tally_of(legend, probabilities, labels, **options):
    tally = Tally(legend, **options)
    tally.add(probabilities, labels)
    return tally


def per_class(scores, field):
    return [getattr(item, field) for item in scores.classes]
