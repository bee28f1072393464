"""`Legend`: the classes of a map with their values, names and colours; it travels in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoseg.errors import RasterError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

IGNORE = 255
"""Value of label pixels left out of training and scores, and of class-map pixels without data."""

_TAG = "GEOSEG_LEGEND"


@dataclass(frozen=True, slots=True)
class LegendClass:
    """One class of a map."""

    value: int
    """Pixel value in label rasters and class maps; also the class's place in the network."""
    name: str
    """Name as the analyst reads it."""
    color: str
    """Colour as `#rrggbb`."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """(red, green, blue), each 0 to 255."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


@dataclass(frozen=True, slots=True)
class Legend:
    """The classes of a map in order of their values 0, 1, 2, ...

    With `overlapping` classes a pixel may belong to several at once: label rasters and class maps
    then have one band per class, holding 0 or 1.
    """

    classes: tuple[LegendClass, ...]
    """The classes; position equals value."""
    overlapping: bool = False
    """Whether a pixel may belong to several classes."""

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LegendClass]:
        return iter(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order of their values."""
        return tuple(item.name for item in self.classes)

    @property
    def label_bands(self) -> int:
        """Bands of a label raster or class map: one, or one per overlapping class."""
        return len(self) if self.overlapping else 1

    def value_of(self, name: str) -> int:
        """Return the value of the named class.

        Raises:
            RasterError: No class has that name.
        """
        if name not in self.names:
            raise RasterError(f"class {name!r}", f"is not one of {', '.join(self.names)}",
                              "Use one of these names")
        return self.names.index(name)

    def colormap(self) -> dict[int, tuple[int, int, int, int]]:
        """Return the GeoTIFF colour table: value to (red, green, blue, alpha)."""
        table = {item.value: (*item.rgb, 255) for item in self.classes}
        return {**table, IGNORE: (0, 0, 0, 0)}

    def to_dict(self) -> dict[str, Any]:
        """Return the legend as JSON-ready values."""
        return {
            "overlapping": self.overlapping,
            "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in self],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Legend:
        """Return the legend that `to_dict` described."""
        classes = tuple(LegendClass(int(c["value"]), str(c["name"]), str(c["color"]))
                        for c in data["classes"])
        return cls(classes, bool(data.get("overlapping", False)))

    def tags(self) -> dict[str, str]:
        """Return the raster tags that carry this legend in a file."""
        return {_TAG: json.dumps(self.to_dict(), ensure_ascii=False)}

    @classmethod
    def of(cls, dataset: DatasetReader) -> Legend:
        """Return the legend that an open raster carries.

        Raises:
            RasterError: The raster carries none.
        """
        text = dataset.tags().get(_TAG)
        if text is None:
            raise RasterError(dataset.name, "carries no geoseg legend",
                              "Give a raster made by burn-labels, predict or classify; bring "
                              "other land-cover maps in with burn-labels")
        return cls.from_dict(json.loads(text))
