import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multistable.rl._replay_buffer import Episode, ReplayBuffer


def episode(length: int) -> Episode:
    return Episode(np.zeros((length + 1, 2), np.float32), np.zeros(length, np.int64), np.zeros(length), True)


def test_episodes_are_stored_once_and_not_copied() -> None:
    buffer = ReplayBuffer(100)
    added = [episode(length) for length in (3, 1, 7)]
    assert [buffer.add(one) for one in added] == [0, 0, 0]
    assert len(buffer) == 11
    assert all(stored is one for stored, one in zip(buffer, added, strict=True))
    drawn = buffer.sample(200, np.random.default_rng(0))
    assert {id(one) for one, _ in drawn} == {id(one) for one in added}


@given(lengths=st.lists(st.integers(1, 10), max_size=30), capacity=st.integers(10, 30))
def test_it_holds_as_many_of_the_latest_whole_episodes_as_fit(lengths: list[int], capacity: int) -> None:
    buffer = ReplayBuffer(capacity)
    added = []
    for length in lengths:
        held = len(list(buffer))
        added.append(episode(length))
        left = buffer.add(added[-1])
        kept = list(buffer)
        assert len(kept) == held + 1 - left
        assert all(one is other for one, other in zip(kept, added[len(added) - len(kept) :], strict=True))
        assert len(buffer) == sum(map(len, kept)) <= capacity
        assert kept == added or len(buffer) + len(added[len(added) - len(kept) - 1]) > capacity


def test_every_transition_is_as_likely_as_every_other() -> None:
    buffer = ReplayBuffer(20)
    for length in (9, 5, 1, 8, 2):  # the first episode has left
        buffer.add(episode(length))
    stored = {(id(one), t) for one in buffer for t in range(len(one))}
    count = 16_000
    drawn = Counter((id(one), t) for one, t in buffer.sample(count, np.random.default_rng(0)))
    assert set(drawn) <= stored and len(stored) == 16
    expected = count / len(stored)
    chi_square = sum((drawn[one] - expected) ** 2 / expected for one in stored)
    # Mean 15 and variance 30 for 15 degrees of freedom; a chi-square is above k + 2 sqrt(k x) + 2 x with probability
    # exp(-x) at most (Laurent and Massart 2000): one in a million for a sampler that is right. With a generator whose
    # seed is fixed, it either never happens or always.
    x = math.log(1e6)
    assert chi_square < 15 + 2 * math.sqrt(15 * x) + 2 * x


def test_the_seed_decides_what_is_drawn() -> None:
    buffer = ReplayBuffer(100)
    for length in (9, 5, 8):
        buffer.add(episode(length))
    some, others, different = (buffer.sample(50, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert some == others != different


def test_an_episode_longer_than_the_capacity_is_not_stored() -> None:
    buffer = ReplayBuffer(3)
    with pytest.raises(ValueError, match="capacity must hold an episode of 4 transitions, got 3"):
        buffer.add(episode(4))
    assert len(buffer) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["inputs", "rewards"])
def test_an_episode_is_finite(bad: float, where: str) -> None:
    values: dict[str, Any] = {"inputs": np.zeros((4, 2), np.float32), "rewards": np.zeros(3)}
    values[where][1] = bad
    with pytest.raises(ValueError, match=re.escape("observations and rewards must be finite, got NaN or infinity")):
        Episode(actions=np.zeros(3, np.int64), terminated=True, **values)


def test_an_episode_has_a_step() -> None:
    with pytest.raises(ValueError, match="an episode must have at least one step"):
        episode(0)
