"""Crops put together of several, and crops with a hole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geoseg.samples.augment.geometry import Sample

_MOST_PIECES = 4


def mosaic(sample: Sample, other: Callable[[], Sample], rng: np.random.Generator) -> Sample:
    """Replace some rectangles of a crop by the same rectangles of other crops.

    Multi-sample mosaicing of Hurtik and Vajgl 2021, "Coastline extraction from ALOS-2 satellite SAR
    images": the crop is split into 2 to 4 rectangles; one stays, of the others at least one is
    replaced, and each with probability one half. Every piece brings its own labels.

    Args:
        sample: Image, mask and label of one crop.
        other: Makes another crop of the same size.
        rng: Generator.

    Returns:
        A new sample.
    """
    image, valid, label = (part.copy() for part in sample)
    pieces = rectangles(image.shape[-1], int(rng.integers(2, _MOST_PIECES + 1)), rng)
    rng.shuffle(pieces)
    for number, piece in enumerate(pieces[1:]):
        if number == 0 or rng.integers(2):
            for mine, theirs in zip((image, valid, label), other(), strict=True):
                mine[..., *piece] = theirs[..., *piece]
    return image, valid, label


def rectangles(size: int, count: int, rng: np.random.Generator) -> list[tuple[slice, slice]]:
    """Split a square into rectangles, each time the largest one across its longer side.

    Args:
        size: Side of the square in pixels.
        count: How many rectangles.
        rng: Generator.

    Returns:
        Rows and columns of each; together they hold every pixel once.
    """
    boxes = [(0, size, 0, size)]
    for _ in range(count - 1):
        boxes.sort(key=lambda box: (box[1] - box[0]) * (box[3] - box[2]))
        top, bottom, left, right = boxes.pop()
        share = rng.uniform(0.3, 0.7)
        if bottom - top > right - left or (bottom - top == right - left and rng.integers(2)):
            cut = top + round(share * (bottom - top))
            boxes += [(top, cut, left, right), (cut, bottom, left, right)]
        else:
            cut = left + round(share * (right - left))
            boxes += [(top, bottom, left, cut), (top, bottom, cut, right)]
    return [(slice(top, bottom), slice(left, right)) for top, bottom, left, right in boxes]


def cut_out(image: np.ndarray, largest: float, rng: np.random.Generator) -> None:
    """Blank a random square of an image, in place: it becomes 0, as where there is no data.

    DeVries and Taylor 2017, "Improved regularization of convolutional neural networks with cutout".
    The labels stay: what is hidden must be told from its surroundings.

    Args:
        image: float32 (bands, size, size), scaled.
        largest: Largest share of the crop's area.
        rng: Generator.
    """
    size = image.shape[-1]
    side = round(size * float(np.sqrt(rng.uniform(0, largest))))
    top, left = rng.integers(size - side + 1, size=2)
    image[:, top:top + side, left:left + side] = 0
