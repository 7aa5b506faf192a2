"""Where the steps of sequences lie, as a kernel takes it."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from multistable.nn.ops._rows import spans

__all__ = ["Rows"]


class Rows(NamedTuple):
    """Sequences as rows.

    Attributes:
        lengths: of each sequence, (B,).
        first_rows: the row of each step's first sequence, (T,).
        earlier: for sequences of different lengths, the place of what comes before each row among the states to start
            from, and then the rows, (N,).
    """

    lengths: Tensor
    first_rows: Tensor
    earlier: Tensor | None

    @classmethod
    def of(cls, inputs: Tensor, batch_sizes: Tensor | None) -> Self:
        """Those of (T, B, F), made where they are and without waiting, or those of a `PackedSequence`."""
        device = inputs.device
        if batch_sizes is None:
            steps, batch = inputs.shape[:2]
            lengths = torch.full((batch,), steps, dtype=torch.int32, device=device)
            return cls(lengths, torch.arange(steps, device=device) * batch, None)
        lengths, first_rows = spans(batch_sizes)
        # B states to start from stand before the rows, and before those of the first step.
        starts = torch.cat([first_rows[:1], first_rows[:-1] + batch_sizes[0]])
        earlier = torch.arange(int(batch_sizes.sum()), device="cpu")
        earlier += (starts - first_rows).repeat_interleave(batch_sizes)
        return cls(lengths.int().to(device), first_rows.to(device), earlier.to(device))

    def before(self, start: Tensor, rows: Tensor) -> Tensor:
        """What each step begins with, (N, F), of the states to start from (B, F) and those after each step (N, F)."""
        if self.earlier is None:
            return torch.cat([start, rows])[: len(rows)]
        return torch.cat([start, rows])[self.earlier]
