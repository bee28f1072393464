"""The tables of a recipe that say what is mapped, from what, and how maps are made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from geoseg.recipe.base import Fraction, Positive, Section
from geoseg.recipe.names import Blend, Scaling, Transform, Tta

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Tags = dict[str, Literal[True] | str | list[str]]

DEFAULT_WIDTHS = {
    "motorway": 14.0, "trunk": 14.0, "primary": 9.0, "secondary": 9.0, "tertiary": 6.5,
    "unclassified": 6.5, "residential": 6.5, "living_street": 6.5, "motorway_link": 9.0,
    "trunk_link": 9.0, "primary_link": 9.0, "secondary_link": 6.5, "tertiary_link": 6.5,
    "service": 3.5, "track": 3.5, "path": 1.5, "footway": 1.5, "cycleway": 2.0, "pedestrian": 4.0,
    "river": 10.0, "canal": 8.0, "stream": 2.0, "ditch": 1.0, "rail": 3.0,
}
"""Width in metres of a line by the value of its tag, where neither the line nor the recipe says."""


class ClassRecipe(Section):
    """One class: how it is called and drawn, and which sources show it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    """Name as it appears in legends, reports and attribute tables."""
    color: Color
    """Colour as `#rrggbb`."""
    osm: Tags = Field(default_factory=dict)
    """OpenStreetMap tags: `{ building = true }` for any value, `{ natural = ["water", "bay"] }`
    for some. A feature with any of the tags belongs to the class. The same rule matches the
    attributes of any other vector file."""
    codes: list[int] = Field(default_factory=list)
    """Values of a land-cover raster, or of an attribute `class`, `code` or `value`."""
    optional: bool = False
    """Whether training may go on when no training chip shows the class; otherwise it is refused,
    since the model could not learn it."""
    width: dict[str, Positive] = Field(default_factory=dict)
    """Width in metres of lines and points by tag value, with `default` for the rest; overrides
    the built-in table."""


class LabelsRecipe(Section):
    """How labels are burnt."""

    uncovered: Literal["background", "ignore"] = "background"
    """What a pixel becomes that no source covers: the first class, or left out of training."""
    edge_ignore: Annotated[float, Field(ge=0)] = 0.0
    """Metres (pixels in pixel space) on both sides of a class edge that are left out of training,
    since labels are rarely exact there."""


class ImageRecipe(Section):
    """Which bands are used, and how they are scaled."""

    bands: list[Annotated[int, Field(ge=1)]] | None = None
    """1-based bands; all but alpha if not given."""
    transform: Transform = "none"
    """Applied to stored values before scaling: `sqrt`; `log` of one plus the value; or `sigma0`,
    the backscatter of SAR amplitudes in dB, see `calibration`."""
    calibration: float = -83.0
    """dB added by `sigma0` to 10 log10 of the squared amplitude; that of ALOS PALSAR products."""
    scaling: Scaling = "statistics"
    """`statistics`: subtract the mean and divide by the standard deviation of the training data,
    per band. `range`: map `low`..`high` to -1..1. `quantile`: map the percentiles `low`..`high`
    of the training data, per band, to -1..1, and clip what lies beyond."""
    low: float | None = None
    """Lower end of `range`, or percentile of `quantile` (2 if not given)."""
    high: float | None = None
    """Upper end of `range`, or percentile of `quantile` (98 if not given)."""

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> ImageRecipe:
        if self.scaling == "range" and (self.low is None or self.high is None
                                        or self.low >= self.high):
            raise ValueError('scaling = "range" needs low and high, with low < high')
        if self.scaling == "quantile" and not 0 <= self.ends[0] < self.ends[1] <= 100:
            raise ValueError('scaling = "quantile" needs percentiles 0 <= low < high <= 100')
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Lower and upper end of `range` or `quantile`."""
        return (2.0 if self.low is None else self.low, 98.0 if self.high is None else self.high)


class ChipsRecipe(Section):
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


class PredictRecipe(Section):
    """How a scene is predicted."""

    tile: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = 512
    """Side of a tile in pixels."""
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    """Fraction of a tile shared with its neighbour and blended."""
    blend: Blend = "hann"
    """How overlapping tiles are joined: `hann` tapers them over the overlap, `gauss` weighs by a
    bell over the whole tile, `box` takes plain means, `crop` only the middle of each tile."""
    tta: Tta = "none"
    """Average over the four flips or the eight flips and quarter turns (`d4`): slower by 4 or 8,
    slightly better."""
    scales: Annotated[tuple[Annotated[float, Field(ge=0.25, le=4)], ...],
                      Field(min_length=1)] = (1.0,)
    """Average over the image at these scales; slower by as many."""
    smooth: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Standard deviation in pixels of a Gaussian smoothing of the logits; 0 for none."""

    @field_validator("tta", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> object:
        return {True: "d4", False: "none"}.get(value, value) if isinstance(value, bool) else value


class RefineRecipe(Section):
    """A dense conditional random field that draws class edges to edges of the image."""

    crf: bool = False
    """Whether the chain refines probabilities before they become a map."""
    iterations: Annotated[int, Field(ge=1, le=20)] = 5
    """Mean-field iterations."""
    smoothness: Annotated[float, Field(ge=0)] = 3.0
    """Weight of the kernel that wants neighbours to agree; 0 for none."""
    smoothness_range: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Its standard deviation in pixels."""
    appearance: Annotated[float, Field(ge=0)] = 5.0
    """Weight of the kernel that wants nearby pixels of one look to agree; 0 for none."""
    appearance_range: Annotated[float, Field(gt=0, le=40)] = 8.0
    """Its standard deviation in pixels; the time grows with its square."""
    appearance_values: Positive = 0.5
    """Its standard deviation in standard deviations of the bands."""


class MapRecipe(Section):
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
    objects: str | None = None
    """Class whose patches are objects, such as cells; evaluation then scores how well they are
    kept apart and whole."""
