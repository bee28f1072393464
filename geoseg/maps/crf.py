"""Mean-field inference in a dense conditional random field, with kernels of finite reach.

Every pixel is tied to all others around it by two Gaussian kernels (Kraehenbuehl and Koltun 2011):
one of the distance alone, one of the distance and of the difference in the image. Pixels that are
tied want the same class (Potts model). What differs from the paper is stated in `Kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_NEAR, _FAR = 3.0, 2.0
"""Reach of the kernels of smoothness and appearance in standard deviations."""

Message = Callable[[Tensor], Tensor]
"""Sums a field (n, rows, columns) over all pixels around each, times a kernel."""


@dataclass(frozen=True)
class Kernels:
    """The two pairwise kernels between pixels i and j at distance d px, with image values I.

    - smoothness: weight w2 times exp(-d² / 2 range²), to 3 ranges;
    - appearance: weight w1 times exp(-d² / 2 range² - mean over bands of (Ii - Ij)² / 2 values²),
      to 2 ranges.

    A pixel is not tied to itself. Each kernel k is normalised on both sides, as in the authors'
    own program: k(i, j) / sqrt(n(i) n(j)), with n(i) the sum of k(i, j) over all j, i included; so
    a weight is about what all ties of a pixel amount to, and one like no other has hardly any.
    Other than in the paper, kernels end at a finite distance, within which they are summed exactly
    instead of approximated on a lattice; and differences are averaged over bands, not added, so
    that `values` means the same for any number of bands.
    """

    smoothness: float
    smoothness_range: float
    appearance: float
    appearance_range: float
    appearance_values: float
    """In the units of the image given."""

    @property
    def near(self) -> int:
        """Reach in pixels of the kernel of smoothness, along rows and columns."""
        return math.ceil(_NEAR * self.smoothness_range) if self.smoothness else 0

    @property
    def far(self) -> int:
        """Reach in pixels of the kernel of appearance, along rows and columns."""
        return math.ceil(_FAR * self.appearance_range) if self.appearance else 0

    def halo(self, iterations: int) -> int:
        """How far away, in pixels, something may change the result.

        Each iteration looks one reach further; the normalisation looks one more.
        """
        return (iterations + 1) * max(self.near, self.far)


def mean_field(unary: Tensor, valid: Tensor, image: Tensor, seen: Tensor, *, kernels: Kernels,
               iterations: int, overlapping: bool) -> Tensor:
    """Return the marginals after some parallel mean-field updates.

    Exclusive classes: Q = softmax(unary + K Q). Overlapping ones are binary fields of their own:
    Q = sigmoid(unary + K (2 Q - 1)).

    Args:
        unary: float32 (classes, rows, columns): log probabilities, or log odds if overlapping.
        valid: bool (rows, columns): pixels that take part.
        image: float32 (bands, rows, columns).
        seen: bool (rows, columns): pixels for which the image has values; the others are tied by
            the kernel of smoothness only.
        kernels: The kernels.
        iterations: Number of updates; 0 gives the probabilities themselves.
        overlapping: See above.

    Returns:
        float32 (classes, rows, columns), 0..1; meaningless where not valid.
    """
    ties = []
    if kernels.smoothness:
        ties.append((kernels.smoothness, _normalised(_smoothness(kernels), valid)))
    if kernels.appearance:
        ties.append((kernels.appearance, _normalised(_appearance(kernels, image), valid & seen)))
    marginals = _activated(unary, overlapping=overlapping)
    for _ in range(iterations):
        field = 2 * marginals - 1 if overlapping else marginals
        energy = unary.clone()
        for weight, message in ties:
            energy.add_(message(field), alpha=weight)
        marginals = _activated(energy, overlapping=overlapping)
    return marginals


def _activated(logits: Tensor, *, overlapping: bool) -> Tensor:
    return logits.sigmoid() if overlapping else logits.softmax(dim=0)


def _normalised(message: Message, taking_part: Tensor) -> Message:
    """Normalise a kernel on both sides; pixels that take no part neither give nor receive."""
    part = taking_part.float()[None]
    factor = part * (1 + message(part)).rsqrt()
    return lambda field: factor * message(factor * field)


def _smoothness(kernels: Kernels) -> Message:
    """Separable sums with the kernel of distance, less the pixel itself."""
    distance = torch.arange(-kernels.near, kernels.near + 1, dtype=torch.float32)
    profile = torch.exp(-0.5 * (distance / kernels.smoothness_range).square())

    def message(field: Tensor) -> Tensor:
        weights = profile.to(field.device)
        total = conv2d(field[:, None], weights[None, None, None, :], padding=(0, kernels.near))
        total = conv2d(total, weights[None, None, :, None], padding=(kernels.near, 0))
        return total[:, 0] - field

    return message


def _appearance(kernels: Kernels, image: Tensor) -> Message:
    """Sums over half of the offsets, each used both ways, since the kernel is symmetric."""
    reach = kernels.far
    features = image * math.sqrt(0.5 / len(image)) / kernels.appearance_values
    offsets = [(down, right) for down in range(reach + 1) for right in range(-reach, reach + 1)
               if (down, right) > (0, 0)]
    rows, columns = image.shape[1:]

    def message(field: Tensor) -> Tensor:
        total = torch.zeros_like(field)
        for down, right in offsets:
            here = _shifted(rows, columns, down, right)
            there = _shifted(rows, columns, -down, -right)
            nearness = math.exp(-0.5 * (down**2 + right**2) / kernels.appearance_range**2)
            unlike = (features[here] - features[there]).square_().sum(dim=0)
            likeness = unlike.neg_().exp_()[None]
            total[here].addcmul_(likeness, field[there], value=nearness)
            total[there].addcmul_(likeness, field[here], value=nearness)
        return total

    return message


def _shifted(rows: int, columns: int, down: int, right: int) -> tuple[slice, slice, slice]:
    """Return the part of an array whose pixels have a partner that far down and right of them."""
    return (slice(None), slice(max(0, -down), max(0, rows - max(0, down))),
            slice(max(0, -right), max(0, columns - max(0, right))))
