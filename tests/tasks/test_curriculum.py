"""A curriculum: which lengths come when, what is cut, and what is refused."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from multistable.tasks import Curriculum, copy_first_input, flip_flop_stream


def test_lengths_are_uniform_up_to_a_maximum_that_grows() -> None:
    loader = DataLoader(copy_first_input(length=25, size=12, generator=0), batch_size=4)
    curriculum = Curriculum(loader, steps=200, shortest=5, batch_first=True, generator=0)
    lengths = [len(sequences[0]) for sequences, _ in islice(curriculum, 5000)]
    assert lengths[:10] == [5] * 10  # the maximum is 6 from step 10 on
    assert all(5 <= length <= 5 + 20 * min(step, 200) / 200 for step, length in enumerate(lengths))
    later = torch.tensor(lengths[200:])
    counts = torch.bincount(later, minlength=26)[5:]
    # 21 lengths, each 4800 / 21 = 229 times with a standard deviation of 15.
    assert (counts - 4800 / 21).abs().max() < 4 * 15
    again = [len(sequences[0]) for sequences, _ in islice(curriculum, 300)]
    assert again == lengths[:300]


def test_what_is_left_is_the_beginning() -> None:
    sequences, targets = torch.randn(6, 30, 2), torch.randn(6, 3)
    loader = DataLoader(TensorDataset(sequences, targets), batch_size=6)
    for cut, kept in islice(Curriculum(loader, steps=3, batch_first=True, generator=1), 20):
        assert torch.equal(cut, sequences[:, : cut.shape[1]])
        assert torch.equal(kept, targets)


def test_targets_of_every_step_are_cut_too() -> None:
    stream = flip_flop_stream(length=40, batch_size=3, generator=0)
    for inputs, targets in islice(Curriculum(stream, steps=1, batch_first=True, generator=2), 10):
        assert inputs.shape[:2] == targets.shape[:2]


def test_bare_tensors_with_time_first_and_sequences_shorter_than_the_shortest() -> None:
    batches = [torch.randn(4, 2, 1), torch.randn(9, 2, 1)]
    found = [len(one) for one in islice(Curriculum(batches, steps=1, shortest=9, generator=0), 4)]
    assert found == [4, 9, 4, 9]


@pytest.mark.parametrize(("batches", "arguments", "error", "message"), [
    (iter([torch.zeros(3, 2, 1)]), {}, TypeError, "batches must be an iterable that can start over, got list_iterator"),
    (7, {}, TypeError, "batches must be an iterable that can start over, got int"),
    ([torch.zeros(3, 2, 1)], {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
    ([torch.zeros(3, 2, 1)], {"shortest": 0}, ValueError, "shortest must be at least 1, got 0"),
    ([], {}, ValueError, "batches must hold at least one batch, got none"),
    ([("a", 1)], {}, TypeError, "batches must hold tensors of sequences, got str"),
])  # fmt: skip
def test_what_it_refuses(batches: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        next(iter(Curriculum(batches, **({"steps": 5} | arguments))))
