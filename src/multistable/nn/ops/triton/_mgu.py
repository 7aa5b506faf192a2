"""The minimal gated unit. Its second product takes f * h of all units, and so waits for the first."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from multistable.nn.ops.triton._cell import Cell
from multistable.nn.ops.triton._functions import gate, matrix, overwrite, row, sequences, slope, tanh, transposed

__all__ = ["mgu"]


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
    u_f = transposed(weight_hh, j, size)
    u_h = transposed(weight_hh + size * size, j, size)
    h = tl.load(start + b[:, None] * size + j[None, :], real, 0.0)
    for t in range(longest):
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        at = gates + r * (2 * size) + j[None, :]
        f = gate(tl.load(at, on, 0.0) + tl.dot(h, u_f, input_precision=precision), gamma, hard)
        candidate = tanh(tl.load(at + size, on, 0.0) + tl.dot(f * h, u_h, input_precision=precision))
        h = tl.where(on, (1 - f) * h + f * candidate, h)
        if not hold:
            overwrite()
            tl.store(at, f, on)
            tl.store(at + size, candidate, on)
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
    u_f = matrix(weight_hh, j, size)
    u_h = matrix(weight_hh + size * size, j, size)
    d = tl.load(of_state + b[:, None] * size + j[None, :], real, 0.0)
    for i in range(longest):
        t = longest - 1 - i
        on = real & (t < ends)[:, None]
        r = row(t, b, first_rows, False)[:, None]
        at = r * (2 * size) + j[None, :]
        f = tl.load(gates + at, on, 0.0)
        candidate = tl.load(gates + at + size, on, 0.0)
        h = tl.load(before + r * size + j[None, :], on, 0.0)
        if direct:
            d += tl.load(of_states + r * size + j[None, :], on, 0.0)
        of_candidate = d * f * (1 - candidate * candidate)
        of_product = tl.dot(of_candidate, u_h, input_precision=precision)
        of_f = (d * (candidate - h) + of_product * h) * slope(f, gamma, hard)
        tl.store(of_gates + at, of_f, on)
        tl.store(of_gates + at + size, of_candidate, on)
        through = d * (1 - f) + of_product * f + tl.dot(of_f, u_f, input_precision=precision)
        d = tl.where(on, through, d)
    tl.store(of_state + b[:, None] * size + j[None, :], d, real)


@triton.jit(do_not_specialize=["batch"])
def _streamed_forward(
    state, opening, gates, states, weight_hh, hardness, first_rows, lengths, batch,
    size: tl.constexpr, hard: tl.constexpr, hold: tl.constexpr,
    many: tl.constexpr, block_j: tl.constexpr, block_k: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    b, ends, longest = sequences(lengths, batch, many)
    gamma = tl.load(hardness)
    opening += b[:, None] * size
    for t in range(longest):
        running = (t < ends)[:, None]
        r = row(t, b, first_rows, hold)[:, None]
        now = state + (t % 2 * batch + b)[:, None] * size
        after = state + ((t + 1) % 2 * batch + b)[:, None] * size
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            by_f = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                h = tl.load(now + k[None, :], running & (k < size)[None, :], 0.0)
                inside = (k < size)[:, None] & (j < size)[None, :]
                u_f = tl.load(weight_hh + j[None, :] * size + k[:, None], inside, 0.0)
                by_f = tl.dot(h, u_f, by_f, input_precision=precision)
            on = running & (j < size)[None, :]
            at = gates + r * (2 * size) + j[None, :]
            f = gate(tl.load(at, on, 0.0) + by_f, gamma, hard)
            tl.store(opening + j[None, :], f, on)
            if not hold:
                tl.store(at, f, on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            by_product = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                known = running & (k < size)[None, :]
                product = tl.load(opening + k[None, :], known, 0.0) * tl.load(now + k[None, :], known, 0.0)
                inside = (k < size)[:, None] & (j < size)[None, :]
                u_h = tl.load(weight_hh + (size + j)[None, :] * size + k[:, None], inside, 0.0)
                by_product = tl.dot(product, u_h, by_product, input_precision=precision)
            on = running & (j < size)[None, :]
            at = gates + r * (2 * size) + size + j[None, :]
            f = tl.load(opening + j[None, :], on, 0.0)
            candidate = tanh(tl.load(at, on, 0.0) + by_product)
            h = (1 - f) * tl.load(now + j[None, :], on, 0.0) + f * candidate
            tl.store(after + j[None, :], h, on)
            if not hold:
                tl.store(at, candidate, on)
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
        of_row = of_gates + r * (2 * size)
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            on = running & (j < size)[None, :]
            at = r * (2 * size) + j[None, :]
            d = tl.load(of_now + j[None, :], on, 0.0)
            if direct:
                d += tl.load(of_states + r * size + j[None, :], on, 0.0)
                tl.store(of_now + j[None, :], d, on)
            f = tl.load(gates + at, on, 0.0)
            candidate = tl.load(gates + at + size, on, 0.0)
            tl.store(of_row + size + j[None, :], d * f * (1 - candidate * candidate), on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            of_product = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                of_candidate = tl.load(of_row + size + k[None, :], running & (k < size)[None, :], 0.0)
                inside = (k < size)[:, None] & (j < size)[None, :]
                u_h = tl.load(weight_hh + (size + k)[:, None] * size + j[None, :], inside, 0.0)
                of_product = tl.dot(of_candidate, u_h, of_product, input_precision=precision)
            on = running & (j < size)[None, :]
            at = r * (2 * size) + j[None, :]
            f = tl.load(gates + at, on, 0.0)
            candidate = tl.load(gates + at + size, on, 0.0)
            h = tl.load(before + r * size + j[None, :], on, 0.0)
            d = tl.load(of_now + j[None, :], on, 0.0)
            of_f = (d * (candidate - h) + of_product * h) * slope(f, gamma, hard)
            tl.store(of_row + j[None, :], of_f, on)
            tl.store(of_now + j[None, :], d * (1 - f) + of_product * f, on)
        tl.debug_barrier()
        for first_j in range(0, size, block_j):
            j = first_j + tl.arange(0, block_j)
            back = tl.zeros((many, block_j), tl.float32)
            for first_k in range(0, size, block_k):
                k = first_k + tl.arange(0, block_k)
                of_f = tl.load(of_row + k[None, :], running & (k < size)[None, :], 0.0)
                inside = (k < size)[:, None] & (j < size)[None, :]
                u_f = tl.load(weight_hh + k[:, None] * size + j[None, :], inside, 0.0)
                back = tl.dot(of_f, u_f, back, input_precision=precision)
            on = running & (j < size)[None, :]
            tl.store(of_now + j[None, :], tl.load(of_now + j[None, :], on, 0.0) + back, on)
        tl.debug_barrier()


def _of_weight_hh(of_gates: Tensor, gates: Tensor, before: Tensor) -> Tensor:
    of_f, of_candidate = of_gates.unbind(1)
    return torch.cat([of_f.t() @ before, of_candidate.t() @ (gates[:, 0] * before)])


mgu = Cell(_of_weight_hh, resident=(_forward, _backward), streamed=(_streamed_forward, _streamed_backward))
