"""Interval arithmetic that holds for floating-point arithmetic too: every result is widened by what is rounded."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Arithmetic", "Interval"]

# By how many units of rounding torch's sigmoid is off at most; a tanh by three times that, as 2 sigmoid(2z) - 1 is.
_OFF = 4


class Interval(NamedTuple):
    """All numbers between two, elementwise; the bounds belong to it."""

    lower: Tensor
    upper: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> "Interval":
        """Apply what does not decrease, or moves elements about, to both bounds."""
        return Interval(function(self.lower), function(self.upper))

    def chunk(self, parts: int) -> "list[Interval]":
        """Split the last dimension."""
        return [Interval(*pair) for pair in zip(self.lower.chunk(parts, -1), self.upper.chunk(parts, -1), strict=True)]

    def negated(self) -> "Interval":
        """-x."""
        return Interval(-self.upper, -self.lower)

    def hull(self, other: "Interval") -> "Interval":
        """The smallest interval that holds both."""
        return Interval(torch.minimum(self.lower, other.lower), torch.maximum(self.upper, other.upper))

    def over(self, dim: int) -> "Interval":
        """The smallest that holds all along a dimension, which goes."""
        return Interval(self.lower.amin(dim), self.upper.amax(dim))

    def where(self, mask: Tensor, other: "Interval") -> "Interval":
        """This one where `mask`, and otherwise `other`."""
        return Interval(torch.where(mask, self.lower, other.lower), torch.where(mask, self.upper, other.upper))

    def size(self) -> Tensor:
        """The largest absolute value."""
        return torch.maximum(self.lower.abs(), self.upper.abs())


@dataclass(frozen=True)
class Arithmetic:
    """Operations on intervals, whose results hold what floating-point arithmetic of a dtype makes of any of the values.

    The sums of products may run in any order. With `terms` n, a sum is off by at most n eps times the sum of the
    absolute values, twice what the standard bound needs (Higham 2002, *Accuracy and stability of numerical algorithms*,
    section 3.1), which leaves room for the rounding of the bounds themselves.

    Attributes:
        eps: the layer's unit of rounding, and that of the bounds themselves.
        terms: how many numbers are added up at most for a gate.
        hardness: of the gates, above 0.
    """

    eps: float
    terms: int
    hardness: float

    @property
    def threshold(self) -> float:
        """From where on a gate is exactly 1, and below minus which 0; infinite if rounding may prevent it."""
        at = (1 + self.hardness) / (1 + 2 * self.hardness) + 2 * _OFF * self.eps
        return math.log(at / (1 - at)) if at < 1 else math.inf

    def affine(self, weight: Tensor, x: Interval, bias: Tensor | None = None) -> Interval:
        """W x + b."""
        middle, radius, size = (x.lower + x.upper) / 2, (x.upper - x.lower) / 2, x.size()
        off = self.terms * self.eps * F.linear(size, weight.abs(), None if bias is None else bias.abs())
        value, radius = F.linear(middle, weight, bias), F.linear(radius, weight.abs()) + off
        return Interval(value - radius, value + radius)

    def add(self, x: Interval, y: Interval) -> Interval:
        """X + y."""
        return self._widen(Interval(x.lower + y.lower, x.upper + y.upper), x.size() + y.size(), 2)

    def multiply(self, x: Interval, y: Interval) -> Interval:
        """X y."""
        corners = torch.stack(torch.broadcast_tensors(*(a * b for a in x for b in y)))
        product = Interval(corners.amin(0), corners.amax(0))
        return self._widen(product, product.size(), 2)

    def sigmoid(self, x: Interval) -> Interval:
        """A gate between 0 and 1."""
        return self._widen(x.map(torch.sigmoid), 1.0, _OFF).map(lambda gate: gate.clamp(0, 1))

    def hard(self, x: Interval) -> Interval:
        """A hard gate."""
        stretch = 1 + 2 * self.hardness
        stretched = x.map(lambda value: stretch * torch.sigmoid(value) - self.hardness)
        return self._widen(stretched, stretch, 2 * _OFF).map(lambda gate: gate.clamp(0, 1))

    def tanh(self, x: Interval) -> Interval:
        """A candidate between -1 and 1."""
        return self._widen(x.map(torch.tanh), 1.0, 3 * _OFF).map(lambda value: value.clamp(-1, 1))

    def _widen(self, x: Interval, size: Tensor | float, units: int) -> Interval:
        off = units * self.eps * size
        return Interval(x.lower - off, x.upper + off)
