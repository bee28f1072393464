"""`ModelCard`: everything a model file says about itself; read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geoseg.errors import ModelError
from geoseg.geo.legend import Legend, LegendClass
from geoseg.learn.container import read_document
from geoseg.recipe.names import Transform

FORMAT = "geoseg-model/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BandCard(_Part):
    """One input band: what it is, how it is scaled, and the values seen in training.

    A stored value is transformed, then shifted by the offset, divided by the gain, and clipped.
    """

    index: Annotated[int, Field(ge=1)]
    """1-based band number in the training images."""
    name: str
    """Band description in the training images; may be empty."""
    dtype: str
    """Pixel type of the training images."""
    transform: Transform = "none"
    """Applied to the stored value: see `geoseg.learn.scaling`."""
    calibration: float = 0.0
    """dB that the transform `sigma0` adds."""
    offset: float
    """Subtracted from the transformed value."""
    gain: Annotated[float, Field(gt=0)]
    """Divides the shifted value."""
    clip: bool = False
    """Whether what then lies beyond -1..1 is clipped."""
    low: float
    """First percentile of the training values, transformed."""
    high: float
    """99th percentile of the training values, transformed."""


class ClassCard(_Part):
    """One class."""

    name: str
    """Name as the analyst reads it."""
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
    """Colour as `#rrggbb`."""


class NetworkCard(_Part):
    """The network, as the plain arguments that build it."""

    architecture: str
    encoder: str
    bands: Annotated[int, Field(ge=1, le=1024)]
    classes: Annotated[int, Field(ge=1, le=255)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    detail: Annotated[int, Field(ge=0, le=256)] = 0
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    width: Annotated[int, Field(ge=4, le=128)] = 32
    reduce: Annotated[int, Field(ge=1, le=8)] = 1
    deep_supervision: bool = False
    presence: bool = False

    @property
    def has_encoder(self) -> bool:
        """Whether the network is built around the named encoder; ours bring their own."""
        return "-" not in self.architecture

    @property
    def title(self) -> str:
        """The network in a few words, for a person."""
        if self.has_encoder:
            return f"{self.architecture} with encoder {self.encoder}"
        return f"{self.architecture} of width {self.width}"


class ModelCard(_Part):
    """What a model is, what it needs, and how good it was found to be."""

    format: Literal["geoseg-model/1"] = "geoseg-model/1"
    name: str
    """Name of the recipe it was trained with."""
    created: str
    """UTC time, ISO 8601."""
    geoseg: str
    """Version of geoseg that trained it."""
    task: Literal["exclusive", "overlapping"]
    georeferenced: bool
    classes: list[ClassCard]
    bands: list[BandCard]
    resolution: Annotated[float, Field(gt=0)]
    """Ground size of a training pixel in metres; 1 in pixel space."""
    chip_size: Annotated[int, Field(ge=32)]
    """Side of a training chip in pixels."""
    network: NetworkCard
    precision: Literal["32", "bf16", "16"]
    """Arithmetic used in training."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits so that probabilities match outcomes; fitted on validation chips."""
    thresholds: dict[str, float] = {}
    """Probability above which a class is mapped, found best in validation; for overlapping
    classes and for the second of two classes."""
    scores: dict[str, Any] = {}
    """Scores on the validation chips."""
    training: dict[str, Any] = {}
    """Steps, chips, area and footprint (GeoJSON, WGS 84) of the training data."""
    recipe: dict[str, Any] = {}
    """The recipe, as used."""
    licence: str = ""
    """Licence and attribution of the model and of the data it was trained with."""

    @property
    def legend(self) -> Legend:
        """The classes as a legend."""
        return Legend(tuple(LegendClass(value, item.name, item.color)
                            for value, item in enumerate(self.classes)),
                      overlapping=self.task == "overlapping")


def read_card(path: str | Path) -> ModelCard:
    """Read only the card of a model file.

    Raises:
        ModelError: Not a geoseg model, damaged, or made by a newer version.
    """
    return parse_card(read_document(path, "model"), path)


def parse_card(document: Mapping[str, object], path: str | Path) -> ModelCard:
    """Return the card in the document of a model file.

    Raises:
        ModelError: Made by a newer version, or not a card.
    """
    if document.get("format") != FORMAT:
        raise ModelError(path, f"has format {document.get('format')!r}, this geoseg reads {FORMAT}",
                         "Update geoseg")
    try:
        return ModelCard.model_validate(document)
    except ValidationError as error:
        raise ModelError(path, f"has a card that cannot be read ({error.errors()[0]['msg']})",
                         "Fetch or copy it again, or train again") from error
