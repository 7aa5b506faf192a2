"""States that data reach: sequences are cut to random prefixes and run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multistable._utils.processes import ALONE, Processes
from multistable._utils.randomness import draw_seed
from multistable._utils.share import Share, dealt
from multistable.dynamics import Sequences, Stack

__all__ = ["Reached", "draw_prefixes", "reach", "reach_many"]


@dataclass(frozen=True)
class Reached:
    """States that prefixes of sequences lead to.

    Attributes:
        states: in each stack, (n, S).
        shares: which of the states of all processes these are, for each stack.
        sequences: the numbers of the sequences, (n,), on the CPU.
        prefixes: how many steps were taken of each, (n,), on the CPU.
        moments: the mean and the standard deviation of each feature that each stack receives, (I,); those of the first
            batch.
        shares: which of the states of all processes these are, in each stack; empty where they are all.
    """

    states: list[Tensor]
    sequences: Tensor
    prefixes: Tensor
    moments: list[tuple[Tensor, Tensor]]
    shares: tuple[Share, ...] = ()

    def rows(self, index: Tensor) -> "Reached":
        """Those that `index` (k,) names."""
        states = [of_stack[index.to(of_stack.device)] for of_stack in self.states]
        return replace(self, states=states, sequences=self.sequences[index], prefixes=self.prefixes[index])


def draw_prefixes(
    lengths: Tensor, max_prefix: int | None, generator: torch.Generator, share: Share | None = None
) -> Tensor:
    """Prefix lengths, uniform in 1..min(length, max_prefix), (B,) -> (B,), where they are drawn for a whole batch."""
    longest = lengths if max_prefix is None else lengths.clamp(max=max_prefix)
    total = len(lengths) if share is None else share.total
    fractions = torch.rand(total, generator=generator, dtype=torch.float64, device="cpu")
    if share is not None:
        fractions = fractions[share.places]
    return 1 + (fractions * longest).long().minimum(longest - 1)


def reach(
    stacks: Sequence[Stack],
    sequences: Sequence[Sequences] | None,
    count: int,
    max_prefix: int | None,
    generator: torch.Generator,
    processes: Processes = ALONE,
) -> Reached:
    """The states that random prefixes lead to, in each stack.

    Args:
        stacks: the stacks.
        sequences: what each received; None where only other processes have received something.
        count: how many sequences to draw at most in all processes; all of them if there are fewer.
        max_prefix: the longest prefix; None for the whole sequence.
        generator: draws sequences and prefixes, the same in all processes.
        processes: those that each have a share of the sequences.

    Returns:
        This process's states; the numbers of sequences and the prefixes are those of the first stack.
    """
    seed = draw_seed(generator)
    given: Sequence[Sequences | None] = sequences or [None] * len(stacks)
    states, numbers, cuts, shares = [], [], [], []
    for stack, received, share in zip(stacks, given, _shares(given, processes), strict=True):
        # The same draws for every stack, so that rows which belong together stay together.
        own = torch.Generator().manual_seed(seed)
        rows, number = torch.arange(len(share.places), device="cpu"), share.places
        if received is not None and received.numbers is not None:
            number = received.numbers
        if chosen := share.total > count:
            rows, share = share.chosen(torch.randperm(share.total, generator=own, device="cpu")[:count])
        shares.append(share)
        numbers.append(number[rows])
        if received is None or len(rows) == 0:
            states.append(stack.zero_state(0))
            cuts.append(rows)
            continue
        if chosen:
            received = received.rows(rows)
        cuts.append(draw_prefixes(received.lengths, max_prefix, own, share))
        states.append(stack.reach(received.inputs, received.lengths, cuts[-1], received.state))
    moments = [_moments(received) for received in sequences or []]
    return Reached(states, numbers[0], cuts[0], moments, tuple(shares))


def _shares(sequences: Sequence[Sequences | None], processes: Processes) -> list[Share]:
    """This process's share of what each stack receives in all of them."""
    said = processes.exchange("places", [_places(received) for received in sequences])
    shares = []
    for own, *of_all in zip(said[processes.rank], *said, strict=True):
        counts = [one if isinstance(one, int) else len(one) for one in of_all]
        known = not any(isinstance(one, int) for one in of_all)
        shares.append(Share(own, sum(counts)) if known and isinstance(own, Tensor) else dealt(counts, processes.rank))
    return shares


def _counts(received: Sequences) -> bool:
    """Whether any of these are in the batch of all processes, as far as that is known."""
    return received.places is None or bool((received.places >= 0).any())


def _places(received: Sequences | None) -> Tensor | int:
    """Places in the batch of all processes, as far as they are known; else how many sequences there are."""
    if received is None:
        return torch.zeros(0, dtype=torch.long, device="cpu")
    return len(received) if received.places is None else received.places[received.places >= 0]


def _moments(received: Sequences) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of each feature, padding left out."""
    inside = torch.arange(len(received.inputs), device="cpu")[:, None] < received.lengths
    steps = received.inputs.detach()[inside.to(received.inputs.device)]
    return steps.mean(0), steps.std(0, correction=0)


def reach_many(
    stacks: Sequence[Stack],
    sequences: Iterable[Sequence[Sequences] | None],
    n: int,
    generator: torch.Generator,
    processes: Processes = ALONE,
) -> Reached:
    """`n` reached states in each stack, from as many batches as it takes; fewer if the batches end before.

    They are in the order of the sequences; those of a batch are numbered from the end of the one before. They are those
    of all processes, which go from batch to batch together; None stands for the batch of one that has no more.
    """
    reached: list[Reached] = []
    count = 0
    for one in sequences:
        found = _whole(reach(stacks, one, n - count, None, generator, processes), one, processes)
        reached.append(replace(found, sequences=found.sequences + count if reached else found.sequences))
        count += min(len(states) for states in found.states)
        if count >= n:
            break
    if count < 2:
        raise ValueError(f"inputs must hold at least two sequences to be told apart, got {count}")
    states = [torch.cat(of_stack)[:count] for of_stack in zip(*(one.states for one in reached), strict=True)]
    numbers = torch.cat([one.sequences for one in reached])[:count]
    prefixes = torch.cat([one.prefixes for one in reached])[:count]
    whole = Reached(states, numbers, prefixes, reached[0].moments)
    return whole.rows(numbers.argsort(stable=True))


def _whole(found: Reached, sequences: Sequence[Sequences] | None, processes: Processes) -> Reached:
    """What all processes have found, in the order of the whole batch."""
    if processes.size == 1:
        return replace(found, shares=())
    states = [processes.gathered(own, share) for own, share in zip(found.states, found.shares, strict=True)]
    steps = [int(received.lengths.sum()) if _counts(received) else 0 for received in sequences or []]
    moments = [(mean.cpu(), spread.cpu()) for mean, spread in found.moments]
    own = (found.shares[0].places, found.sequences, found.prefixes, steps, moments)
    places, numbers, prefixes, *of_data = zip(*processes.exchange("reached", own), strict=True)
    order = torch.cat(places).argsort()
    received = [(weights, parts) for weights, parts in zip(*of_data, strict=True) if any(weights)]
    pooled = [
        _pooled([weights[k] for weights, _ in received], [parts[k] for _, parts in received], like=of_stack)
        for k, of_stack in enumerate(states)
    ]
    return Reached(states, torch.cat(numbers)[order], torch.cat(prefixes)[order], pooled)


def _pooled(steps: list[int], moments: list[tuple[Tensor, Tensor]], like: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of several sets of so many steps, from those of each."""
    weights = torch.tensor(steps, dtype=torch.float64, device="cpu")[:, None] / sum(steps)
    means, spreads = (torch.stack(column).double() for column in zip(*moments, strict=True))
    mean = (weights * means).sum(0)
    spread = (weights * (spreads.square() + (means - mean).square())).sum(0).sqrt()
    return mean.to(like), spread.to(like)
