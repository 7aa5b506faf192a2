import io
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from multistable.rl import DRQN, T_MAZE_EXPLORATION
from multistable.rl.learner import Learner, filled_buffer
from multistable.rl.replay_buffer import ReplayBuffer

EXPLORATION = np.array(T_MAZE_EXPLORATION)


def maze() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("multistable/TMaze-v0", length=4)


def learner(seed: int, buffer: ReplayBuffer) -> Learner:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = DRQN(nn.GRU(9, 8, 2), 4)
    numbers: dict[str, Any] = {"epsilon": 0.2, "discount": 0.98, "lr": 1e-2, "batch_size": 8, "updates": 3}
    return Learner(network, maze(), buffer, exploration=EXPLORATION, **numbers)


def test_a_buffer_is_filled_until_the_first_episode_leaves() -> None:
    env = maze()
    buffer = filled_buffer(env, 200, EXPLORATION, np.random.default_rng(0))
    episodes = list(buffer)
    assert 200 - 11 < len(buffer) <= 200  # an episode has at most 11 steps
    again = filled_buffer(env, 200, EXPLORATION, np.random.default_rng(0))  # whatever the environment drew since
    for one, other in zip(episodes, again, strict=True):
        assert np.array_equal(one.inputs, other.inputs)


def test_what_is_taken_up_again_goes_on_to_the_bit() -> None:
    first = learner(0, filled_buffer(maze(), 200, EXPLORATION, np.random.default_rng(0)))
    rng = np.random.default_rng(1)
    for _ in range(3):
        first.play(rng)
    first.renew()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)

    second = learner(5, ReplayBuffer(200))
    second.load_state_dict(torch.load(file, weights_only=True))
    assert len(second.buffer) == len(first.buffer)
    played = [[one.play(np.random.default_rng(seed)) for seed in (7, 8)] for one in (first, second)]
    assert played[0] == played[1]
    for one, other in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_episodes_differ_by_their_seeds_alone() -> None:
    buffers = [filled_buffer(maze(), 100, EXPLORATION, np.random.default_rng(0)) for _ in range(3)]
    learners = [learner(0, buffer) for buffer in buffers]
    played = [one.play(np.random.default_rng(seed)) for one, seed in zip(learners, (3, 3, 4), strict=True)]
    assert played[0] == played[1] != played[2]


def test_a_state_that_is_none() -> None:
    one = learner(0, filled_buffer(maze(), 100, EXPLORATION, np.random.default_rng(0)))
    state = one.state_dict()
    state["buffer"]["actions"] = state["buffer"]["actions"][1:]
    with pytest.raises(ValueError, match=r"a buffer's parts must be of \[\d+, \d+, \d+\] rows, got \[\d+, \d+, \d+\]"):
        one.load_state_dict(state)
    state = one.state_dict()
    state["buffer"]["rewards"] = state["buffer"]["rewards"].float()
    held = list(one.buffer)
    with pytest.raises(ValueError, match="a buffer's parts must have dimensions and types .*, got .*'float32'"):
        one.load_state_dict(state)
    state = one.state_dict()
    state["buffer"]["inputs"][-1] = torch.nan
    with pytest.raises(ValueError, match="observations and rewards must be finite, got NaN or infinity"):
        one.load_state_dict(state)
    assert all(a is b for a, b in zip(one.buffer, held, strict=True))
    with pytest.raises(KeyError, match="optimizer"):
        one.load_state_dict({"network": one.network.state_dict()})
