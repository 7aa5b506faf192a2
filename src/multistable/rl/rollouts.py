"""Agents at work: one episode, and many at once."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from multistable.rl._encoding import Encoding, check_received
from multistable.rl.drqn import DRQN
from multistable.rl.replay_buffer import Episode

__all__ = ["Agent", "Explorer", "Greedy", "rollout", "rollouts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Agent = Callable[[NDArray[np.float32]], Ints]
"""What N agents receive, (N, I) -> their actions (N,), numbered from 0. It may remember: it begins with an episode."""


class Greedy:
    """The actions of the highest value, with the network's states carried from step to step.

    Args:
        network: the network.
        count: N, how many agents.
    """

    def __init__(self, network: DRQN, count: int) -> None:
        self._network = network
        with torch.inference_mode():
            self._state = network.zero_state(count)

    def __call__(self, inputs: NDArray[np.float32]) -> Ints:
        """The actions (N,) after the next inputs (N, I).

        Raises:
            ValueError: an input is NaN or infinite.
            FloatingPointError: a value is, though the inputs are not.
        """
        with torch.inference_mode():
            values, self._state = self._network.step(
                torch.from_numpy(inputs).to(self._network.head.weight), self._state
            )
        found: Floats = values.cpu().numpy()
        if not np.isfinite(found).all():
            check_received(inputs)
            raise FloatingPointError("values of actions must be finite, got NaN or infinity")
        best: Ints = found.argmax(1)
        return best


class Explorer:
    """Random actions in place of an agent's, with probability epsilon.

    Args:
        probabilities: of each action that is drawn, (A,).
        rng: draws.
        agent: what else to ask; None to draw every action.
        epsilon: how often to draw.
    """

    def __init__(
        self, probabilities: Floats, rng: np.random.Generator, agent: Agent | None = None, epsilon: float = 1.0
    ) -> None:
        self._up_to = np.cumsum(probabilities)
        self._rng = rng
        self._agent = agent
        self._epsilon = epsilon

    def __call__(self, inputs: NDArray[np.float32]) -> Ints:
        """The actions (N,) after the next inputs (N, I)."""
        drawn: Ints = np.searchsorted(self._up_to, self._rng.random(len(inputs)) * self._up_to[-1], side="right")
        if self._agent is None:
            return drawn
        # The agent is asked in any case: it remembers what it sees.
        return np.where(self._rng.random(len(inputs)) < self._epsilon, drawn, self._agent(inputs))


def rollout(env: gymnasium.Env[Any, Any], agent: Agent, seed: int | None = None) -> Episode:
    """One episode of one agent, until it terminates or is truncated.

    Args:
        env: the environment.
        agent: an agent at the beginning of an episode.
        seed: passed on to the environment's `reset`.
    """
    encoding = Encoding(env.action_space, env.observation_space)  # type: ignore[arg-type]
    observation, _ = env.reset(seed=seed)
    inputs, actions, rewards = [encoding.first([observation])], [], []
    terminated = truncated = False
    while not (terminated or truncated):
        action = agent(inputs[-1])
        observation, reward, terminated, truncated, _ = env.step(encoding.named(action)[0])
        inputs.append(encoding.following(action, [reward], [observation]))
        actions.append(action)
        rewards.append(float(reward))
    return Episode(np.concatenate(inputs), np.concatenate(actions), np.array(rewards), bool(terminated))


def rollouts(envs: VectorEnv[Any, Any, Any], agents: Agent, seed: int | None = None) -> tuple[Floats, Ints]:
    """One episode in each of N environments at once, until the last of them ends.

    Args:
        envs: the environments. What those do that begin another episode meanwhile is of no account.
        agents: N agents at the beginning of an episode.
        seed: passed on to the environments' `reset`.

    Returns:
        The episodes' returns, undiscounted, and their steps, each (N,).
    """
    encoding = Encoding(envs.single_action_space, envs.single_observation_space)  # type: ignore[arg-type]
    observations, _ = envs.reset(seed=seed)
    inputs = encoding.first(observations)
    returns, steps = np.zeros(envs.num_envs), np.zeros(envs.num_envs, np.int64)
    running = np.ones(envs.num_envs, np.bool_)
    while running.any():
        actions = agents(inputs)
        observations, rewards, terminations, truncations, _ = envs.step(encoding.named(actions))
        inputs = encoding.following(actions, rewards, observations)
        returns[running] += rewards[running]
        steps += running
        running &= ~(terminations | truncations)
    return returns, steps
