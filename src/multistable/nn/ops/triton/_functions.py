"""What the kernels of all recurrences share."""

import triton
import triton.language as tl

__all__ = ["gate", "matrix", "overwrite", "row", "sequences", "sigmoid", "slope", "tanh", "transposed"]


@triton.jit
def sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def tanh(x):
    """In a form that has no infinity divided by another."""
    return 2 * sigmoid(2 * x) - 1


@triton.jit
def gate(x, gamma, hard: tl.constexpr):
    """The gate of what drives it; NaN stays NaN, which a minimum would swallow."""
    soft = sigmoid(x)
    if hard:
        soft = tl.clamp((1 + 2 * gamma) * soft - gamma, 0.0, 1.0, propagate_nan=tl.PropagateNan.ALL)
    return soft


@triton.jit
def slope(of, gamma, hard: tl.constexpr):
    """The gate's derivative by what drives it, from the gate itself; 0 at both ends."""
    if hard:
        inside = (of + gamma) * (1 + gamma - of) / (1 + 2 * gamma)
        inside = tl.where((of == 0) | (of == 1), 0.0, inside)
    else:
        inside = of * (1 - of)
    return inside


@triton.jit
def sequences(lengths, batch, many: tl.constexpr):
    """A program's sequences, how long each is (0 behind the last), and the longest of these lengths.

    Numbers of sequences and rows are of 64 bits: times the units, they pass 2^31.
    """
    b = tl.program_id(0).to(tl.int64) * many + tl.arange(0, many)
    ends = tl.load(lengths + b, b < batch, 0)
    return b, ends, tl.max(ends, 0)


@triton.jit
def row(t, b, first_rows, hold: tl.constexpr):
    """The rows of step t: the only one there is where the drive is held."""
    return b * 0 if hold else tl.load(first_rows + t) + b


@triton.jit
def overwrite():
    """Before what has been loaded is overwritten: with more threads than numbers, several load the same."""
    tl.debug_barrier()


@triton.jit
def matrix(weight, k, size: tl.constexpr):
    """A whole (H, H) matrix, zero beyond."""
    return tl.load(weight + k[:, None] * size + k[None, :], (k < size)[:, None] & (k < size)[None, :], 0.0)


@triton.jit
def transposed(weight, k, size: tl.constexpr):
    return tl.load(weight + k[None, :] * size + k[:, None], (k < size)[:, None] & (k < size)[None, :], 0.0)
