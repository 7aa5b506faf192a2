import math
from collections import defaultdict
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from multistable.tasks import FlipFlop, flip_flop, flip_flop_stream


@given(
    length=st.integers(1, 20), size=st.integers(1, 8), channels=st.integers(1, 4),
    probability=st.floats(0.01, 1), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_the_target_is_the_last_pulse(length: int, size: int, channels: int, probability: float, seed: int) -> None:
    settings: dict[str, Any] = {"channels": channels, "pulse_probability": probability, "generator": seed}
    inputs, targets = flip_flop(length, size, **settings).tensors
    assert inputs.shape == targets.shape == (size, length, channels)
    assert set(inputs.unique().tolist()) <= {-1, 0, 1}
    for sequence, target in zip(inputs, targets, strict=True):
        last = [0.0] * channels
        for now, expected in zip(sequence.tolist(), target.tolist(), strict=True):
            last = [pulse or before for pulse, before in zip(now, last, strict=True)]
            assert last == expected
            assert 0 not in last
    again, _ = flip_flop(length, size, **settings).tensors
    assert torch.equal(inputs, again)


def test_pulses_come_as_often_as_asked_for_and_with_either_sign_alike() -> None:
    inputs, _ = flip_flop(101, 1000, channels=2, pulse_probability=0.3, generator=0).tensors
    later = inputs[:, 1:]
    # Five standard errors of means of 200,000 draws.
    assert abs(later.abs().mean() - 0.3) < 5 * math.sqrt(0.3 * 0.7 / later.numel())
    assert abs(later.mean()) < 5 * math.sqrt(0.3 / later.numel())
    # Neither channels nor successive steps know of each other: products of two pulses have the variance 0.3^2.
    for one, other in ((later[..., 0], later[..., 1]), (later[:, 1:], later[:, :-1])):
        assert abs((one * other).mean()) < 5 * 0.3 / math.sqrt(one.numel())
        both = one.abs() * other.abs()
        assert abs(both.mean() - 0.09) < 5 * 0.3 / math.sqrt(one.numel())
    first = inputs[:, 0]
    assert abs(first.mean()) < 5 / math.sqrt(first.numel())


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("probability", [0.1, 0.5, 1.0])
def test_chance_is_the_error_of_the_best_answer_to_the_present_input(length: int, probability: float) -> None:
    # Every sequence of one channel with its probability; the best answer to an input is the mean of its targets.
    weight: dict[float, float] = defaultdict(float)
    moment: dict[float, float] = defaultdict(float)
    for sequence in product((-1.0, 0.0, 1.0), repeat=length):
        if sequence[0] == 0:
            continue
        odds = 0.5 * math.prod(1 - probability if now == 0 else probability / 2 for now in sequence[1:])
        target = 0.0
        for now in sequence:
            target = now or target
            weight[now] += odds / length
            moment[now] += odds / length * target
    # Targets have the square 1: what is left of it is the variance that the answer does not explain.
    error = 1 - sum(moment[now] ** 2 / weight[now] for now in weight if weight[now] > 0)
    assert FlipFlop(length=length, pulse_probability=probability).chance == pytest.approx(error, abs=1e-12)


def test_chance_is_the_error_of_the_present_input_as_the_answer() -> None:
    inputs, targets = flip_flop(20, 5000, generator=0).tensors
    error = (inputs - targets).square().mean((1, 2))
    # Five standard errors of a mean over 5000 sequences.
    assert abs(error.mean() - FlipFlop(length=20).chance) < 5 * error.std() / math.sqrt(5000)
    assert FlipFlop(length=10**9).chance == pytest.approx(0.9)


def test_a_stream_starts_over_and_brings_new_batches() -> None:
    stream = flip_flop_stream(6, 4, channels=2, pulse_probability=0.5, generator=1)
    (first, targets), (second, _) = (batch for batch, _ in zip(stream, range(2), strict=False))
    assert first.shape == targets.shape == (4, 6, 2)
    assert not torch.equal(first, second)
    again, targets_again = next(iter(stream))
    assert torch.equal(again, first) and torch.equal(targets_again, targets)
    from_loader, _ = next(iter(DataLoader(stream, batch_size=None)))
    assert torch.equal(from_loader, first)


def test_a_loader_of_the_sequences_in_memory() -> None:
    data = flip_flop(6, 10, generator=0)
    inputs, targets = zip(*DataLoader(data, batch_size=4), strict=True)
    assert [len(batch) for batch in inputs] == [4, 4, 2]
    assert torch.equal(torch.cat(inputs), data.tensors[0]) and torch.equal(torch.cat(targets), data.tensors[1])


def test_the_global_random_state_is_untouched() -> None:
    state = torch.get_rng_state()
    flip_flop(3, 2)
    next(iter(flip_flop_stream(3, 2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_another_default_device() -> None:
    inputs, targets = flip_flop(6, 4, generator=0).tensors
    with torch.device("meta"):
        within = flip_flop(6, 4, generator=0).tensors
    assert torch.equal(within[0], inputs) and torch.equal(within[1], targets)


@pytest.mark.parametrize("make", [flip_flop, flip_flop_stream])
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        make(0, 5)
    with pytest.raises(ValueError, match=r"(size|batch_size) must be at least 1, got -1"):
        make(5, -1)
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        make(5, 5, channels=0)
    with pytest.raises(TypeError, match="length must be an int, got float"):
        make(5.0, 5)
    with pytest.raises(TypeError, match=r"(size|batch_size) must be an int, got str"):
        make(5, "5")
    with pytest.raises(TypeError, match="channels must be an int, got bool"):
        make(5, 5, channels=True)
    with pytest.raises(TypeError, match="generator must be a torch.Generator, an int or None, got str"):
        make(5, 5, generator="seed")


@pytest.mark.parametrize(("probability", "error", "message"), [
    (0.0, ValueError, "pulse_probability must be finite and above 0, got 0.0"),
    (1.5, ValueError, r"pulse_probability must lie in \(0, 1\], got 1.5"),
    (math.nan, ValueError, "pulse_probability must be finite and above 0, got nan"),
    ("1", TypeError, "pulse_probability must be a number, got str"),
])  # fmt: skip
def test_bad_probabilities(probability: Any, error: type[Exception], message: str) -> None:
    for make in (flip_flop, flip_flop_stream):
        with pytest.raises(error, match=message):
            make(5, 5, pulse_probability=probability)
    with pytest.raises(error, match=message):
        FlipFlop(length=5, pulse_probability=probability)


def test_bad_lengths_of_the_task() -> None:
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        FlipFlop(length=0)
    with pytest.raises(TypeError, match="length must be an int, got float"):
        FlipFlop(length=5.0)  # type: ignore[arg-type]
