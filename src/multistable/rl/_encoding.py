"""What an agent is told at each step, as numbers."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

__all__ = ["Encoding", "check_received", "input_size"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """An environment's actions, rewards and observations as a network's inputs and outputs.

    An input is the last action, one-hot, the last reward and the observation, flat or one-hot: I numbers. Before the
    first action, what it would say of action and reward is zero.

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
        """How many actions there are."""
        return int(self.actions.n)

    @property
    def input_size(self) -> int:
        """I, features of an input."""
        return self.num_actions + 1 + spaces.flatdim(self.observations)

    def first(self, observations: Any) -> Floats:
        """The inputs (N, I) at the beginning of N episodes."""
        shown = self._observed(observations)
        return np.concatenate([np.zeros((len(shown), self.num_actions + 1), np.float32), shown], 1)

    def following(self, actions: NDArray[np.int64], rewards: Any, observations: Any) -> Floats:
        """The inputs (N, I) after `actions` (N,), numbered from 0, that led to `rewards` (N,) and `observations`."""
        inputs = self.first(observations)
        inputs[np.arange(len(inputs)), actions] = 1
        inputs[:, self.num_actions] = rewards
        return inputs

    def named(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions numbered from 0 as the environment calls them."""
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
        >>> input_size(TMazeEnv(length=20))  # four actions, a reward, four numbers that are observed
        9
    """
    return Encoding(env.action_space, env.observation_space).input_size  # type: ignore[arg-type]


def check_received(values: NDArray[Any]) -> None:
    """Raise if what an environment gave holds NaN or infinity."""
    if not np.isfinite(values).all():
        raise ValueError("observations and rewards must be finite, got NaN or infinity")
