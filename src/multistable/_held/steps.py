"""One step of each recurrence on boxes: where it leads from all states of a box under all inputs of another."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from multistable._held.arithmetic import Arithmetic, Interval
from multistable.nn._directions import Weights

__all__ = ["STEPS", "Box", "Step", "between"]

# A gate above this changes a unit so little at each step that its box would need long to grow: it is given at once all
# that it would come to.
_SLOW = 0.9


class Box(NamedTuple):
    """States of a layer.

    Attributes:
        memory: what a held unit keeps: h, of an LSTM c.
        output: what the gates and the layer above see: h.
    """

    memory: Interval
    output: Interval

    def each(self, function: Callable[[Interval], Interval]) -> "Box":
        """Apply to both, once where they are the same."""
        memory = function(self.memory)
        return Box(memory, memory if self.output is self.memory else function(self.output))

    def map(self, function: Callable[[Tensor], Tensor]) -> "Box":
        """Apply to all bounds what moves elements about."""
        return self.each(lambda interval: interval.map(function))

    def over(self, dim: int) -> "Box":
        """The smallest box that holds all along a dimension, which goes."""
        return self.each(lambda interval: interval.over(dim))


Step = Callable[[Arithmetic, Weights, Interval, Box, Tensor | None], tuple[Box, Tensor]]
"""(arithmetic, weights, drive W_ih x + b, box, kept) -> the box after one step, and by how much each unit's gates are
beyond where it is held, at the least. Drive and box are broadcast. Units in `kept` are taken to be held; by default
those are that provably are."""


def gru(arithmetic: Arithmetic, weights: Weights, drive: Interval, box: Box, kept: Tensor | None) -> tuple[Box, Tensor]:
    """The GRU in torch's form: a unit is held where z is 1."""
    drive_r, drive_z, drive_n = drive.chunk(3)
    by_r, by_z, m = arithmetic.affine(weights.hh, box.output, weights.bias_hh).chunk(3)
    r, by_gate = arithmetic.sigmoid(arithmetic.add(drive_r, by_r)), arithmetic.add(drive_z, by_z)
    n = arithmetic.tanh(arithmetic.add(drive_n, arithmetic.multiply(r, m)))
    return _blend(arithmetic, by_gate, n, box, kept)


def mgu(arithmetic: Arithmetic, weights: Weights, drive: Interval, box: Box, kept: Tensor | None) -> tuple[Box, Tensor]:
    """The minimal gated unit: held where f is 0."""
    drive_f, drive_h = drive.chunk(2)
    u_f, u_h = weights.hh.chunk(2)
    by_f = arithmetic.add(drive_f, arithmetic.affine(u_f, box.output))
    seen = arithmetic.multiply(arithmetic.hard(by_f), box.output)
    n = arithmetic.tanh(arithmetic.add(drive_h, arithmetic.affine(u_h, seen)))
    return _blend(arithmetic, by_f.negated(), n, box, kept)


def brc(arithmetic: Arithmetic, weights: Weights, drive: Interval, box: Box, kept: Tensor | None) -> tuple[Box, Tensor]:
    """The bistable recurrent cell: held where c is 1."""
    by_c, by_a = (arithmetic.multiply(Interval(weight, weight), box.output) for weight in weights.hh)
    return _bistable(arithmetic, drive, by_c, by_a, box, kept)


def nbrc(
    arithmetic: Arithmetic, weights: Weights, drive: Interval, box: Box, kept: Tensor | None
) -> tuple[Box, Tensor]:
    """The neuromodulated bistable recurrent cell: held where c is 1."""
    by_c, by_a = arithmetic.affine(weights.hh, box.output).chunk(2)
    return _bistable(arithmetic, drive, by_c, by_a, box, kept)


def lstm(
    arithmetic: Arithmetic, weights: Weights, drive: Interval, box: Box, kept: Tensor | None
) -> tuple[Box, Tensor]:
    """The LSTM: c is held where f is 1 and i is 0; h = o tanh(c) moves with o."""
    by_h = arithmetic.affine(weights.hh, box.output, weights.bias_hh)
    i, f, g, o = (arithmetic.add(*pair) for pair in zip(drive.chunk(4), by_h.chunk(4), strict=True))
    beyond = torch.minimum(f.lower, -i.upper) - arithmetic.threshold
    keep = beyond >= 0 if kept is None else kept
    after = _accumulated(arithmetic, arithmetic.hard(f), box.memory, arithmetic.hard(i), arithmetic.tanh(g))
    memory = box.memory.where(keep, after)
    output = arithmetic.multiply(arithmetic.sigmoid(o), arithmetic.tanh(memory))
    return Box(memory, output.map(lambda h: h.clamp(-1, 1))), beyond


def between(arithmetic: Arithmetic, z: Interval, n: Interval, h: Interval) -> Interval:
    """(1 - z) n + z h, by any formula whose rounded value lies between n and h, as that of `torch.lerp` does."""
    either = h.hull(n)
    lowers = [(1 - gate) * n.lower + gate * h.lower for gate in z]
    uppers = [(1 - gate) * n.upper + gate * h.upper for gate in z]
    off = 4 * arithmetic.eps * either.size()
    lower = torch.maximum(torch.minimum(*lowers) - off, either.lower)
    upper = torch.minimum(torch.maximum(*uppers) + off, either.upper)
    return either.where(z.upper > _SLOW, Interval(lower, upper))


def _blend(arithmetic: Arithmetic, by_gate: Interval, n: Interval, box: Box, kept: Tensor | None) -> tuple[Box, Tensor]:
    """h' for the gate that keeps h where it is 1."""
    beyond = by_gate.lower - arithmetic.threshold
    h = box.memory.where(
        beyond >= 0 if kept is None else kept, between(arithmetic, arithmetic.hard(by_gate), n, box.memory)
    )
    return Box(h, h), beyond


def _bistable(
    arithmetic: Arithmetic, drive: Interval, by_c: Interval, by_a: Interval, box: Box, kept: Tensor | None
) -> tuple[Box, Tensor]:
    drive_c, drive_a, drive_h = drive.chunk(3)
    one = torch.ones_like(drive_a.lower[..., :1])
    a = arithmetic.add(arithmetic.tanh(arithmetic.add(drive_a, by_a)), Interval(one, one))
    n = arithmetic.tanh(arithmetic.add(drive_h, arithmetic.multiply(a, box.output)))
    return _blend(arithmetic, arithmetic.add(drive_c, by_c), n, box, kept)


def _accumulated(arithmetic: Arithmetic, f: Interval, c: Interval, i: Interval, g: Interval) -> Interval:
    """F c + i g, as any formula computes it whose terms are at most 2 i; where f hardly forgets, at once all to come.

    Repeated, it is at most what is added over 1 - f. Where f may be 1 the growth ends too, as terms of less than a
    quarter of eps are rounded away.
    """
    eps = arithmetic.eps
    added, off = arithmetic.multiply(i, g), 8 * eps * i.upper
    after = arithmetic.add(arithmetic.multiply(f, c), Interval(added.lower - off, added.upper + off))
    rate = 1 - f.upper - 8 * eps
    off = torch.where(rate < eps, 8 * i.upper, off)
    lowest, highest = added.lower.clamp_max(0) - off, added.upper.clamp_min(0) + off
    repeated = Interval(lowest / rate.clamp_min(eps), highest / rate.clamp_min(eps))
    return c.hull(repeated).where(f.upper > _SLOW, after)


STEPS: dict[str, Step] = {"gru": gru, "lstm": lstm, "mgu": mgu, "brc": brc, "nbrc": nbrc}
"""By the name of the recurrence."""
