import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from multistable.nn import NBRC, DoubleLayer
from multistable.rl import DRQN
from multistable.rl._agents import EpsilonGreedy, Greedy, Random

RECURRENT: dict[str, Any] = {
    "gru": lambda: nn.GRU(9, 6, 2),
    "lstm": lambda: nn.LSTM(9, 6, 2),
    "nbrc": lambda: NBRC(9, 6, 2),
    "double lstm": lambda: DoubleLayer(nn.LSTM, 9, 6, 2),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_carried_states_give_what_whole_histories_give(kind: str, device: torch.device) -> None:
    torch.manual_seed(0)
    network = DRQN(RECURRENT[kind](), 4).double().to(device)
    rng = np.random.default_rng(0)
    agent = Greedy(network, 3)
    inputs = rng.normal(size=(12, 3, 9)).astype(np.float32)
    for t in range(12):
        actions = agent(inputs[t])
        values, _ = network(torch.from_numpy(inputs[: t + 1]).double().to(device))
        np.testing.assert_array_equal(actions, values[-1].argmax(1).cpu())


def test_exploration_draws_with_its_probabilities() -> None:
    probabilities = np.array([0.0, 0.5, 0.3, 0.2, 0.0])
    drawn = Random(probabilities, np.random.default_rng(0))(np.zeros((100_000, 1), np.float32))
    shares = np.bincount(drawn, minlength=5) / 100_000
    # Six standard deviations of a share, sqrt(p (1 - p) / n): two in a billion, and the seed is fixed.
    assert (np.abs(shares - probabilities) <= 6 * np.sqrt(probabilities * (1 - probabilities) / 100_000)).all()


def test_epsilon_is_the_share_of_actions_that_are_drawn() -> None:
    def agent(inputs: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.ones(len(inputs), np.int64)

    for epsilon, low, high in ((0.0, 0, 0), (0.25, 0.24, 0.26), (1.0, 1, 1)):
        rng = np.random.default_rng(0)
        agents = EpsilonGreedy(Random(np.array([1.0, 0.0]), rng), agent, epsilon, rng)
        share = np.mean(agents(np.zeros((100_000, 1), np.float32)) == 0)
        assert low <= share <= high  # 0.01 is seven standard deviations of a share of 1 / 4 of 100,000


def test_the_agent_remembers_what_it_saw_while_exploring() -> None:
    torch.manual_seed(0)
    network = DRQN(nn.GRU(9, 6), 4).double()
    seen = np.random.default_rng(0).normal(size=(8, 100, 9)).astype(np.float32)
    agents, rng = Greedy(network, 100), np.random.default_rng(0)
    explorers = EpsilonGreedy(Random(np.full(4, 0.25), rng), agents, 1.0, rng)
    for inputs in seen[:-1]:
        explorers(inputs)
    values, _ = network(torch.from_numpy(seen).double())
    without_memory, _ = network(torch.from_numpy(seen[-1:]).double())
    assert not torch.equal(values[-1].argmax(1), without_memory[-1].argmax(1))
    np.testing.assert_array_equal(agents(seen[-1]), values[-1].argmax(1))


def test_values_that_are_not_finite() -> None:
    network = DRQN(nn.GRU(9, 6), 4)
    inputs = np.zeros((1, 9), np.float32)
    with pytest.raises(ValueError, match="observations and rewards must be finite, got NaN or infinity"):
        Greedy(network, 1)(inputs + np.nan)
    nn.init.constant_(network.head.bias, math.nan)
    with pytest.raises(FloatingPointError, match="values of actions must be finite, got NaN or infinity"):
        Greedy(network, 1)(inputs)
