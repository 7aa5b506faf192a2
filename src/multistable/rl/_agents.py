"""Agents: what N of them receive goes in, and their actions come out."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from multistable.rl._encoding import check_received
from multistable.rl.drqn import DRQN, as_inputs

__all__ = ["Agent", "EpsilonGreedy", "Greedy", "Random"]

Inputs = NDArray[np.float32]
Actions = NDArray[np.int64]
Agent = Callable[[Inputs], Actions]
"""Inputs (N, I) -> actions (N,), numbered from 0. An agent may have a memory, so each episode needs a new one."""


class Greedy:
    """`count` agents that take the action of the highest value, and carry the network's state from step to step."""

    def __init__(self, network: DRQN, count: int) -> None:
        self._network = network
        with torch.inference_mode():
            self._state = network.zero_state(count)

    def __call__(self, inputs: Inputs) -> Actions:
        """Act; raise ValueError if an input is NaN or infinite, and FloatingPointError if only a value is."""
        with torch.inference_mode():
            values, self._state = self._network.step(as_inputs(inputs, self._network), self._state)
        found = values.cpu().numpy()
        if not np.isfinite(found).all():
            check_received(inputs)
            raise FloatingPointError("values of actions must be finite, got NaN or infinity")
        best: Actions = found.argmax(1)
        return best


class Random:
    """Agents that draw actions with the given probabilities, (A,)."""

    def __init__(self, probabilities: NDArray[np.float64], rng: np.random.Generator) -> None:
        self._cumulative = np.cumsum(probabilities)
        self._rng = rng

    def __call__(self, inputs: Inputs) -> Actions:
        uniform = self._rng.random(len(inputs)) * self._cumulative[-1]
        drawn: Actions = np.searchsorted(self._cumulative, uniform, side="right")
        return drawn


class EpsilonGreedy:
    """Agents that take the random action with probability epsilon, and otherwise the greedy one."""

    def __init__(self, random: Agent, greedy: Agent, epsilon: float, rng: np.random.Generator) -> None:
        self._random, self._greedy, self._epsilon, self._rng = random, greedy, epsilon, rng

    def __call__(self, inputs: Inputs) -> Actions:
        drawn = self._random(inputs)
        explores = self._rng.random(len(inputs)) < self._epsilon
        # The greedy agent is asked even where its action is not taken, since it must see every input to remember it.
        return np.where(explores, drawn, self._greedy(inputs))
