import math
from itertools import combinations
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from multistable.tasks import Denoising, denoising, denoising_stream


@given(
    forgetting=st.integers(5, 12), before=st.integers(5, 20), size=st.integers(1, 8), seed=st.integers(0, 2**31)
)  # fmt: skip
def test_the_targets_are_the_marked_values_in_order(forgetting: int, before: int, size: int, seed: int) -> None:
    length = before + forgetting
    inputs, targets = denoising(length, size, forgetting=forgetting, generator=seed).tensors
    assert inputs.shape == (size, length, 2) and targets.shape == (size, 5, 1)
    for sequence, target in zip(inputs.tolist(), targets.tolist(), strict=True):
        asked = []
        for step, (value, mark) in enumerate(sequence):
            if mark == 1:
                assert step < length - forgetting
                asked.append([value])
            else:
                assert mark == (-1 if step == length - 5 else 0)
        assert asked == target
    again, _ = denoising(length, size, forgetting=forgetting, generator=seed).tensors
    assert torch.equal(inputs, again)


def test_values_are_standard_normal_to_the_end_marked_or_not() -> None:
    inputs, targets = denoising(20, 50_000, forgetting=8, generator=0).tensors
    values, marks = inputs.unbind(-1)
    for group in (values[marks == 1], values[marks == 0], values[marks == -1], values[:, -4:]):
        # Five standard errors of the mean and of the variance.
        assert abs(group.mean()) < 5 / math.sqrt(group.numel())
        assert abs(group.var() - 1) < 5 * math.sqrt(2 / group.numel())
    assert abs(targets.square().mean() - Denoising(length=20, forgetting=8).chance) < 5 * math.sqrt(2 / targets.numel())


def test_what_is_on_show_when_an_answer_is_due_says_nothing_of_it() -> None:
    inputs, targets = denoising(12, 50_000, forgetting=5, generator=0).tensors
    shown = inputs[:, -5:, 0] * targets[..., 0]
    # Products of independent normal numbers have the variance 1: five standard errors of each mean.
    assert (shown.mean(0).abs() < 5 / math.sqrt(50_000)).all()


def test_each_set_of_five_steps_is_as_likely() -> None:
    inputs, _ = denoising(12, 42_000, forgetting=5, generator=0).tensors
    marked = (inputs[:, :7, 1] == 1).long()
    codes, counts = (marked << torch.arange(7)).sum(1).unique(return_counts=True)
    assert set(codes.tolist()) == {sum(1 << step for step in steps) for steps in combinations(range(7), 5)}
    # 21 sets, 2000 times each; the statistic has 20 degrees of freedom and exceeds 52.4 once in 10,000 seeds.
    assert ((counts - 2000) ** 2 / 2000).sum() < 52.4


def test_the_shortest_sequences_mark_every_step_that_they_can() -> None:
    inputs, targets = denoising(10, 3, forgetting=5, generator=0).tensors
    assert inputs[..., 1].tolist() == [[1, 1, 1, 1, 1, -1, 0, 0, 0, 0]] * 3
    assert torch.equal(targets, inputs[:, :5, :1])


def test_a_stream_starts_over_and_brings_new_batches() -> None:
    stream = denoising_stream(15, 4, forgetting=6, generator=1)
    (first, targets), (second, _) = (batch for batch, _ in zip(stream, range(2), strict=False))
    assert first.shape == (4, 15, 2) and targets.shape == (4, 5, 1)
    assert not torch.equal(first, second)
    again, targets_again = next(iter(stream))
    assert torch.equal(again, first) and torch.equal(targets_again, targets)
    from_loader, _ = next(iter(DataLoader(stream, batch_size=None)))
    assert torch.equal(from_loader, first)


def test_a_loader_of_the_sequences_in_memory() -> None:
    data = denoising(12, 10, forgetting=5, generator=0)
    inputs, targets = zip(*DataLoader(data, batch_size=4), strict=True)
    assert [len(batch) for batch in inputs] == [4, 4, 2]
    assert torch.equal(torch.cat(inputs), data.tensors[0]) and torch.equal(torch.cat(targets), data.tensors[1])


def test_targets_are_copies() -> None:
    inputs, targets = denoising(10, 2, forgetting=5, generator=0).tensors
    kept = targets.clone()
    inputs.zero_()
    assert torch.equal(targets, kept)


def test_the_global_random_state_is_untouched() -> None:
    state = torch.get_rng_state()
    denoising(10, 2, forgetting=5)
    next(iter(denoising_stream(10, 2, forgetting=5)))
    assert torch.equal(torch.get_rng_state(), state)


def test_another_default_device() -> None:
    inputs, targets = denoising(12, 4, forgetting=5, generator=0).tensors
    with torch.device("meta"):
        within = denoising(12, 4, forgetting=5, generator=0).tensors
    assert torch.equal(within[0], inputs) and torch.equal(within[1], targets)


@pytest.mark.parametrize("make", [denoising, denoising_stream])
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ValueError, match="forgetting must be at least 5, got 4"):
        make(20, 5, forgetting=4)
    with pytest.raises(ValueError, match=r"length must be at least forgetting \+ 5 = 12, got 11"):
        make(11, 5, forgetting=7)
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        make(0, 5, forgetting=5)
    with pytest.raises(ValueError, match=r"(size|batch_size) must be at least 1, got 0"):
        make(20, 0, forgetting=5)
    with pytest.raises(TypeError, match="forgetting must be an int, got float"):
        make(20, 5, forgetting=5.0)
    with pytest.raises(TypeError, match="length must be an int, got str"):
        make("20", 5, forgetting=5)
    with pytest.raises(TypeError, match=r"(size|batch_size) must be an int, got float"):
        make(20, 5.0, forgetting=5)
    with pytest.raises(TypeError, match="generator must be a torch.Generator, an int or None, got str"):
        make(20, 5, forgetting=5, generator="seed")
