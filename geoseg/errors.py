"""Every error that geoseg raises on purpose, in one tree.

::

    GeosegError
    ├── Cancelled          the caller asked to stop
    ├── GridError          no georeference, or two rasters that do not line up
    ├── RasterError        a raster that cannot be read, or holds the wrong thing
    ├── SourceError        a label source: vector file, OpenStreetMap, land-cover map
    ├── RecipeError        the recipe contradicts itself or holds an unknown key
    ├── PlanError          a chip plan that cannot be made, or no longer fits its scenes
    ├── TrainingError      training cannot start or must stop
    ├── ModelError         a model file that cannot be used, here or with this image
    └── OutputError        a result that cannot be written

A message always has three parts: the subject (a file, a layer, a key), what was found there,
and what to do about it. The constructor asks for all three, so none can be forgotten.
"""

from __future__ import annotations

from pathlib import Path


class GeosegError(Exception):
    """An expected failure whose text can be shown to the user as it is.

    Args:
        subject: The file, layer, recipe key or option that the error is about.
        found: What was found there, as the rest of a sentence.
        cure: What the user can do about it, as a sentence without its full stop.
    """

    def __init__(self, subject: str | Path, found: str, cure: str) -> None:
        self.subject = str(subject)
        self.found = found
        self.cure = cure
        super().__init__(f"{self.subject}: {found}. {cure}.")

    def __reduce__(self) -> tuple[type[GeosegError], tuple[str, str, str]]:
        return type(self), (self.subject, self.found, self.cure)


class Cancelled(GeosegError):
    """Raised inside a progress callback to stop a verb; everything half-made is removed."""

    def __init__(self, subject: str = "geoseg", found: str = "was cancelled",
                 cure: str = "Nothing half-made was left; start again when you like") -> None:
        super().__init__(subject, found, cure)


class GridError(GeosegError):
    """A raster without georeference, or two rasters whose pixels do not line up."""


class RasterError(GeosegError):
    """A raster that cannot be read, or whose contents do not suit the task."""


class SourceError(GeosegError):
    """A source of labels that cannot be fetched, read or matched to the recipe."""


class RecipeError(GeosegError):
    """A recipe that contradicts itself or holds an unknown key."""


class PlanError(GeosegError):
    """A chip plan that cannot be made, or that no longer fits its scenes."""


class TrainingError(GeosegError):
    """Training that cannot start, or had to stop; the last good state is kept."""


class ModelError(GeosegError):
    """A model file that cannot be read, or does not suit the image."""


class OutputError(GeosegError):
    """A result that cannot be written where it was asked for."""
