"""Agents in environments: one episode, and many at once."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from multistable.rl._agents import Agent
from multistable.rl._encoding import encoding_of
from multistable.rl._replay_buffer import Episode

__all__ = ["rollout", "rollouts"]


def rollout(env: gymnasium.Env[Any, Any], agent: Agent, seed: int | None = None) -> Episode:
    """Play one episode with a new agent, until it terminates or is truncated; `seed` goes to the environment."""
    encoding = encoding_of(env)
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


def rollouts(
    envs: VectorEnv[Any, Any, Any], agents: Agent, seed: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Play one episode in each of N environments at once with N new agents; `seed` goes to the environments.

    What environments do after their first episode, while others are still in theirs, is ignored.

    Returns:
        The episodes' returns, undiscounted, and their numbers of steps, each (N,).
    """
    encoding = encoding_of(envs)
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
