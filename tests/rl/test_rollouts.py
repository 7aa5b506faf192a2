import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray
from torch import nn

from multistable.nn import NBRC, DoubleLayer
from multistable.rl import DRQN
from multistable.rl.rollouts import Explorer, Greedy, rollout, rollouts

RIGHT, UP, LEFT, DOWN = range(4)
MAZE = "multistable/TMaze-v0"

RECURRENT: dict[str, Any] = {
    "gru": lambda: nn.GRU(9, 6, 2),
    "lstm": lambda: nn.LSTM(9, 6, 2),
    "nbrc": lambda: NBRC(9, 6, 2),
    "double lstm": lambda: DoubleLayer(nn.LSTM, 9, 6, 2),
}


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


@pytest.mark.parametrize("kind", RECURRENT)
def test_carried_states_give_what_whole_histories_give(kind: str) -> None:
    torch.manual_seed(0)
    network = DRQN(RECURRENT[kind](), 4).double()
    rng = np.random.default_rng(0)
    agent = Greedy(network, 3)
    inputs = rng.normal(size=(12, 3, 9)).astype(np.float32)
    for t in range(12):
        actions = agent(inputs[t])
        values, _ = network(torch.from_numpy(inputs[: t + 1]).double())
        np.testing.assert_array_equal(actions, values[-1].argmax(1))


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


def test_exploration_draws_with_its_probabilities() -> None:
    probabilities = np.array([0.0, 0.5, 0.3, 0.2, 0.0])
    drawn = Explorer(probabilities, np.random.default_rng(0))(np.zeros((100_000, 1), np.float32))
    shares = np.bincount(drawn, minlength=5) / 100_000
    # Six standard deviations of a share, sqrt(p (1 - p) / n): two in a billion, and the seed is fixed.
    assert (np.abs(shares - probabilities) <= 6 * np.sqrt(probabilities * (1 - probabilities) / 100_000)).all()


def test_epsilon_is_the_share_of_actions_that_are_drawn() -> None:
    def agent(inputs: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.ones(len(inputs), np.int64)

    for epsilon, low, high in ((0.0, 0, 0), (0.25, 0.24, 0.26), (1.0, 1, 1)):
        explorer = Explorer(np.array([1.0, 0.0]), np.random.default_rng(0), agent, epsilon)
        share = np.mean(explorer(np.zeros((100_000, 1), np.float32)) == 0)
        assert low <= share <= high  # 0.01 is seven standard deviations of a share of 1 / 4 of 100,000


def test_the_agent_remembers_what_it_saw_while_exploring() -> None:
    torch.manual_seed(0)
    network = DRQN(nn.GRU(9, 6), 4).double()
    seen = np.random.default_rng(0).normal(size=(8, 100, 9)).astype(np.float32)
    agents = Greedy(network, 100)
    explorers = Explorer(np.full(4, 0.25), np.random.default_rng(0), agents, epsilon=1.0)
    for inputs in seen[:-1]:
        explorers(inputs)
    values, _ = network(torch.from_numpy(seen).double())
    without_memory, _ = network(torch.from_numpy(seen[-1:]).double())
    assert not torch.equal(values[-1].argmax(1), without_memory[-1].argmax(1))
    np.testing.assert_array_equal(agents(seen[-1]), values[-1].argmax(1))


def test_values_that_are_not_finite() -> None:
    network = DRQN(nn.GRU(9, 6), 4)
    nn.init.constant_(network.head.bias, math.nan)
    with pytest.raises(FloatingPointError, match="values of actions must be finite, got NaN or infinity"):
        rollout(TimeLimit(Counting(), 3), lambda inputs: Greedy(network, 1)(np.zeros((1, 9), np.float32)))
