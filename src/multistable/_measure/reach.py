"""States that data reach: sequences are cut to random prefixes and run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multistable._utils.randomness import draw_seed
from multistable.dynamics import Sequences, Stack

__all__ = ["Reached", "draw_prefixes", "reach", "reach_many"]


@dataclass(frozen=True)
class Reached:
    """States that prefixes of sequences lead to.

    Attributes:
        states: in each stack, (n, S).
        sequences: the numbers of the sequences, (n,), on the CPU.
        prefixes: how many steps were taken of each, (n,), on the CPU.
        moments: the mean and the standard deviation of each feature that each stack receives, (I,); those of the first
            batch, and none of a single batch.
        open_loop: the layers whose inputs depend on what they returned before, and are held from outside all the same.
    """

    states: list[Tensor]
    sequences: Tensor
    prefixes: Tensor
    moments: list[tuple[Tensor, Tensor]]
    open_loop: tuple[str, ...] = ()

    def rows(self, index: Tensor) -> "Reached":
        """Those that `index` (k,) names."""
        states = [of_stack[index.to(of_stack.device)] for of_stack in self.states]
        return replace(self, states=states, sequences=self.sequences[index], prefixes=self.prefixes[index])


def draw_prefixes(lengths: Tensor, max_prefix: int | None, generator: torch.Generator) -> Tensor:
    """Prefix lengths, uniform in 1..min(length, max_prefix), (B,) -> (B,)."""
    longest = lengths if max_prefix is None else lengths.clamp(max=max_prefix)
    fractions = torch.rand(len(lengths), generator=generator, dtype=torch.float64, device="cpu")
    return 1 + (fractions * longest).long().minimum(longest - 1)


def reach(
    stacks: Sequence[Stack],
    sequences: Sequence[Sequences],
    count: int,
    max_prefix: int | None,
    generator: torch.Generator,
) -> Reached:
    """The states that random prefixes lead to, in each stack.

    Args:
        stacks: the stacks.
        sequences: what each received.
        count: how many sequences to draw at most; all of them if there are fewer.
        max_prefix: the longest prefix; None for the whole sequence.
        generator: draws sequences and prefixes.

    Returns:
        The states; the numbers of sequences and the prefixes are those of the first stack.
    """
    seed = draw_seed(generator)
    states, numbers, cuts = [], [], []
    for stack, received in zip(stacks, sequences, strict=True):
        # The same draws for every stack, so that rows which belong together stay together.
        own = torch.Generator().manual_seed(seed)
        if len(received) > count:
            received = received.rows(torch.randperm(len(received), generator=own, device="cpu")[:count])
        prefixes = draw_prefixes(received.lengths, max_prefix, own)
        states.append(stack.reach(received.inputs, received.lengths, prefixes, received.state))
        numbers.append(torch.arange(len(received), device="cpu") if received.numbers is None else received.numbers)
        cuts.append(prefixes)
    return Reached(states, numbers[0], cuts[0], [])


def _moments(received: Sequences) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of each feature, padding left out."""
    inside = torch.arange(len(received.inputs), device="cpu")[:, None] < received.lengths
    steps = received.inputs.detach()[inside.to(received.inputs.device)]
    return steps.mean(0), steps.std(0, correction=0)


def reach_many(
    stacks: Sequence[Stack], sequences: Iterator[Sequence[Sequences]], n: int, generator: torch.Generator
) -> Reached:
    """`n` reached states in each stack, from as many batches as it takes; fewer if the batches end before.

    They are in the order of the sequences; those of a batch are numbered from the end of the one before.
    """
    reached: list[Reached] = []
    open_loop: list[str] = []
    moments: list[tuple[Tensor, Tensor]] = []
    count = 0
    for one in sequences:
        if not reached:
            open_loop = [
                part.name for stack, of in zip(stacks, one, strict=True) if of.fed_back for part in stack.parts
            ]
        found = reach(stacks, one, n - count, None, generator)
        moments = moments or [_moments(received) for received in one]
        reached.append(replace(found, sequences=found.sequences + count if reached else found.sequences))
        count += min(len(states) for states in found.states)
        if count >= n:
            break
    if count < 2:
        raise ValueError(f"inputs must hold at least two sequences to be told apart, got {count}")
    states = [torch.cat(of_stack)[:count] for of_stack in zip(*(one.states for one in reached), strict=True)]
    numbers = torch.cat([one.sequences for one in reached])[:count]
    prefixes = torch.cat([one.prefixes for one in reached])[:count]
    whole = Reached(states, numbers, prefixes, moments, tuple(open_loop))
    return whole.rows(numbers.argsort(stable=True))
