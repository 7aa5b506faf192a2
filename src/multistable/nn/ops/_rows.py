"""Sequences as rows: the steps one after the other, in each of them the sequences still running, longest first.

Sequences of equal length (T, B, F) are such rows already, T * B of them; a `PackedSequence` holds its data so.
"""

from itertools import accumulate

import torch
from torch import Tensor

__all__ = ["chunks", "last_rows", "spans", "step_sizes", "with_gradients"]

# Numbers in one gate of the steps whose local derivatives are computed together: few enough that what a chunk needs
# stays in the cache, enough that the cost of an operation does not show.
_CHUNK = 2**17


def step_sizes(inputs: Tensor, batch_sizes: Tensor | None) -> list[int]:
    """How many rows each step has: those of (T, B, F), or those that a `PackedSequence` says."""
    return [inputs.shape[1]] * len(inputs) if batch_sizes is None else batch_sizes.tolist()


def spans(batch_sizes: Tensor) -> tuple[Tensor, Tensor]:
    """How long each sequence is, (B,), and the row of each step's first sequence, (T,)."""
    sequences = torch.arange(int(batch_sizes[0]), device="cpu")
    return (batch_sizes[:, None] > sequences).sum(0), batch_sizes.cumsum(0) - batch_sizes


def last_rows(sizes: list[int], device: torch.device) -> Tensor:
    """The row of each sequence's last step, (B,)."""
    lengths, first_rows = spans(torch.tensor(sizes, device="cpu"))
    return (first_rows[lengths - 1] + torch.arange(sizes[0], device="cpu")).to(device)


def with_gradients(states: Tensor, of_states: Tensor | None, of_last: Tensor | None, sizes: list[int]) -> Tensor:
    """The gradient that reaches each state directly from the loss, (N, H), in memory of its own."""
    if of_states is None:
        delta = torch.zeros_like(states)
    else:
        delta = torch.empty_like(states)
        delta.view(of_states.shape).copy_(of_states)
    return delta if of_last is None else delta.index_add_(0, last_rows(sizes, delta.device), of_last)


def chunks(sizes: list[int], hidden_size: int) -> list[tuple[slice, slice]]:
    """Chunks of steps, the last first: their steps, and their rows."""
    length = max(1, _CHUNK // max(1, sizes[0] * hidden_size))
    first_rows = [0, *accumulate(sizes)]
    starts = range(0, len(sizes), length)
    ends = [min(start + length, len(sizes)) for start in starts]
    return [
        (slice(start, end), slice(first_rows[start], first_rows[end]))
        for start, end in reversed(list(zip(starts, ends, strict=True)))
    ]
