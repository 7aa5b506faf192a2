"""States that prefixes lead to: which of them belong together, and that they are the ones that are scored."""

import pytest
import torch
from torch import Tensor, nn

from multistable import measure
from multistable._measure.reach import reach, reach_many
from multistable._measure.selection import select
from multistable.dynamics import Sequences, stacks


class Twins(nn.Module):
    """Two layers with the same weights that receive the same."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.GRU(2, 4), nn.GRU(2, 4)
        self.second.load_state_dict(self.first.state_dict())

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.first(values)[0] + self.second(values)[0]
        return outputs


@pytest.mark.parametrize("n", [7, 40], ids=["some sequences", "all sequences"])
def test_rows_of_several_modules_come_from_the_same_prefixes(n: int) -> None:
    torch.manual_seed(0)
    model = Twins()
    first, second = select(model, None).reach([torch.randn(20, 40, 2)], n, torch.Generator().manual_seed(0)).states
    assert torch.equal(first, second)
    assert len(first.unique(dim=0)) == len(first) == n  # of sequences and prefixes that differ


def adder() -> nn.RNN:
    """h' = h + u, for inputs that are not negative."""
    rnn = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=torch.float64)
    for parameter in rnn.parameters():
        nn.init.ones_(parameter)
    return rnn


def numbered(steps: int, sequences: range) -> Sequences:
    """Sequences that hold their number over 1,000 at every step: a sum of k of them is k times that."""
    values = torch.tensor(sequences, dtype=torch.float64) / 1_000
    return Sequences(values.expand(steps, -1)[:, :, None], torch.full((len(sequences),), steps))


@pytest.mark.parametrize("longest", [None, 3])
def test_reached_states_are_those_of_prefixes_of_different_sequences(longest: int | None) -> None:
    stack = stacks(adder())
    (states,) = reach(stack, [numbered(6, range(1, 1_000))], 200, longest, torch.Generator().manual_seed(0)).states
    assert states.shape == (200, 1)
    sums = {round(1_000 * state) for state in states[:, 0].tolist()}
    allowed = range(1, (longest or 6) + 1)
    assert (1_000 * states - (1_000 * states).round()).abs().max() < 1e-9
    assert all(any(total % steps == 0 and total // steps < 1_000 for steps in allowed) for total in sums)
    assert max(sums) > 1_000  # some prefixes are longer than a step


def test_sequences_are_drawn_without_replacement_and_not_from_the_front() -> None:
    """With prefixes of a step, states are the sequences' numbers."""
    reached = reach(stacks(adder()), [numbered(6, range(1, 301))], 100, 1, torch.Generator().manual_seed(0))
    numbers = (1_000 * reached.states[0][:, 0]).round().long().tolist()
    assert (1 + reached.sequences).tolist() == numbers and reached.prefixes.eq(1).all()
    assert len(set(numbers)) == 100
    # That 100 of 300, drawn at random, are all among the first 200 has a chance of 10^-19.
    assert max(numbers) > 200


def test_batches_are_taken_until_there_are_enough() -> None:
    taken: list[int] = []

    def source() -> object:
        for k in range(9):
            taken.append(k)
            yield [numbered(1, range(10 * k + 1, 10 * k + 11))]

    reached = reach_many(stacks(adder()), source(), 25, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    numbers = (1_000 * reached.states[0][:, 0]).round().long().tolist()
    assert (1 + reached.sequences).tolist() == numbers == sorted(numbers)
    assert taken == [0, 1, 2]
    assert len(numbers) == len(set(numbers)) == 25
    assert set(numbers[:20]) == set(range(1, 21)) and set(numbers[20:]) < set(range(21, 31))


def test_two_sequences_can_be_told_apart_and_one_cannot() -> None:
    assert measure(nn.GRU(1, 3), torch.randn(4, 2, 1), horizon=1).n == 2
    with pytest.raises(ValueError, match="^inputs must hold at least two sequences to be told apart, got 1$"):
        measure(nn.GRU(1, 3), torch.randn(4, 1, 1), horizon=1)
