"""States that data reach: sequences are cut to random prefixes and run."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from multistable._utils.randomness import draw_seed
from multistable.dynamics import Sequences, Stack

__all__ = ["draw_prefixes", "reach", "reach_many"]


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
) -> list[Tensor]:
    """The states that random prefixes lead to, in each stack.

    Args:
        stacks: the stacks.
        sequences: what each received.
        count: how many sequences to draw at most; all of them if there are fewer.
        max_prefix: the longest prefix; None for the whole sequence.
        generator: draws sequences and prefixes.

    Returns:
        For each stack the states, (B, S).
    """
    seed = draw_seed(generator)
    states = []
    for stack, received in zip(stacks, sequences, strict=True):
        # The same draws for every stack, so that rows which belong together stay together.
        own = torch.Generator().manual_seed(seed)
        if len(received) > count:
            received = received.rows(torch.randperm(len(received), generator=own, device="cpu")[:count])
        prefixes = draw_prefixes(received.lengths, max_prefix, own)
        states.append(stack.reach(received.inputs, received.lengths, prefixes, received.state))
    return states


def reach_many(
    stacks: Sequence[Stack], sequences: Iterator[Sequence[Sequences]], n: int, generator: torch.Generator
) -> list[Tensor]:
    """`n` reached states in each stack, from as many batches as it takes; fewer if the batches end before."""
    reached: list[list[Tensor]] = []
    count = 0
    for one in sequences:
        reached.append(reach(stacks, one, n - count, None, generator))
        count += min(len(states) for states in reached[-1])
        if count >= n:
            break
    if count < 2:
        raise ValueError(f"inputs must hold at least two sequences to be told apart, got {count}")
    states = [torch.cat(of_stack) for of_stack in zip(*reached, strict=True)]
    return [of_stack[:count] for of_stack in states]
