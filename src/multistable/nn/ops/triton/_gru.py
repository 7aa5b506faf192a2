"""The gated recurrent unit; gates n, r, z, m, recurrent matrices of r, z, m."""

import triton
import triton.language as tl
from torch import Tensor

from multistable.nn.ops.triton._cell import Cell
from multistable.nn.ops.triton._functions import (
    gate,
    matrix,
    overwrite,
    row,
    sequences,
    sigmoid,
    slope,
    tanh,
    transposed,
)

__all__ = ["gru"]


@triton.jit
def _step(at_n, at_r, at_z, m, h, gamma, hard: tl.constexpr):
    r = sigmoid(at_r)
    z = gate(at_z, gamma, hard)
    n = tanh(at_n + r * m)
    return n, r, z, (1 - z) * n + z * h


@triton.jit
def _step_back(d, n, r, z, m, h, gamma, hard: tl.constexpr):
    """Gradients of the gates before their nonlinearity, and of h as far as it is kept."""
    of_n = d * (1 - z) * (1 - n * n)
    of_m = of_n * r
    of_r = of_m * m * (1 - r)
    of_z = d * (h - n) * slope(z, gamma, hard)
    return of_n, of_r, of_z, of_m, d * z


@triton.jit(do_not_specialize=["batch"])
def _forward(
    start, last, gates, states, weight_hh, bias_m, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, units: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    j = tl.arange(0, units)
    real = (b < batch)[:, None] & (j < size)[None, :]
    gamma = tl.load(hardness)
    w_r = transposed(weight_hh, j, size)
    w_z = transposed(weight_hh + size * size, j, size)
    w_m = transposed(weight_hh + 2 * size * size, j, size)
    b_m = tl.load(bias_m + j, j < size, 0.0)[None, :]
    h = tl.load(start + b[:, None] * size + j[None, :], real, 0.0)
    for t in range(longest):
        on = real & (t < ends)[:, None]
        rows = row(t, b, first_rows, hold)[:, None]
        at = gates + rows * (4 * size) + j[None, :]
        m = b_m + tl.dot(h, w_m, input_precision=precision)
        n, r, z, after = _step(
            tl.load(at, on, 0.0),
            tl.load(at + size, on, 0.0) + tl.dot(h, w_r, input_precision=precision),
            tl.load(at + 2 * size, on, 0.0) + tl.dot(h, w_z, input_precision=precision),
            m, h, gamma, hard,
        )  # fmt: skip
        h = tl.where(on, after, h)
        if not hold:
            overwrite()
            tl.store(at, n, on)
            tl.store(at + size, r, on)
            tl.store(at + 2 * size, z, on)
            tl.store(at + 3 * size, m, on)
            tl.store(states + rows * size + j[None, :], h, on)
    tl.store(last + b[:, None] * size + j[None, :], h, real)


@triton.jit(do_not_specialize=["batch"])
def _backward(
    of_states, of_state, gates, before, weight_hh, hardness, of_gates, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, direct: tl.constexpr,
    many: tl.constexpr, units: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    j = tl.arange(0, units)
    real = (b < batch)[:, None] & (j < size)[None, :]
    gamma = tl.load(hardness)
    w_r = matrix(weight_hh, j, size)
    w_z = matrix(weight_hh + size * size, j, size)
    w_m = matrix(weight_hh + 2 * size * size, j, size)
    d = tl.load(of_state + b[:, None] * size + j[None, :], real, 0.0)
    for i in range(longest):
        t = longest - 1 - i
        on = real & (t < ends)[:, None]
        rows = row(t, b, first_rows, False)[:, None]
        at = rows * (4 * size) + j[None, :]
        if direct:
            d += tl.load(of_states + rows * size + j[None, :], on, 0.0)
        of_n, of_r, of_z, of_m, through = _step_back(
            d,
            tl.load(gates + at, on, 0.0),
            tl.load(gates + at + size, on, 0.0),
            tl.load(gates + at + 2 * size, on, 0.0),
            tl.load(gates + at + 3 * size, on, 0.0),
            tl.load(before + rows * size + j[None, :], on, 0.0),
            gamma, hard,
        )  # fmt: skip
        tl.store(of_gates + at, of_n, on)
        tl.store(of_gates + at + size, of_r, on)
        tl.store(of_gates + at + 2 * size, of_z, on)
        tl.store(of_gates + at + 3 * size, of_m, on)
        through += tl.dot(of_r, w_r, input_precision=precision)
        through += tl.dot(of_z, w_z, input_precision=precision)
        through += tl.dot(of_m, w_m, input_precision=precision)
        d = tl.where(on, through, d)
    tl.store(of_state + b[:, None] * size + j[None, :], d, real)


@triton.jit(do_not_specialize=["batch"])
def _streamed_forward(
    state, gates, states, weight_hh, bias_m, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    for t in range(longest):
        running = (t < ends)[:, None]
        rows = row(t, b, first_rows, hold)[:, None]
        now = state + (t % 2 * batch + b)[:, None] * size
        after = state + ((t + 1) % 2 * batch + b)[:, None] * size
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            by_r = tl.zeros((many, block_j), tl.float32)
            by_z = tl.zeros((many, block_j), tl.float32)
            by_m = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                h = tl.load(now + k[None, :], running & (k < size)[None, :], 0.0)
                weight = weight_hh + j[None, :] * size + k[:, None]
                inside = (k < size)[:, None] & (j < size)[None, :]
                by_r = tl.dot(h, tl.load(weight, inside, 0.0), by_r, input_precision=precision)
                by_z = tl.dot(h, tl.load(weight + size * size, inside, 0.0), by_z, input_precision=precision)
                by_m = tl.dot(h, tl.load(weight + 2 * size * size, inside, 0.0), by_m, input_precision=precision)
            on = running & (j < size)[None, :]
            at = gates + rows * (4 * size) + j[None, :]
            m = tl.load(bias_m + j, j < size, 0.0)[None, :] + by_m
            n, r, z, h = _step(
                tl.load(at, on, 0.0),
                tl.load(at + size, on, 0.0) + by_r,
                tl.load(at + 2 * size, on, 0.0) + by_z,
                m, tl.load(now + j[None, :], on, 0.0), gamma, hard,
            )  # fmt: skip
            tl.store(after + j[None, :], h, on)
            if not hold:
                tl.store(at, n, on)
                tl.store(at + size, r, on)
                tl.store(at + 2 * size, z, on)
                tl.store(at + 3 * size, m, on)
                tl.store(states + rows * size + j[None, :], h, on)
        tl.debug_barrier()


@triton.jit(do_not_specialize=["batch"])
def _streamed_backward(
    of_states, of_state, gates, before, weight_hh, hardness, of_gates, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, direct: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    of_now = of_state + b[:, None] * size
    for i in range(longest):
        t = longest - 1 - i
        running = (t < ends)[:, None]
        rows = row(t, b, first_rows, False)[:, None]
        of_row = of_gates + rows * (4 * size)
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            at = gates + rows * (4 * size) + j[None, :]
            d = tl.load(of_now + j[None, :], on, 0.0)
            if direct:
                d += tl.load(of_states + rows * size + j[None, :], on, 0.0)
            of_n, of_r, of_z, of_m, through = _step_back(
                d,
                tl.load(at, on, 0.0),
                tl.load(at + size, on, 0.0),
                tl.load(at + 2 * size, on, 0.0),
                tl.load(at + 3 * size, on, 0.0),
                tl.load(before + rows * size + j[None, :], on, 0.0),
                gamma, hard,
            )  # fmt: skip
            tl.store(of_row + j[None, :], of_n, on)
            tl.store(of_row + size + j[None, :], of_r, on)
            tl.store(of_row + 2 * size + j[None, :], of_z, on)
            tl.store(of_row + 3 * size + j[None, :], of_m, on)
            tl.store(of_now + j[None, :], through, on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            back = tl.load(of_now + j[None, :], on, 0.0)
            # The gradients of r, z and m lie one after the other, and so do their matrices: one product.
            for first_k in range(0, 3 * size, block_k):
                k = first_k + tl.arange(0, block_k)
                of_k = tl.load(of_row + size + k[None, :], running & (k < 3 * size)[None, :], 0.0)
                inside = (k < 3 * size)[:, None] & (j < size)[None, :]
                weight = tl.load(weight_hh + k[:, None] * size + j[None, :], inside, 0.0)
                back = tl.dot(of_k, weight, back, input_precision=precision)
            tl.store(of_now + j[None, :], back, on)
        tl.debug_barrier()


def _of_weight_hh(of_gates: Tensor, gates: Tensor, before: Tensor) -> Tensor:
    return of_gates[:, 1:].flatten(1).t() @ before


gru = Cell(_of_weight_hh, resident=(_forward, _backward), streamed=(_streamed_forward, _streamed_backward))
