"""`Recipe`: one TOML file that holds everything which must agree along the way.

Classes with their OpenStreetMap tags and land-cover codes, road widths in metres, bands, chips,
augmentation, network, loss, and how to turn probabilities into a map. Paths stay out of it, so that
one recipe serves many places. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from geoseg.errors import RecipeError
from geoseg.geo.legend import Legend, LegendClass

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Tags = dict[str, Literal[True] | str | list[str]]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]

DEFAULT_WIDTHS = {
    "motorway": 14.0, "trunk": 14.0, "primary": 9.0, "secondary": 9.0, "tertiary": 6.5,
    "unclassified": 6.5, "residential": 6.5, "living_street": 6.5, "motorway_link": 9.0,
    "trunk_link": 9.0, "primary_link": 9.0, "secondary_link": 6.5, "tertiary_link": 6.5,
    "service": 3.5, "track": 3.5, "path": 1.5, "footway": 1.5, "cycleway": 2.0, "pedestrian": 4.0,
    "river": 10.0, "canal": 8.0, "stream": 2.0, "ditch": 1.0, "rail": 3.0,
}
"""Width in metres of a line by the value of its tag, where neither the line nor the recipe says."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ClassRecipe(_Section):
    """One class: how it is called and drawn, and which sources show it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    """Name as it appears in legends, reports and attribute tables."""
    color: Color
    """Colour as `#rrggbb`."""
    osm: Tags = {}
    """OpenStreetMap tags: `{ building = true }` for any value, `{ natural = ["water", "bay"] }`
    for some. A feature with any of the tags belongs to the class. The same rule matches the
    attributes of any other vector file."""
    codes: list[int] = []
    """Values of a land-cover raster, or of an attribute `class`, `code` or `value`."""
    optional: bool = False
    """Whether training may go on when no training chip shows the class; otherwise it is refused,
    since the model could not learn it."""
    width: dict[str, Positive] = {}
    """Width in metres of lines and points by tag value, with `default` for the rest; overrides
    the built-in table."""


class LabelsRecipe(_Section):
    """How labels are burnt."""

    uncovered: Literal["background", "ignore"] = "background"
    """What a pixel becomes that no source covers: the first class, or left out of training."""
    edge_ignore: Annotated[float, Field(ge=0)] = 0.0
    """Metres (pixels in pixel space) on both sides of a class edge that are left out of training,
    since labels are rarely exact there."""


class ImageRecipe(_Section):
    """Which bands are used, and how they are scaled."""

    bands: list[Annotated[int, Field(ge=1)]] | None = None
    """1-based bands; all but alpha if not given."""
    scaling: Literal["statistics", "range"] = "statistics"
    """`statistics`: subtract the mean and divide by the standard deviation of the training data,
    per band. `range`: map `low`..`high` to -1..1."""
    low: float | None = None
    """Lower end of `range`."""
    high: float | None = None
    """Upper end of `range`."""

    @model_validator(mode="after")
    def _range_has_ends(self) -> ImageRecipe:
        if self.scaling == "range" and (self.low is None or self.high is None
                                        or self.low >= self.high):
            raise ValueError('scaling = "range" needs low and high, with low < high')
        return self


class ChipsRecipe(_Section):
    """How a scene is cut into training, validation and test chips."""

    size: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] = 256
    """Side of a chip in pixels."""
    split: tuple[float, float, float] = (70.0, 15.0, 15.0)
    """Shares of training, validation and test area."""
    block: Annotated[int, Field(ge=1)] | None = None
    """Side in chips of the spatial blocks that go to one split as a whole; by default 8, or less
    where the scenes are too small for two dozen such blocks."""
    seed: int = 0
    """Seed of the assignment of blocks to splits."""


class AugmentRecipe(_Section):
    """Random changes to training chips; image and label move together."""

    turns: Literal["none", "flip", "d4"] = "d4"
    """`d4`: the eight flips and quarter turns; `flip`: left-right only."""
    scale: tuple[Positive, Positive] = (0.75, 1.33)
    """Range of the ground size of a crop, relative to the chip."""
    brightness: Annotated[float, Field(ge=0)] = 0.2
    """Standard deviation of a shift of all bands together, in standard deviations of the band."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest relative change of contrast, of all bands together."""
    band_shift: Annotated[float, Field(ge=0)] = 0.05
    """Standard deviation of a shift of each band on its own, in standard deviations."""
    band_mix: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of a random mixing of the bands, which changes hue and saturation: each
    band takes so much of all bands together, in standard deviations."""
    noise: Annotated[float, Field(ge=0)] = 0.02
    """Standard deviation of pixel noise, in standard deviations of the band."""
    speckle_looks: Annotated[float, Field(ge=0)] = 0.0
    """SAR speckle for images in dB: number of looks of the added gamma noise; 0 for none."""
    rotation: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Largest rotation in degrees either way, on top of `turns`."""


class TrainRecipe(_Section):
    """Network, loss and schedule."""

    network: str = "unet"
    """Architecture by its segmentation-models-pytorch name (unet, unetplusplus, fpn,
    deeplabv3plus, segformer, ...), or `classic-unet`, the plain U-Net without an encoder made for
    photographs."""
    encoder: str = "resnet18"
    """Encoder by its smp or timm (`tu-...`) name."""
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    """Stages of the encoder, or levels of a classic-unet. Fewer make a smaller network that sees
    less far and learns less by heart: better with few scenes, or where the surroundings of a pixel
    say little."""
    width: Annotated[int, Field(ge=4, le=128)] = 32
    """Channels of the first level of a classic-unet; 64 in the original."""
    pretrained: bool = True
    """Start the encoder from ImageNet weights where they can be fetched."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout of whole feature maps before the last layer."""
    detail: Annotated[int, Field(ge=0, le=256)] = 16
    """Channels of a shallow branch at full resolution that sharpens the network's answer, since
    encoders begin by halving the image; 0 for none."""
    reduce: Annotated[int, Field(ge=1, le=8)] = 1
    """The network works on the image averaged over squares of so many pixels, and its answer is
    brought back to the image's grid. For images much finer than the objects in them: it sees
    farther and learns from more ground in the same time. 1 for none."""
    loss: str = "ce + dice"
    """Weighted sum of ce (bce for overlapping classes) and dice, e.g. `0.7*ce + 0.3*dice`."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs classes in ce by the inverse square root of their share."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Share of certainty taken from the labels in ce."""
    steps: Annotated[int, Field(ge=1)] = 2000
    """Optimiser steps."""
    batch: Annotated[int, Field(ge=1)] = 8
    """Crops per step and device."""
    crop: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] | None = None
    """Side in pixels of the crops given to the network; the chip size if not given. Larger crops
    show more surroundings where training chips lie side by side."""
    learning_rate: Positive = 1e-3
    """Peak of the one-cycle schedule."""
    encoder_factor: Positive = 0.1
    """Factor on the learning rate of a pretrained encoder."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    """Of AdamW."""
    clip: Positive = 1.0
    """Largest gradient norm."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Decay of the moving average of the weights, which is what is validated and kept; 0: off."""
    validate_every: Annotated[int, Field(ge=1)] = 100
    """Steps between validations."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Validations without improvement after which training stops."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Arithmetic: `auto` takes bf16 where the processor has it."""
    seed: int = 0
    """Seed of weights, sampling and augmentation."""


class PredictRecipe(_Section):
    """How a scene is predicted."""

    tile: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = 512
    """Side of a tile in pixels."""
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    """Fraction of a tile shared with its neighbour and blended."""
    tta: bool = False
    """Average over the eight flips and quarter turns: slower by 8, slightly better."""


class MapRecipe(_Section):
    """How probabilities become a map."""

    threshold: Fraction | dict[str, Fraction] | None = None
    """Of one class or of all; see `classify`. By default what validation found best."""
    min_area: Annotated[float, Field(ge=0)] = 0.0
    """Smaller patches are merged into their largest neighbour: m², or pixels in pixel space."""
    simplify: Annotated[float, Field(ge=0)] = 0.0
    """Tolerance of polygon simplification: metres, or pixels in pixel space."""
    water: str | None = None
    """Class whose edge is the coastline; no coastline is traced without it."""
    min_length: Annotated[float, Field(ge=0)] = 0.0
    """Shorter coastlines are dropped: metres, or pixels in pixel space."""
    smooth: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Standard deviation in pixels of the smoothing before the coastline is traced."""


class Recipe(_Section):
    """Everything that must agree between labels, training, prediction and maps."""

    name: str
    """Short name of the recipe."""
    description: str = ""
    """One sentence for the analyst."""
    task: Literal["exclusive", "overlapping"] = "exclusive"
    """`exclusive`: each pixel has one class. `overlapping`: each class is a yes or no."""
    licence: str = ""
    """Licence and attribution that a model trained with this recipe shall carry."""
    georeferenced: bool = True
    """False for images without a place on the Earth; everything then happens in pixels."""
    classes: Annotated[list[ClassRecipe], Field(alias="class", min_length=1, max_length=250)]
    """The classes in burn order: where sources overlap, the later class wins."""
    labels: LabelsRecipe = LabelsRecipe()
    image: ImageRecipe = ImageRecipe()
    chips: ChipsRecipe = ChipsRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    train: TrainRecipe = TrainRecipe()
    predict: PredictRecipe = PredictRecipe()
    map: MapRecipe = MapRecipe()

    @field_validator("classes")
    @classmethod
    def _names_differ(cls, classes: list[ClassRecipe]) -> list[ClassRecipe]:
        names = [item.name for item in classes]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"two classes are called {doubles[0]!r}")
        return classes

    @model_validator(mode="after")
    def _references_hold(self) -> Recipe:
        if self.task == "exclusive" and len(self.classes) < 2:
            raise ValueError("needs at least two classes; add a background class")
        names = [item.name for item in self.classes]
        wanted = [self.map.water] if self.map.water else []
        if isinstance(self.map.threshold, dict):
            wanted += list(self.map.threshold)
        for name in wanted:
            if name not in names:
                raise ValueError(f"[map] names class {name!r}, which is not defined")
        return self

    @property
    def legend(self) -> Legend:
        """The classes with their values 0, 1, 2, ... in recipe order."""
        return Legend(tuple(LegendClass(value, item.name, item.color.lower())
                            for value, item in enumerate(self.classes)),
                      overlapping=self.task == "overlapping")

    def without(self, *sections: str) -> Recipe:
        """Return the recipe with the named sections at their defaults.

        Two recipes that agree without the sections that a step does not use make the same product
        in that step.
        """
        return self.model_copy(update={
            name: type(self).model_fields[name].get_default() for name in sections})

    @classmethod
    def of(cls, recipe: Recipe | str | Path) -> Recipe:
        """Return a recipe as it is, or read it; what every verb does with its argument."""
        return recipe if isinstance(recipe, Recipe) else cls.read(recipe)

    @classmethod
    def read(cls, source: str | Path) -> Recipe:
        """Read a recipe from a TOML file, or a shipped one by its name.

        Raises:
            RecipeError: No such recipe, not TOML, an unknown key, or a value out of range.
        """
        path = Path(source)
        if path.suffix != ".toml":
            return cls.parse(recipe_text(str(source)).encode(), str(source))
        if not path.is_file():
            raise RecipeError(path, "does not exist", "Check the path")
        return cls.parse(path.read_bytes(), str(source))

    @classmethod
    def parse(cls, text: bytes, subject: str = "recipe") -> Recipe:
        """Parse the bytes of a TOML recipe.

        Raises:
            RecipeError: See `read`.
        """
        try:
            data = tomllib.loads(text.decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecipeError(subject, f"is not valid TOML ({error})", "Mend that line") from error
        return cls.from_dict(data, subject)

    @classmethod
    def from_dict(cls, data: dict[str, Any], subject: str = "recipe", *,
                  cure: str = "Correct it in the recipe") -> Recipe:
        """Check values as they would stand in a TOML file; the inverse of `to_dict`.

        Raises:
            RecipeError: An unknown key, or a value out of range, which `cure` tells how to mend.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(subject, *_explain(error, cure)) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values, as it would stand in a TOML file."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def shipped_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with geoseg."""
    folder = resources.files("geoseg") / "recipes"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir()
                        if item.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the TOML text of a shipped recipe.

    Raises:
        RecipeError: There is no recipe of that name.
    """
    if name not in shipped_recipes():
        raise RecipeError(name, "is neither a .toml file nor a shipped recipe",
                          f"Shipped are {', '.join(shipped_recipes())}")
    return (resources.files("geoseg") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, for editors that complete and check TOML."""
    return Recipe.model_json_schema(by_alias=True)


def _explain(error: ValidationError, cure: str) -> tuple[str, str]:
    """Turn the first of pydantic's findings into (found, cure)."""
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        *section, name = first["loc"]
        known = _known_keys(tuple(section))
        nearest = _elsewhere(str(name)) if not section else []
        nearest += difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]!r}?" if nearest else "Remove it."
        return f"has an unknown key {place}", f"{hint} Known here: {', '.join(sorted(known))}"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    lead = f"{place}: " if place else ""
    return f"{lead}{message[:1].lower() + message[1:]}{shown}", cure


def _elsewhere(name: str) -> list[str]:
    """Return the dotted names of the keys in sections that are called so."""
    return [f"{section}.{name}" for section, field in Recipe.model_fields.items()
            if isinstance(field.default, BaseModel) and name in _known_keys((section,))]


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Recipe
    for step in place:
        if isinstance(step, str):
            model = ClassRecipe if step == "class" else type(
                Recipe.model_fields[step].get_default())
    return [field.alias or name for name, field in model.model_fields.items()]
