from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from multistable.rl import DRQN
from multistable.rl._agents import Greedy
from multistable.rl._rollouts import rollout, rollouts

RIGHT, UP, LEFT, DOWN = range(4)
MAZE = "multistable/TMaze-v0"


def script(actions: list[int], count: int = 1) -> Any:
    """Agents that all act as written down."""
    remaining = iter(actions)
    return lambda inputs: np.full(count, next(remaining))


class Counting(gymnasium.Env[Any, Any]):
    """Shows how often the action 7 was taken, from 2 on, and rewards it by that; the actions are 6 and 7."""

    action_space = spaces.Discrete(2, start=6)
    observation_space = spaces.Discrete(4, start=2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 2
        return self.count, {}

    def step(self, action: np.int64) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert action in (6, 7)
        self.count += int(action) - 6
        return self.count, float(self.count), self.count == 5, False, {}


def test_an_episode_holds_what_the_agent_received_did_and_got() -> None:
    env = gymnasium.make(MAZE, length=2)
    env.reset(options={"goal": "up"})
    seed = next(s for s in range(20) if env.reset(seed=s)[0][0] == 1)
    episode = rollout(env, script([UP, RIGHT, RIGHT, DOWN]), seed)
    assert episode.terminated and len(episode) == 4
    np.testing.assert_array_equal(episode.actions, [UP, RIGHT, RIGHT, DOWN])
    np.testing.assert_array_equal(episode.rewards, [-0.1, 0, 0, -0.1])
    a_tenth = np.float32(-0.1)
    expected = [
        [0, 0, 0, 0, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, a_tenth, 1, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, a_tenth, 0, 0, 0, 1],
    ]
    np.testing.assert_array_equal(episode.inputs, np.array(expected, np.float32))


def test_a_truncated_episode_is_not_terminated() -> None:
    episode = rollout(gymnasium.make(MAZE, length=2), script([UP] * 5))
    assert len(episode) == 5 and not episode.terminated


def test_spaces_that_start_elsewhere() -> None:
    episode = rollout(Counting(), script([1, 0, 1, 1]))
    np.testing.assert_array_equal(episode.actions, [1, 0, 1, 1])
    np.testing.assert_array_equal(episode.rewards, [3, 3, 4, 5])
    np.testing.assert_array_equal(episode.inputs[:, 3:].argmax(1) + 2, [2, 3, 3, 4, 5])
    returns, steps = rollouts(gymnasium.vector.SyncVectorEnv([Counting, Counting]), script([1, 0, 1, 1], 2))
    np.testing.assert_array_equal(returns, [15, 15])
    np.testing.assert_array_equal(steps, [4, 4])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_many_at_once_get_what_each_alone_gets(mode: str) -> None:
    torch.manual_seed(0)
    network = DRQN(nn.GRU(9, 16), 4).double()
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([0.1, 0.0, -0.5, 0.0]))  # goes right now and then

    class Seeded(gymnasium.Wrapper[Any, Any, Any, Any]):
        """Its own random goal, and random actions, in the first episode."""

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            return self.env.reset(seed=seed, options={"goal": ("up", "down")[seed % 2] if seed is not None else "up"})

    def make() -> gymnasium.Env[Any, Any]:
        return Seeded(gymnasium.make(MAZE, length=3, stochasticity=0.7))

    envs = gymnasium.vector.SyncVectorEnv([make] * 20, autoreset_mode=gymnasium.vector.AutoresetMode(mode))
    returns, steps = rollouts(envs, Greedy(network, 20), seed=100)
    episodes = [rollout(make(), Greedy(network, 1), 100 + k) for k in range(20)]
    np.testing.assert_array_equal(steps, [len(episode) for episode in episodes])
    np.testing.assert_allclose(returns, [episode.rewards.sum() for episode in episodes], rtol=1e-12)
    assert len(set(steps.tolist())) > 2
