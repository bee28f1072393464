"""Networks by name: those of segmentation-models-pytorch, and our own."""

from geoseg.learn.networks.build import (
    build_network,
    check_batch,
    is_pretrained,
    parameter_groups,
)
from geoseg.learn.networks.wrappers import STRIDE, Detailed, Reduced

__all__ = ["STRIDE", "Detailed", "Reduced", "build_network", "check_batch", "is_pretrained",
           "parameter_groups"]
