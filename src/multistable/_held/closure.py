"""The smallest box around a state that a layer never leaves, for one layer after the other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from multistable._held.arithmetic import Arithmetic, Interval
from multistable._held.steps import STEPS, Box
from multistable.nn._directions import Weights

__all__ = ["Closed", "Layer", "cells", "close", "drive_of"]

# The bounds of a box lie on a grid, so that it stops growing. The grid starts as fine as this and becomes twice as
# coarse every so many iterations, so that it stops soon.
_GRID, _PATIENCE = 2.0**-16, 64


@dataclass(frozen=True)
class Layer:
    """One layer's recurrence.

    Attributes:
        name: of the recurrence, a key of `STEPS`.
        weights: what it computes with.
        arithmetic: of its steps.
    """

    name: str
    weights: Weights
    arithmetic: Arithmetic

    def step(self, drive: Interval, box: Box, kept: Tensor | None = None) -> tuple[Box, Tensor]:
        """From each of J boxes, (B, J, H), by each of K drives, (B, K, G * H), as `Step`: K boxes, each around all J.

        Returns:
            The boxes, (B, K, H), and by how much gates are beyond where a unit is held, in the worst case, (B, H).
        """
        kept = None if kept is None else kept[:, None, None]
        after, beyond = STEPS[self.name](
            self.arithmetic,
            self.weights,
            drive.map(lambda bound: bound.unsqueeze(1)),
            box.map(lambda bound: bound.unsqueeze(2)),
            kept,
        )
        return after.over(1), beyond.amin((1, 2))


@dataclass(frozen=True)
class Closed:
    """Boxes that a layer never leaves, one for each cell of the last input.

    Attributes:
        held: which units keep their memory, (B, H).
        box: the boxes, (B, K, H), from the first step on.
    """

    held: Tensor
    box: Box


def cells(layer: Layer, bound: float, limit: int) -> Interval:
    """Divide all inputs |x_i| <= bound into at most `limit` cells.

    If there are too many inputs to split all, those with the largest weights are.

    Args:
        layer: the lowest one.
        bound: above 0; an input may be rounded up from it.
        limit: the number of cells at most.

    Returns:
        The cells, (1, K, I).
    """
    weight = layer.weights.ih.detach()
    size, bound = weight.shape[1], bound * (1 + layer.arithmetic.eps)
    parts = max(2, math.floor(limit ** (1 / size) + 1e-9)) if limit > 1 else 1
    most = math.floor(math.log(limit, parts) + 1e-9) if parts > 1 else 0
    split = set(weight.abs().sum(0).topk(min(size, most)).indices.tolist())
    edges = [torch.linspace(-bound, bound, (parts if i in split else 1) + 1, dtype=torch.float64) for i in range(size)]
    lower = torch.cartesian_prod(*(edge[:-1] for edge in edges)).view(1, -1, size)
    upper = torch.cartesian_prod(*(edge[1:] for edge in edges)).view(1, -1, size)
    return Interval(lower.to(weight), upper.to(weight))


def drive_of(layer: Layer, inputs: Interval) -> Interval:
    """W_ih x + b for inputs (B, K, I), or (1, K, I) for all B alike."""
    return layer.arithmetic.affine(layer.weights.ih, inputs, layer.weights.bias)


def close(layer: Layer, drive: Interval, start: Box, kept: Tensor | None = None, grid: float = _GRID) -> Closed:
    """Grow boxes from the states until no step leads out of them.

    The box of a cell holds every state that follows an input of this cell: first all that follow from the start, then
    all that follow from any of the boxes, until these lie in the boxes already. Held units are points. A unit once
    found not to be held is free from then on, so that what is left is held whatever happens, by induction over the
    steps.

    Args:
        layer: whose steps.
        drive: of the cells of inputs, (B, K, G * H) or (1, K, G * H).
        start: the states, (B, H), as boxes of no size.
        kept: the units that are taken to be held, (B, H); by default those that provably are.
        grid: on which the bounds lie at first.

    Returns:
        The boxes.
    """
    box, beyond = layer.step(drive, start.map(lambda bound: bound.unsqueeze(1)), kept)
    held = beyond >= 0 if kept is None else kept
    growing = torch.arange(len(held), device=held.device)
    for iteration in count(1):
        inside, here = box.map(_rows(growing)), drive if len(drive.lower) == 1 else drive.map(_rows(growing))
        after, beyond = layer.step(here, inside, None if kept is None else kept[growing])
        if kept is None:
            held[growing] &= beyond >= 0
        after = _grown(inside, after, grid * 2.0 ** (iteration // _PATIENCE))
        grew = _differ(after, inside)
        for bounds, new in zip(_tensors(box), _tensors(after), strict=True):
            bounds[growing] = new
        growing = growing[grew]
        if len(growing) == 0:
            break
    return Closed(held, box)


def _rows(rows: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda bound: bound[rows]


def _grown(inside: Box, after: Box, grid: float) -> Box:
    """`inside` with the bounds that `after` is beyond moved to the grid, outwards; those of a held memory never are."""

    def grown(old: Interval, new: Interval) -> Interval:
        # What can't be told may be anything.
        new = Interval(
            torch.where(new.lower.isnan(), -math.inf, new.lower), torch.where(new.upper.isnan(), math.inf, new.upper)
        )
        lower, upper = (new.lower / grid).floor() * grid, (new.upper / grid).ceil() * grid
        return Interval(
            torch.where(new.lower < old.lower, lower, old.lower), torch.where(new.upper > old.upper, upper, old.upper)
        )

    memory = grown(inside.memory, after.memory)
    return Box(memory, memory if after.output is after.memory else grown(inside.output, after.output))


def _differ(after: Box, inside: Box) -> Tensor:
    """Of which states the boxes differ."""
    pairs = zip(_tensors(after), _tensors(inside), strict=True)
    return torch.stack([(a != b).flatten(1).any(1) for a, b in pairs]).any(0)


def _tensors(box: Box) -> Sequence[Tensor]:
    return [*box.memory, *box.output]
