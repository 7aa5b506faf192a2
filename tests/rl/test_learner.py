import io
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from multistable.rl import DRQN, T_MAZE_EXPLORATION
from multistable.rl._learner import Learner, Period, filled_buffer
from multistable.rl._replay_buffer import ReplayBuffer
from multistable.rl._settings import DRQNSettings
from multistable.rl._temporal_difference import TargetNetwork

EXPLORATION = np.array(T_MAZE_EXPLORATION)


def maze() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("multistable/TMaze-v0", length=4)


def buffer() -> ReplayBuffer:
    return filled_buffer(maze(), 200, EXPLORATION, np.random.default_rng(0))


def learner(seed: int = 0, **periods: int) -> Learner:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = DRQN(nn.GRU(9, 8), 4)
    settings = DRQNSettings(lr=1e-2, batch_size=8, updates_per_episode=2, capacity=200, **periods)
    return Learner(network, maze(), buffer(), EXPLORATION, settings)


def same(one: Learner, other: Learner) -> bool:
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_buffer_is_filled_until_the_first_episode_is_dropped() -> None:
    env = maze()
    filled = filled_buffer(env, 200, EXPLORATION, np.random.default_rng(0))
    assert 200 - 11 < len(filled) <= 200  # an episode has at most 11 steps
    again = filled_buffer(env, 200, EXPLORATION, np.random.default_rng(0))  # whatever the environment drew since
    for one, other in zip(filled, again, strict=True):
        assert np.array_equal(one.inputs, other.inputs)


def test_it_pauses_for_evaluations_and_copies_the_network_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    played, copied, asked = 0, [], []
    play, copy = Learner.play, TargetNetwork.copy

    def counting(self: Learner, rng: np.random.Generator) -> Any:
        nonlocal played
        played += 1
        return play(self, rng)

    def noting(self: TargetNetwork, network: DRQN) -> None:
        copied.append(played)
        copy(self, network)

    def rng_of(period: int) -> np.random.Generator:
        asked.append((period, played))
        return np.random.default_rng(period)

    monkeypatch.setattr(Learner, "play", counting)
    monkeypatch.setattr(TargetNetwork, "copy", noting)
    periods = list(learner(target_period=2, evaluation_period=3).learn(range(7), rng_of))
    assert [len(period.played) for period in periods] == [3, 3, 1]
    assert all(period.seconds > 0 for period in periods)
    assert copied == [2, 4, 6]
    assert asked == [(0, 0), (1, 3), (2, 6)]


def test_what_is_taken_up_again_goes_on_to_the_bit() -> None:
    periods = {"target_period": 3, "evaluation_period": 3}
    first, second = learner(**periods), learner(seed=5, **periods)

    def learn(one: Learner, *numbers: int) -> list[Period]:
        return list(one.learn(range(*numbers), np.random.default_rng))

    learn(first, 3)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert len(second.buffer) == len(first.buffer)
    rest = [[period.played for period in learn(one, 3, 8)] for one in (first, second)]
    assert rest[0] == rest[1] and [len(played) for played in rest[0]] == [3, 2]
    assert same(first, second)


def test_episodes_differ_by_their_seeds_alone() -> None:
    played = [learner().play(np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert played[0] == played[1] != played[2]


def test_a_damaged_state_is_refused() -> None:
    one = learner()
    held = list(one.buffer)
    for spoil, message in (
        ({"actions": torch.zeros(1)}, r"a buffer's parts must be of \[\d+, \d+, \d+\] rows, got \[\d+, \d+, \d+\]"),
        (
            {"rewards": torch.zeros(len(one.buffer))},
            "a buffer's parts must have dimensions and types .*, got .*float32",
        ),
        (
            {"inputs": torch.full((len(one.buffer) + len(held), 9), torch.nan)},
            "observations and rewards must be finite, got NaN or infinity",
        ),
    ):
        state = one.state_dict()
        state["buffer"] |= spoil
        with pytest.raises(ValueError, match=message):
            one.load_state_dict(state)
    assert all(a is b for a, b in zip(one.buffer, held, strict=True))
    with pytest.raises(KeyError, match="optimizer"):
        one.load_state_dict({"network": one.network.state_dict()})
