"""The neuromodulated bistable recurrent cell."""

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

__all__ = ["nbrc"]


@triton.jit
def _step(at_c, at_a, at_candidate, h, gamma, hard: tl.constexpr):
    c = gate(at_c, gamma, hard)
    half_a = sigmoid(2 * at_a)
    candidate = tanh(at_candidate + 2 * half_a * h)
    return c, half_a, candidate, c * h + (1 - c) * candidate


@triton.jit
def _step_back(d, c, half_a, candidate, h, gamma, hard: tl.constexpr):
    """Gradients of the gates before their nonlinearity, and of h as far as it does not reach h' through c and a."""
    of_candidate = d * (1 - c) * (1 - candidate * candidate)
    of_c = d * (h - candidate) * slope(c, gamma, hard)
    of_a = 4 * of_candidate * h * half_a * (1 - half_a)
    return of_c, of_a, of_candidate, d * c + 2 * of_candidate * half_a


@triton.jit(do_not_specialize=["batch"])
def _forward(
    start, last, gates, states, weight_hh, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, units: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    j = tl.arange(0, units)
    real = (b < batch)[:, None] & (j < size)[None, :]
    gamma = tl.load(hardness)
    w_c = transposed(weight_hh, j, size)
    w_a = transposed(weight_hh + size * size, j, size)
    h = tl.load(start + b[:, None] * size + j[None, :], real, 0.0)
    for t in range(longest):
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        at = gates + r * (3 * size) + j[None, :]
        c, half_a, candidate, after = _step(
            tl.load(at, on, 0.0) + tl.dot(h, w_c, input_precision=precision),
            tl.load(at + size, on, 0.0) + tl.dot(h, w_a, input_precision=precision),
            tl.load(at + 2 * size, on, 0.0),
            h, gamma, hard,
        )  # fmt: skip
        h = tl.where(on, after, h)
        if not hold:
            overwrite()
            tl.store(at, c, on)
            tl.store(at + size, half_a, on)
            tl.store(at + 2 * size, candidate, on)
            tl.store(states + r * size + j[None, :], h, on)
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
    w_c = matrix(weight_hh, j, size)
    w_a = matrix(weight_hh + size * size, j, size)
    d = tl.load(of_state + b[:, None] * size + j[None, :], real, 0.0)
    for i in range(longest):
        t = longest - 1 - i
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, False)[:, None]
        at = r * (3 * size) + j[None, :]
        if direct:
            d += tl.load(of_states + r * size + j[None, :], on, 0.0)
        of_c, of_a, of_candidate, through = _step_back(
            d,
            tl.load(gates + at, on, 0.0),
            tl.load(gates + at + size, on, 0.0),
            tl.load(gates + at + 2 * size, on, 0.0),
            tl.load(before + r * size + j[None, :], on, 0.0),
            gamma, hard,
        )  # fmt: skip
        tl.store(of_gates + at, of_c, on)
        tl.store(of_gates + at + size, of_a, on)
        tl.store(of_gates + at + 2 * size, of_candidate, on)
        through += tl.dot(of_c, w_c, input_precision=precision) + tl.dot(of_a, w_a, input_precision=precision)
        d = tl.where(on, through, d)
    tl.store(of_state + b[:, None] * size + j[None, :], d, real)


@triton.jit(do_not_specialize=["batch"])
def _streamed_forward(
    state, gates, states, weight_hh, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    for t in range(longest):
        running = (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        now = state + (t % 2 * batch + b)[:, None] * size
        after = state + ((t + 1) % 2 * batch + b)[:, None] * size
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            by_c = tl.zeros((many, block_j), tl.float32)
            by_a = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                h = tl.load(now + k[None, :], running & (k < size)[None, :], 0.0)
                weight = weight_hh + j[None, :] * size + k[:, None]
                inside = (k < size)[:, None] & (j < size)[None, :]
                by_c = tl.dot(h, tl.load(weight, inside, 0.0), by_c, input_precision=precision)
                by_a = tl.dot(h, tl.load(weight + size * size, inside, 0.0), by_a, input_precision=precision)
            on = running & (j < size)[None, :]
            at = gates + r * (3 * size) + j[None, :]
            c, half_a, candidate, h = _step(
                tl.load(at, on, 0.0) + by_c,
                tl.load(at + size, on, 0.0) + by_a,
                tl.load(at + 2 * size, on, 0.0),
                tl.load(now + j[None, :], on, 0.0),
                gamma, hard,
            )  # fmt: skip
            tl.store(after + j[None, :], h, on)
            if not hold:
                tl.store(at, c, on)
                tl.store(at + size, half_a, on)
                tl.store(at + 2 * size, candidate, on)
                tl.store(states + r * size + j[None, :], h, on)
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
        r = row(t, b, first_rows, False)[:, None]
        of_row = of_gates + r * (3 * size)
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            at = gates + r * (3 * size) + j[None, :]
            d = tl.load(of_now + j[None, :], on, 0.0)
            if direct:
                d += tl.load(of_states + r * size + j[None, :], on, 0.0)
            of_c, of_a, of_candidate, through = _step_back(
                d,
                tl.load(at, on, 0.0),
                tl.load(at + size, on, 0.0),
                tl.load(at + 2 * size, on, 0.0),
                tl.load(before + r * size + j[None, :], on, 0.0),
                gamma, hard,
            )  # fmt: skip
            tl.store(of_row + j[None, :], of_c, on)
            tl.store(of_row + size + j[None, :], of_a, on)
            tl.store(of_row + 2 * size + j[None, :], of_candidate, on)
            tl.store(of_now + j[None, :], through, on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            back = tl.load(of_now + j[None, :], on, 0.0)
            # The gradients of c and a lie one after the other, and so do their matrices: one product.
            for first_k in range(0, 2 * size, block_k):
                k = first_k + tl.arange(0, block_k)
                of_k = tl.load(of_row + k[None, :], running & (k < 2 * size)[None, :], 0.0)
                inside = (k < 2 * size)[:, None] & (j < size)[None, :]
                weight = tl.load(weight_hh + k[:, None] * size + j[None, :], inside, 0.0)
                back = tl.dot(of_k, weight, back, input_precision=precision)
            tl.store(of_now + j[None, :], back, on)
        tl.debug_barrier()


def _of_weight_hh(of_gates: Tensor, gates: Tensor, before: Tensor) -> Tensor:
    return of_gates[:, :2].flatten(1).t() @ before


nbrc = Cell(_of_weight_hh, resident=(_forward, _backward), streamed=(_streamed_forward, _streamed_backward))
