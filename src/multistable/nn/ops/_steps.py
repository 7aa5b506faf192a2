"""What the passes of a recurrence are given: all steps forwards, a chunk of them backwards."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

__all__ = ["Given", "Steps"]


class Given(NamedTuple):
    """What a pass forwards is given.

    Attributes:
        inputs: the rows of all steps, (N, I).
        h: the states to start from, (B, H).
        weight_ih: (G * H, I).
        weight_hh: the recurrent weights.
        bias: (G * H,), if any.
        sizes: how many rows each step has.
        states: where the states after each step go, (N, H).
    """

    inputs: Tensor
    h: Tensor
    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor | None
    sizes: list[int]
    states: Tensor


class Steps(NamedTuple):
    """A chunk of steps on the way back.

    Attributes:
        gates: (N, G, H), as the forward pass left them.
        before: the state that each step started from, (N, H).
        delta: the gradient of the state after each step, (N, H); complete for the last step alone.
        after: the same, step by step.
        earlier: step by step the gradient of the state before the step, of at least as many rows, to be added to.
        sizes: how many rows each step has.
    """

    gates: Tensor
    before: Tensor
    delta: Tensor
    after: Sequence[Tensor]
    earlier: Sequence[Tensor]
    sizes: list[int]

    def split(self, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """From the last step to the first: the rows of each of `parts`, and those of `after` and `earlier`."""
        earlier = [grad[:size] for grad, size in zip(self.earlier, self.sizes, strict=True)]
        columns: list[Sequence[Tensor]] = [*(part.split(self.sizes) for part in parts), self.after, earlier]
        steps: list[tuple[Tensor, ...]] = list(zip(*columns, strict=True))
        return reversed(steps)
