"""The tables of a recipe that say how a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from geoseg.recipe.base import Fraction, Positive, Section
from geoseg.recipe.formula import parse_loss
from geoseg.recipe.names import Network, Optimizer, Schedule, Turns


class AugmentRecipe(Section):
    """Random changes to training chips; image and label move together."""

    turns: Turns = "d4"
    """`d4`: the eight flips and quarter turns; `flips`: left-right and up-down; `flip`:
    left-right only."""
    scale: tuple[Positive, Positive] = (0.75, 1.33)
    """Range of the ground size of a crop, relative to the chip."""
    rotation: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Largest rotation in degrees either way, on top of `turns`."""
    shear: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Largest shear in degrees either way, along both axes."""
    elastic: Annotated[float, Field(ge=0, le=32)] = 0.0
    """Standard deviation in pixels of smooth random displacements; 0 for none. More than a third of
    `elastic_scale` folds the image."""
    elastic_scale: Annotated[float, Field(ge=2, le=256)] = 24.0
    """Distance in pixels over which the displacements of `elastic` vary."""
    grid_distortion: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Largest displacement of the nodes of a grid of five by five cells, in cells; those on the
    border of the crop stay. 0 for none."""
    brightness: Annotated[float, Field(ge=0)] = 0.2
    """Standard deviation of a shift of all bands together, in standard deviations of the band."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest relative change of contrast, of all bands together."""
    gamma: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest relative change, up or down, of the exponent of a gamma curve over the range of the
    training values of each band."""
    band_shift: Annotated[float, Field(ge=0)] = 0.05
    """Standard deviation of a shift of each band on its own, in standard deviations."""
    band_mix: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of a random mixing of the bands, which changes hue and saturation: each
    band takes so much of all bands together, in standard deviations."""
    noise: Annotated[float, Field(ge=0)] = 0.02
    """Standard deviation of pixel noise, in standard deviations of the band."""
    speckle_looks: Annotated[float, Field(ge=0)] = 0.0
    """SAR speckle: number of looks of gamma noise on the power; 0 for none. The image holds dB, or
    what `image.transform` makes of stored amplitudes."""
    cutout: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest share of a crop that is blanked by a square of no data, whose labels stay."""
    mosaic: Fraction = 0.0
    """Probability that a crop is cut into rectangles, some of which are taken from other crops."""


class TrainRecipe(Section):
    """Network, loss, optimiser and schedule."""

    network: Network = "unet"
    """Architecture. unet to dpt are those of segmentation-models-pytorch and take an `encoder`; the
    hyphenated ones are built here, see docs/methods/networks.md."""
    encoder: str = "resnet18"
    """Encoder by its smp or timm (`tu-...`) name."""
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    """Stages of the encoder, or levels of a classic-unet and its relatives; not for pspnet, dpt and
    fcn. Fewer make a smaller network that sees less far and learns less by heart: better with few
    scenes, or where the surroundings of a pixel say little."""
    width: Annotated[int, Field(ge=4, le=128)] = 32
    """Channels of the first level of a classic-unet and its relatives, and a 64th of those of the
    last layers of an fcn; 64 in the originals."""
    pretrained: bool = True
    """Start the encoder from ImageNet weights where they can be fetched."""
    deep_supervision: bool = False
    """Train a nested-unet on the answers of all its nested U-Nets, and map with their mean."""
    presence: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the loss of a second answer, whether the crop shows a class at all, which then
    damps the class where it is doubted; for overlapping classes. 0 for none."""
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
    """Weighted sum of losses, e.g. `0.7*ce + 0.3*dice` or `tversky(alpha=0.3, beta=0.7)`; see
    docs/methods/losses.md."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs classes by the inverse square root of their share, in ce, focal, gce and
    half of exp-log."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Share of certainty taken from the labels in ce."""
    steps: Annotated[int, Field(ge=1)] = 2000
    """Optimiser steps."""
    batch: Annotated[int, Field(ge=1)] = 8
    """Crops per step and device."""
    crop: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] | None = None
    """Side in pixels of the crops given to the network; the chip size if not given. Larger crops
    show more surroundings where training chips lie side by side."""
    optimizer: Optimizer = "adamw"
    """adamw, adam, radam, adadelta, rmsprop, sgd or muon; see docs/methods/training.md."""
    learning_rate: Positive = 1e-3
    """Peak of the schedule. What suits depends on the optimiser: about 0.05 for sgd, 1 for
    adadelta, 0.0003 for rmsprop."""
    encoder_factor: Positive = 0.1
    """Factor on the learning rate of an encoder that starts from pretrained weights."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd, rmsprop and muon."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    """Of the optimiser; in adam, radam, adadelta, rmsprop and sgd it is added to the gradient."""
    schedule: Schedule = "one-cycle"
    """How the learning rate changes: `one-cycle` rises and falls in cosines, `cosine` only falls,
    `plateau` falls when validation no longer improves, `step` falls in steps, or `constant`."""
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Share of the steps over which `one-cycle` rises."""
    decay_start: Annotated[float, Field(ge=0)] = 0.0
    """Epochs before `step` begins to decay. An epoch has as many crops as there are training
    chips."""
    decay_every: Positive = 1.0
    """Epochs between the decays of `step`, which come after every so many; validations without
    improvement before one of `plateau`."""
    decay_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Factor on the learning rate at each decay of `step` and `plateau`."""
    curriculum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the steps over which harder chips, those with the most mixed classes, join the
    easiest quarter; 0: all chips from the start."""
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

    @field_validator("loss")
    @classmethod
    def _loss_can_be_read(cls, loss: str) -> str:
        parse_loss(loss)
        return loss
