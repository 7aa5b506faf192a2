"""The bistable recurrent cell, unit by unit: a program for each sequence and up to 128 of its units."""

import triton
import triton.language as tl
from torch import Tensor

from multistable.nn.ops.triton._cell import Cell
from multistable.nn.ops.triton._functions import gate, row, sigmoid, slope, tanh

__all__ = ["brc"]


@triton.jit
def _forward(
    start, last, gates, states, weight_hh, hardness, first_rows, lengths,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr, units: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1) * units + tl.arange(0, units)
    real = j < size
    gamma = tl.load(hardness)
    w_c = tl.load(weight_hh + j, real, 0.0)
    w_a = tl.load(weight_hh + size + j, real, 0.0)
    h = tl.load(start + b * size + j, real, 0.0)
    for t in range(tl.load(lengths + b)):
        r = row(t, b, first_rows, hold)
        at = gates + r * (3 * size) + j
        c = gate(tl.load(at, real, 0.0) + w_c * h, gamma, hard)
        half_a = sigmoid(2 * (tl.load(at + size, real, 0.0) + w_a * h))
        candidate = tanh(tl.load(at + 2 * size, real, 0.0) + 2 * half_a * h)
        h = c * h + (1 - c) * candidate
        if not hold:
            tl.store(at, c, real)
            tl.store(at + size, half_a, real)
            tl.store(at + 2 * size, candidate, real)
            tl.store(states + r * size + j, h, real)
    tl.store(last + b * size + j, h, real)


@triton.jit
def _backward(
    of_states, of_state, gates, before, weight_hh, hardness, of_gates, first_rows, lengths,
    size: tl.constexpr, hard: tl.constexpr, direct: tl.constexpr, units: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1) * units + tl.arange(0, units)
    real = j < size
    gamma = tl.load(hardness)
    w_c = tl.load(weight_hh + j, real, 0.0)
    w_a = tl.load(weight_hh + size + j, real, 0.0)
    d = tl.load(of_state + b * size + j, real, 0.0)
    longest = tl.load(lengths + b)
    for i in range(longest):
        r = row(longest - 1 - i, b, first_rows, False)
        at = r * (3 * size) + j
        c = tl.load(gates + at, real, 0.0)
        half_a = tl.load(gates + at + size, real, 0.0)
        candidate = tl.load(gates + at + 2 * size, real, 0.0)
        h = tl.load(before + r * size + j, real, 0.0)
        if direct:
            d += tl.load(of_states + r * size + j, real, 0.0)
        of_candidate = d * (1 - c) * (1 - candidate * candidate)
        of_c = d * (h - candidate) * slope(c, gamma, hard)
        of_a = 4 * of_candidate * h * half_a * (1 - half_a)
        tl.store(of_gates + at, of_c, real)
        tl.store(of_gates + at + size, of_a, real)
        tl.store(of_gates + at + 2 * size, of_candidate, real)
        d = d * c + 2 * of_candidate * half_a + of_c * w_c + of_a * w_a
    tl.store(of_state + b * size + j, d, real)


def _of_weight_hh(of_gates: Tensor, gates: Tensor, before: Tensor) -> Tensor:
    return (of_gates[:, :2] * before[:, None]).sum(0)


brc = Cell(_of_weight_hh, elementwise=(_forward, _backward))
