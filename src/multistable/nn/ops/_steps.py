"""What the passes of a recurrence are given: all steps forwards, a chunk of them backwards."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from multistable.nn.ops._gates import Hardness

__all__ = ["Given", "Steps"]


class Given(NamedTuple):
    """What a pass forwards is given.

    Attributes:
        inputs: the rows of all steps, (N, I).
        h: the states to start from, (B, H).
        inner: what else a state is made of, (B, S - H).
        weight_ih: (G * H, I).
        weight_hh: the recurrent weights.
        bias: of all gates, if any.
        hardness: of the gates that keep, if any.
        sizes: how many rows each step has.
        states: where h after each step goes, (N, H).
        inners: where the rest of the state goes, (N, S - H).
    """

    inputs: Tensor
    h: Tensor
    inner: Tensor
    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor | None
    hardness: Hardness | None
    sizes: list[int]
    states: Tensor
    inners: Tensor


class Steps(NamedTuple):
    """A chunk of steps on the way back.

    Attributes:
        gates: all of them, (N, G, H), as the forward pass left them.
        hardness: of the gates that keep, if any.
        before: h that each step started from, (N, H).
        inner_before: the rest of the state that it started from, (N, S - H).
        inners: the rest of the state after each step, (N, S - H).
        delta: the gradient of h after each step, (N, H); complete for the last step alone.
        after: the same, step by step.
        earlier: step by step the gradient of h before the step, of at least as many rows, to be added to.
        of_inner: the gradient of the rest of the state, (B, S - H): after the last step on the way in, before the first
            on the way out; a step takes and leaves as many of its rows as it has.
        sizes: how many rows each step has.
    """

    gates: Tensor
    hardness: Hardness | None
    before: Tensor
    inner_before: Tensor
    inners: Tensor
    delta: Tensor
    after: Sequence[Tensor]
    earlier: Sequence[Tensor]
    of_inner: Tensor
    sizes: list[int]

    def split(self, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """From the last step to the first: the rows of each of `parts`, and those of `after` and `earlier`."""
        earlier = [grad[:size] for grad, size in zip(self.earlier, self.sizes, strict=True)]
        columns: list[Sequence[Tensor]] = [*(part.split(self.sizes) for part in parts), self.after, earlier]
        steps: list[tuple[Tensor, ...]] = list(zip(*columns, strict=True))
        return reversed(steps)
