"""The names that a recipe may choose from, the same in TOML, Python, command line and QGIS."""

from __future__ import annotations

from typing import Literal, get_args

Network = Literal[
    "unet", "unetplusplus", "manet", "linknet", "fpn", "pspnet", "pan", "deeplabv3",
    "deeplabv3plus", "upernet", "segformer", "dpt", "classic-unet", "resnet-unet",
    "inception-unet", "nested-unet", "fcn-32s", "fcn-16s", "fcn-8s"]
NETWORKS: tuple[str, ...] = get_args(Network)
"""Those with an encoder come from segmentation-models-pytorch; the hyphenated ones are our own."""

Optimizer = Literal["adamw", "adam", "radam", "adadelta", "rmsprop", "sgd", "muon"]
OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)

Schedule = Literal["one-cycle", "cosine", "plateau", "step", "constant"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)

Scaling = Literal["statistics", "range", "quantile"]
Transform = Literal["none", "sqrt", "log", "sigma0"]
Turns = Literal["none", "flip", "flips", "d4"]
Blend = Literal["hann", "gauss", "box", "crop"]
BLENDS: tuple[str, ...] = get_args(Blend)
Tta = Literal["none", "flips", "d4"]
TTA: tuple[str, ...] = get_args(Tta)
