"""What an agent is told at each step, as numbers."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

__all__ = ["Encoding", "check_received", "encoding_of", "input_size"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """An environment's actions, rewards and observations as a network's inputs and outputs.

    An input holds I numbers: the last action, one-hot, the last reward, and the observation, flat or one-hot. Before
    the first action, those for action and reward are zero.

    Attributes:
        actions: the environment's actions. A network numbers them from 0.
        observations: the environment's observations.

    Raises:
        TypeError: the actions are not `Discrete`, or the observations neither `Discrete` nor `Box`.
    """

    actions: spaces.Discrete
    observations: spaces.Discrete | spaces.Box

    def __post_init__(self) -> None:
        if not isinstance(self.actions, spaces.Discrete):
            raise TypeError(f"env must have discrete actions (gymnasium.spaces.Discrete), got {self.actions}")
        if not isinstance(self.observations, spaces.Discrete | spaces.Box):
            raise TypeError(f"env must have observations in a Discrete or Box space, got {self.observations}")

    @property
    def num_actions(self) -> int:
        """A, the number of actions."""
        return int(self.actions.n)

    @property
    def input_size(self) -> int:
        """I, the features of an input."""
        return self.num_actions + 1 + spaces.flatdim(self.observations)

    def first(self, observations: Any) -> Floats:
        """The inputs (N, I) at the beginning of N episodes."""
        observed = self._observed(observations)
        return np.concatenate([np.zeros((len(observed), self.num_actions + 1), np.float32), observed], 1)

    def following(self, actions: NDArray[np.int64], rewards: Any, observations: Any) -> Floats:
        """The inputs (N, I) after `actions` (N,), numbered from 0, that led to `rewards` (N,) and `observations`."""
        inputs = self.first(observations)
        inputs[np.arange(len(inputs)), actions] = 1
        inputs[:, self.num_actions] = rewards
        return inputs

    def named(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions numbered from 0 as the environment numbers them."""
        return actions + self.actions.start

    def _observed(self, observations: Any) -> Floats:
        """N observations, one-hot or flat, (N, O)."""
        given = np.asarray(observations)
        if isinstance(self.observations, spaces.Discrete):
            one_hot: NDArray[np.bool_] = np.equal.outer(
                given - self.observations.start, np.arange(int(self.observations.n))
            )
            return one_hot.astype(np.float32)
        return given.reshape(len(given), -1).astype(np.float32)


def encoding_of(env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> Encoding:
    """The encoding for an environment, or for each of the environments in a vectorised one; raises as `Encoding`."""
    actions, observations = (
        (env.single_action_space, env.single_observation_space)
        if isinstance(env, VectorEnv)
        else (env.action_space, env.observation_space)
    )
    return Encoding(actions, observations)  # type: ignore[arg-type]


def input_size(env: gymnasium.Env[Any, Any]) -> int:
    """I, the features of the inputs that a `DRQN` receives in `env`.

    They are the last action, one-hot, the last reward, and the observation: flat if it is from a `Box`, one-hot if
    it is from a `Discrete` space.

    Args:
        env: an environment with `Discrete` actions.

    Returns:
        I.

    Raises:
        TypeError: the actions are not `Discrete`, or the observations neither `Discrete` nor `Box`.

    Examples:
        >>> from multistable.rl import TMazeEnv, input_size
        >>> input_size(TMazeEnv(length=20))  # four actions, a reward, and an observation of four numbers
        9
    """
    return encoding_of(env).input_size


def check_received(values: NDArray[Any]) -> None:
    """Raise if there is NaN or infinity in what an environment returned."""
    if not np.isfinite(values).all():
        raise ValueError("observations and rewards must be finite, got NaN or infinity")
