"""The long short-term memory; gates i, f, o, g, of which g is kept as (1 + g) / 2."""

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

__all__ = ["lstm"]


@triton.jit
def _step(at_i, at_f, at_o, at_g, c, gamma, hard: tl.constexpr):
    i = gate(at_i, gamma, hard)
    f = gate(at_f, gamma, hard)
    o = sigmoid(at_o)
    half_g = sigmoid(2 * at_g)
    c = f * c + i * (2 * half_g - 1)
    return i, f, o, half_g, o * tanh(c), c


@triton.jit
def _step_back(of_h, of_c, i, f, o, half_g, c, before, gamma, hard: tl.constexpr):
    """Gradients of the gates before their nonlinearity, and of c before the step."""
    read = tanh(c)
    of_c += of_h * o * (1 - read * read)
    of_i = of_c * (2 * half_g - 1) * slope(i, gamma, hard)
    of_f = of_c * before * slope(f, gamma, hard)
    of_o = of_h * read * o * (1 - o)
    of_g = 4 * of_c * i * half_g * (1 - half_g)
    return of_i, of_f, of_o, of_g, of_c * f


@triton.jit(do_not_specialize=["batch"])
def _forward(
    start, last, gates, states, inners, weight_hh, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, units: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    j = tl.arange(0, units)
    real = (b < batch)[:, None] & (j < size)[None, :]
    gamma = tl.load(hardness)
    w_i = transposed(weight_hh, j, size)
    w_f = transposed(weight_hh + size * size, j, size)
    w_o = transposed(weight_hh + 2 * size * size, j, size)
    w_g = transposed(weight_hh + 3 * size * size, j, size)
    here = b[:, None] * (2 * size) + j[None, :]
    h = tl.load(start + here, real, 0.0)
    c = tl.load(start + here + size, real, 0.0)
    for t in range(longest):
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        at = gates + r * (4 * size) + j[None, :]
        i, f, o, half_g, h_after, c_after = _step(
            tl.load(at, on, 0.0) + tl.dot(h, w_i, input_precision=precision),
            tl.load(at + size, on, 0.0) + tl.dot(h, w_f, input_precision=precision),
            tl.load(at + 2 * size, on, 0.0) + tl.dot(h, w_o, input_precision=precision),
            tl.load(at + 3 * size, on, 0.0) + tl.dot(h, w_g, input_precision=precision),
            c, gamma, hard,
        )  # fmt: skip
        h = tl.where(on, h_after, h)
        c = tl.where(on, c_after, c)
        if not hold:
            overwrite()
            tl.store(at, i, on)
            tl.store(at + size, f, on)
            tl.store(at + 2 * size, o, on)
            tl.store(at + 3 * size, half_g, on)
            tl.store(states + r * size + j[None, :], h, on)
            tl.store(inners + r * size + j[None, :], c, on)
    tl.store(last + here, h, real)
    tl.store(last + here + size, c, real)


@triton.jit(do_not_specialize=["batch"])
def _backward(
    of_states, of_state, gates, inners, inner_before, weight_hh, hardness, of_gates, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, direct: tl.constexpr,
    many: tl.constexpr, units: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    j = tl.arange(0, units)
    real = (b < batch)[:, None] & (j < size)[None, :]
    gamma = tl.load(hardness)
    w_i = matrix(weight_hh, j, size)
    w_f = matrix(weight_hh + size * size, j, size)
    w_o = matrix(weight_hh + 2 * size * size, j, size)
    w_g = matrix(weight_hh + 3 * size * size, j, size)
    here = b[:, None] * (2 * size) + j[None, :]
    of_h = tl.load(of_state + here, real, 0.0)
    of_c = tl.load(of_state + here + size, real, 0.0)
    for step in range(longest):
        t = longest - 1 - step
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, False)[:, None]
        at = r * (4 * size) + j[None, :]
        if direct:
            of_h += tl.load(of_states + r * size + j[None, :], on, 0.0)
        of_i, of_f, of_o, of_g, of_c_before = _step_back(
            of_h,
            of_c,
            tl.load(gates + at, on, 0.0),
            tl.load(gates + at + size, on, 0.0),
            tl.load(gates + at + 2 * size, on, 0.0),
            tl.load(gates + at + 3 * size, on, 0.0),
            tl.load(inners + r * size + j[None, :], on, 0.0),
            tl.load(inner_before + r * size + j[None, :], on, 0.0),
            gamma, hard,
        )  # fmt: skip
        tl.store(of_gates + at, of_i, on)
        tl.store(of_gates + at + size, of_f, on)
        tl.store(of_gates + at + 2 * size, of_o, on)
        tl.store(of_gates + at + 3 * size, of_g, on)
        back = tl.dot(of_i, w_i, input_precision=precision)
        back += tl.dot(of_f, w_f, input_precision=precision)
        back += tl.dot(of_o, w_o, input_precision=precision)
        back += tl.dot(of_g, w_g, input_precision=precision)
        of_h = tl.where(on, back, of_h)
        of_c = tl.where(on, of_c_before, of_c)
    tl.store(of_state + here, of_h, real)
    tl.store(of_state + here + size, of_c, real)


@triton.jit(do_not_specialize=["batch"])
def _streamed_forward(
    state, inner, gates, states, inners, weight_hh, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    inner += b[:, None] * size
    for t in range(longest):
        running = (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        now = state + (t % 2 * batch + b)[:, None] * size
        after = state + ((t + 1) % 2 * batch + b)[:, None] * size
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            by_i = tl.zeros((many, block_j), tl.float32)
            by_f = tl.zeros((many, block_j), tl.float32)
            by_o = tl.zeros((many, block_j), tl.float32)
            by_g = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                h = tl.load(now + k[None, :], running & (k < size)[None, :], 0.0)
                weight = weight_hh + j[None, :] * size + k[:, None]
                inside = (k < size)[:, None] & (j < size)[None, :]
                by_i = tl.dot(h, tl.load(weight, inside, 0.0), by_i, input_precision=precision)
                by_f = tl.dot(h, tl.load(weight + size * size, inside, 0.0), by_f, input_precision=precision)
                by_o = tl.dot(h, tl.load(weight + 2 * size * size, inside, 0.0), by_o, input_precision=precision)
                by_g = tl.dot(h, tl.load(weight + 3 * size * size, inside, 0.0), by_g, input_precision=precision)
            on = running & (j < size)[None, :]
            at = gates + r * (4 * size) + j[None, :]
            i, f, o, half_g, h, c = _step(
                tl.load(at, on, 0.0) + by_i,
                tl.load(at + size, on, 0.0) + by_f,
                tl.load(at + 2 * size, on, 0.0) + by_o,
                tl.load(at + 3 * size, on, 0.0) + by_g,
                tl.load(inner + j[None, :], on, 0.0),
                gamma, hard,
            )  # fmt: skip
            tl.store(after + j[None, :], h, on)
            tl.store(inner + j[None, :], c, on)
            if not hold:
                tl.store(at, i, on)
                tl.store(at + size, f, on)
                tl.store(at + 2 * size, o, on)
                tl.store(at + 3 * size, half_g, on)
                tl.store(states + r * size + j[None, :], h, on)
                tl.store(inners + r * size + j[None, :], c, on)
        tl.debug_barrier()


@triton.jit(do_not_specialize=["batch"])
def _streamed_backward(
    of_states, of_state, gates, inners, inner_before, weight_hh, hardness, of_gates, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, direct: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    of_now = of_state + b[:, None] * (2 * size)
    for step in range(longest):
        t = longest - 1 - step
        running = (t < ends)[:, None]
        r = row(t, b, first_rows, False)[:, None]
        of_row = of_gates + r * (4 * size)
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            at = gates + r * (4 * size) + j[None, :]
            of_h = tl.load(of_now + j[None, :], on, 0.0)
            if direct:
                of_h += tl.load(of_states + r * size + j[None, :], on, 0.0)
            of_i, of_f, of_o, of_g, of_c = _step_back(
                of_h,
                tl.load(of_now + size + j[None, :], on, 0.0),
                tl.load(at, on, 0.0),
                tl.load(at + size, on, 0.0),
                tl.load(at + 2 * size, on, 0.0),
                tl.load(at + 3 * size, on, 0.0),
                tl.load(inners + r * size + j[None, :], on, 0.0),
                tl.load(inner_before + r * size + j[None, :], on, 0.0),
                gamma, hard,
            )  # fmt: skip
            tl.store(of_row + j[None, :], of_i, on)
            tl.store(of_row + size + j[None, :], of_f, on)
            tl.store(of_row + 2 * size + j[None, :], of_o, on)
            tl.store(of_row + 3 * size + j[None, :], of_g, on)
            tl.store(of_now + size + j[None, :], of_c, on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            back = tl.zeros((many, block_j), tl.float32)
            # The gradients of the gates lie one after the other, and so do their matrices: one product.
            for first_k in range(0, 4 * size, block_k):
                k = first_k + tl.arange(0, block_k)
                of_k = tl.load(of_row + k[None, :], running & (k < 4 * size)[None, :], 0.0)
                inside = (k < 4 * size)[:, None] & (j < size)[None, :]
                weight = tl.load(weight_hh + k[:, None] * size + j[None, :], inside, 0.0)
                back = tl.dot(of_k, weight, back, input_precision=precision)
            tl.store(of_now + j[None, :], back, running & (j < size)[None, :])
        tl.debug_barrier()


def _of_weight_hh(of_gates: Tensor, gates: Tensor, before: Tensor) -> Tensor:
    return of_gates.flatten(1).t() @ before


lstm = Cell(_of_weight_hh, resident=(_forward, _backward), streamed=(_streamed_forward, _streamed_backward))
