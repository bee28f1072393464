"""Small pictures of scenes, labels and predictions, ready to embed in a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from geoseg.geo.legend import IGNORE, Legend
from geoseg.learn.card import BandCard
from geoseg.learn.scaling import transformed

WRONG = (213, 0, 90)
"""Colour of pixels where label and prediction differ; it is rare in nature and in legends."""
UNKNOWN = (255, 255, 255)
"""Colour of pixels without label or data."""
RIGHT, MISSED, FALSE, LEFT_OUT = (110, 200, 150), (0, 114, 178), (213, 94, 0), (128, 128, 128)
"""Colours of `outcome_picture`: what is right is pale, mistakes are dark, in two colours that all
kinds of eyes tell apart (Okabe and Ito)."""
_NOTHING = (226, 226, 222)
_WORDS = (("red", "b04"), ("green", "b03"), ("blue", "b02"))


def visible_bands(bands: Sequence[BandCard]) -> tuple[int, ...]:
    """Return which bands to show as red, green and blue, or the one to show as grey.

    Bands called red, green and blue (or B04, B03, B02, Sentinel-2's names for them) if there are
    such, else the first three, else the first.

    Returns:
        Places in `bands`: three, or one.
    """
    names = [band.name.lower().split() for band in bands]
    found = [next((i for i, name in enumerate(names) if set(name) & set(words)), None)
             for words in _WORDS]
    chosen = tuple(place for place in found if place is not None)
    if len(chosen) == 3:
        return chosen
    return (0, 1, 2) if len(bands) >= 3 else (0,)


def image_picture(values: np.ndarray, valid: np.ndarray, bands: Sequence[BandCard]) -> np.ndarray:
    """Return an image as it is best seen: stretched between the 1 % and 99 % training values.

    Args:
        values: (bands, rows, columns) raw pixel values of `bands`.
        valid: bool (rows, columns).
        bands: Cards of the bands.

    Returns:
        uint8 (rows, columns, 3), white where not valid.
    """
    places = visible_bands(bands)
    low = np.array([bands[i].low for i in places])[:, None, None]
    high = np.array([bands[i].high for i in places])[:, None, None]
    shown = transformed(values[list(places)], [bands[i] for i in places])
    shown = np.where(valid, shown, low)
    stretched = np.clip((shown - low) / np.maximum(high - low, 1e-9), 0, 1)
    # The eye sees differences in the dark better than a linear screen shows them.
    picture = np.round(stretched ** 0.8 * 255).astype(np.uint8)
    picture = np.broadcast_to(picture, (3, *valid.shape)).transpose(1, 2, 0).copy()
    picture[~valid] = UNKNOWN
    return picture


def class_picture(values: np.ndarray, legend: Legend) -> np.ndarray:
    """Return labels or a class map in the colours of the legend.

    Args:
        values: uint8 (label bands, rows, columns); 255 is shown white. Of overlapping classes
            the later one covers the earlier.
        legend: The classes.

    Returns:
        uint8 (rows, columns, 3).
    """
    if not legend.overlapping:
        table = np.full((256, 3), UNKNOWN, np.uint8)
        for item in legend:
            table[item.value] = item.rgb
        return np.asarray(table[values[0]])
    picture = np.full((*values.shape[1:], 3), _NOTHING, np.uint8)
    for item in legend:
        picture[values[item.value] == 1] = item.rgb
    picture[(values == IGNORE).all(axis=0)] = UNKNOWN
    return picture


def difference_picture(image: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return the image in pale grey with the wrong pixels in a colour that stands out.

    Args:
        image: uint8 (rows, columns, 3).
        wrong: bool (rows, columns).

    Returns:
        uint8 (rows, columns, 3).
    """
    picture = _pale(image)
    picture[wrong] = WRONG
    return picture


def outcome_picture(image: np.ndarray, mapped: np.ndarray, labelled: np.ndarray, known: np.ndarray
                    ) -> np.ndarray:
    """Return the image in pale grey with the one class that was found, missed, or mapped wrongly.

    Args:
        image: uint8 (rows, columns, 3).
        mapped: bool (rows, columns): where the class map shows the class.
        labelled: bool (rows, columns): where the label does.
        known: bool (rows, columns): where there are label and data.

    Returns:
        uint8 (rows, columns, 3): `RIGHT` where both show it, `MISSED` where only the label does,
        `FALSE` where only the map does, `LEFT_OUT` where nothing is known.
    """
    picture = _pale(image)
    picture[mapped & labelled] = RIGHT
    picture[labelled & ~mapped] = MISSED
    picture[mapped & ~labelled] = FALSE
    picture[~known] = LEFT_OUT
    return picture


def _pale(image: np.ndarray) -> np.ndarray:
    grey = image.mean(axis=2, keepdims=True) * 0.6 + 100
    return np.broadcast_to(np.clip(grey, 0, 255), image.shape).astype(np.uint8)


def shrink(picture: np.ndarray, side: int, *, categories: bool = False) -> np.ndarray:
    """Return the picture with its longer side at most `side` pixels."""
    import cv2

    rows, columns = picture.shape[:2]
    factor = side / max(rows, columns)
    if factor >= 1:
        return picture
    size = max(1, round(columns * factor)), max(1, round(rows * factor))
    how = cv2.INTER_NEAREST if categories else cv2.INTER_AREA
    smaller: np.ndarray = cv2.resize(picture, size, interpolation=how)
    return smaller


def png_uri(picture: np.ndarray) -> str:
    """Return uint8 (rows, columns, 3) as a `data:` address of a PNG."""
    import cv2

    _, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
