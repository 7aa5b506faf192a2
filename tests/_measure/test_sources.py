"""What comes out of each kind of source, to the last value."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from multistable._measure.inputs import batches, received
from multistable.dynamics import Sequences, stacks


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("endless", [True, False])
def test_a_list_of_batches_ends_or_starts_over(endless: bool) -> None:
    module, batch = nn.GRU(1, 2), torch.randn(3, 4, 1)
    drawn = batches(module, stacks(module), [(batch, 0), (2 * batch, 1)], 9, seeded(), endless=endless)
    first = [next(drawn) for _ in range(2)]
    assert [torch.equal(one.inputs, k * batch) for k, one in enumerate(first, 1)] == [True, True]
    third = next(drawn, None)
    assert (third is None) != endless


def test_a_pool_is_drawn_from_once_or_for_ever() -> None:
    module, pool = nn.GRU(1, 2), torch.randn(3, 40, 1)
    (one,) = batches(module, stacks(module), pool, 9, seeded(), endless=False)
    many = batches(module, stacks(module), pool, 9, seeded(), endless=True)
    assert torch.equal(next(many).inputs, one.inputs) and not torch.equal(next(many).inputs, one.inputs)


def test_an_empty_source_says_so() -> None:
    module = nn.GRU(1, 2)
    with pytest.raises(ValueError, match="^inputs must hold at least one batch, got an empty list$"):
        next(batches(module, stacks(module), [], 9, seeded(), endless=True))
    assert list(batches(module, stacks(module), [], 9, seeded(), endless=False)) == []
    for endless in (True, False):
        ended = (
            "^inputs must hold at least one batch, got a generator that has ended: pass an iterable that can start over"
        )
        with pytest.raises(ValueError, match=ended):
            next(batches(module, stacks(module), (one for one in range(0)), 9, seeded(), endless=endless))


def test_inputs_of_a_cell_are_checked_like_those_of_a_layer() -> None:
    cell = nn.GRUCell(2, 3)
    (good,) = batches(cell, stacks(cell), torch.randn(5, 4, 2), 4, seeded(), endless=False)
    assert good.inputs.shape == (5, 4, 2) and good.lengths.tolist() == [5] * 4
    for wrong, message in (
        (torch.randn(5, 4, 3), "^inputs of GRUCell must have 2 features, got 3$"),
        (torch.randn(5, 4, 2).double(), "^inputs of GRUCell must have its parameters' dtype"),
        (torch.randn(5, 0, 2), "at least one sequence of at least one step"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            next(batches(cell, stacks(cell), wrong, 4, seeded(), endless=False))


class Scaled(nn.Module):
    """A model with a recurrent layer that starts from a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 2)
        self.start = nn.Parameter(torch.ones(1, 1, 2))

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.rnn(3 * values, self.start.expand(-1, values.shape[1], -1).contiguous())[0]
        return outputs


def test_what_a_layer_within_a_model_receives() -> None:
    model, values = Scaled(), torch.randn(5, 4, 1)
    (one,) = received(model, stacks(model), values, seeded())
    assert torch.equal(one.inputs, 3 * values)
    assert one.state is not None and torch.equal(one.state, torch.ones(4, 2))
    with torch.no_grad():
        model.start[0, 0, 1] = float("inf")
    with pytest.raises(ValueError, match="^the state that 'rnn' receives must be finite, got 4 NaN or infinite values"):
        received(model, stacks(model), values, seeded())


def test_what_a_layer_itself_is_given_is_no_part_of_a_graph() -> None:
    module = nn.GRU(1, 2)
    values = torch.randn(5, 4, 1, requires_grad=True)
    (one,) = received(module, stacks(module), Sequences(values, torch.full((4,), 5)), seeded())
    assert torch.equal(one.inputs, values) and not one.inputs.requires_grad


def test_a_model_is_given_items_of_a_data_set_as_a_batch() -> None:
    model = Scaled()
    items = torch.arange(30.0)[:, None, None].expand(30, 5, 1)
    drawn = batches(model, stacks(model), TensorDataset(items, torch.zeros(30)), 8, seeded(), endless=True)
    first, second = next(drawn), next(drawn)
    (values,) = first.batch.args  # and no targets
    assert values.shape == (8, 5, 1) and len(first.chosen.numbers.unique()) == 8
    assert values[:, 0, 0].tolist() == first.chosen.numbers.tolist()
    assert set(first.chosen.numbers.tolist()) != set(second.chosen.numbers.tolist())


def test_a_mapping_is_handed_on_whole() -> None:
    model, values = Scaled(), torch.randn(5, 4, 1)
    (batch,) = batches(model, stacks(model), {"values": values, "name": "one"}, 8, seeded(), endless=False)
    assert batch.keys() == {"values", "name"} and batch["name"] == "one" and torch.equal(batch["values"], values)
