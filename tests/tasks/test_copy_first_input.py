import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from multistable.tasks import CopyFirstInput, copy_first_input, copy_first_input_stream


@given(length=st.integers(1, 30), size=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_the_target_is_the_first_input(length: int, size: int, seed: int) -> None:
    sequences, targets = copy_first_input(length, size, generator=seed).tensors
    assert sequences.shape == (size, length, 1)
    assert torch.equal(targets, sequences[:, 0])
    again, _ = copy_first_input(length, size, generator=seed).tensors
    assert torch.equal(sequences, again)


def test_inputs_are_standard_normal_and_chance_is_their_variance() -> None:
    sequences, targets = copy_first_input(10, 100_000, generator=0).tensors
    # Five standard errors of the mean and of the variance of a million normal numbers.
    assert sequences.mean().abs() < 5e-3
    assert (sequences.var() - 1).abs() < 5 * 2**0.5 * 1e-3
    assert (targets.square().mean() - CopyFirstInput(length=10).chance).abs() < 5 * (2 / 100_000) ** 0.5


def test_a_stream_starts_over_and_brings_new_batches() -> None:
    stream = copy_first_input_stream(6, 4, generator=1)
    first, second = (sequences for (sequences, _), _ in zip(stream, range(2), strict=False))
    assert first.shape == (4, 6, 1)
    assert not torch.equal(first, second)
    sequences, targets = next(iter(stream))
    assert torch.equal(sequences, first)
    assert torch.equal(targets, first[:, 0])
    from_loader, _ = next(iter(DataLoader(stream, batch_size=None)))
    assert torch.equal(from_loader, first)


def test_targets_are_copies() -> None:
    sequences, targets = copy_first_input(3, 2, generator=0).tensors
    kept = targets.clone()
    sequences.zero_()
    assert torch.equal(targets, kept)


def test_the_global_random_state_is_untouched() -> None:
    state = torch.get_rng_state()
    copy_first_input(3, 2)
    next(iter(copy_first_input_stream(3, 2)))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("make", [copy_first_input, copy_first_input_stream])
def test_bad_arguments(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        make(0, 5)
    with pytest.raises(ValueError, match=r"(size|batch_size) must be at least 1, got -1"):
        make(5, -1)
    with pytest.raises(TypeError, match="length must be an int, got float"):
        make(5.0, 5)
    with pytest.raises(TypeError, match="generator must be a torch.Generator, an int or None, got str"):
        make(5, 5, generator="seed")
