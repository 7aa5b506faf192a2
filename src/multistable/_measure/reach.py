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
        sequences: the numbers of the sequences, (n,), on the CPU.
        prefixes: how many steps were taken of each, (n,), on the CPU.
        moments: the mean and the standard deviation of each feature that each stack receives, (I,); those of the first
            batch, and none of a single batch.
        open_loop: the layers whose inputs depend on what they returned before, and are held from outside all the same.
        shares: which of the states of all processes these are, in each stack; empty where they are all.
    """

    states: list[Tensor]
    sequences: Tensor
    prefixes: Tensor
    moments: list[tuple[Tensor, Tensor]]
    open_loop: tuple[str, ...] = ()
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
    return Reached(states, numbers[0], cuts[0], [], shares=tuple(shares))


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
    open_loop: list[str] = []
    moments: list[tuple[Tensor, Tensor]] = []
    count = 0
    for one in sequences:
        found = _whole(reach(stacks, one, n - count, None, generator, processes), processes)
        if not reached:
            moments, open_loop = _seen(stacks, one, processes)
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


def _whole(found: Reached, processes: Processes) -> Reached:
    """What all processes have found, in the order of the whole batch."""
    if processes.size == 1:
        return found
    states = [processes.gathered(own, share) for own, share in zip(found.states, found.shares, strict=True)]
    own = (found.shares[0].places, found.sequences, found.prefixes)
    places, numbers, prefixes = map(torch.cat, zip(*processes.exchange("reached", own), strict=True))
    order = places.argsort()
    return Reached(states, numbers[order], prefixes[order], [])


def _seen(
    stacks: Sequence[Stack], sequences: Sequence[Sequences] | None, processes: Processes
) -> tuple[list[tuple[Tensor, Tensor]], list[str]]:
    """The moments of what each stack receives in all processes, and the layers that are known to be fed back."""
    given = sequences or []
    moments = [_moments(received) for received in given]
    fed_back = [part.name for stack, of in zip(stacks, given, strict=False) if of.fed_back for part in stack.parts]
    if processes.size == 1:
        return moments, fed_back
    steps = [int(received.lengths.sum()) if _counts(received) else 0 for received in given]
    said = processes.exchange("seen", ([(mean.cpu(), spread.cpu()) for mean, spread in moments], steps, fed_back))
    counted = [(of_stacks, weights) for of_stacks, weights, _ in said if any(weights)]
    pooled = [
        _pooled([of_stacks[k] for of_stacks, _ in counted], [weights[k] for _, weights in counted], stack)
        for k, stack in enumerate(stacks)
    ]
    named = {name for *_, names in said for name in names}
    return pooled, [part.name for stack in stacks for part in stack.parts if part.name in named]


def _pooled(moments: list[tuple[Tensor, Tensor]], steps: list[int], stack: Stack) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of several sets of so many steps, from those of each."""
    weights = torch.tensor(steps, dtype=torch.float64, device="cpu")[:, None] / sum(steps)
    means, spreads = (torch.stack(column).double() for column in zip(*moments, strict=True))
    mean = (weights * means).sum(0)
    spread = (weights * (spreads.square() + (means - mean).square())).sum(0).sqrt()
    like = stack.parameters()[0]
    return mean.to(like), spread.to(like)
