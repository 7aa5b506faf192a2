"""Episodes, and the buffer that replays them."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multistable._utils.checks import check_int
from multistable.rl._encoding import check_received

__all__ = ["Episode", "ReplayBuffer", "Transition", "histories"]


@dataclass(frozen=True, eq=False)
class Episode:
    """What an agent saw and did, in T steps.

    Attributes:
        inputs: what a network receives, (T + 1, I): before the first step, and after each.
        actions: (T,), numbered from 0.
        rewards: (T,).
        terminated: whether the episode came to its end; False where a time limit cut it off.

    Raises:
        ValueError: there is no step, or an observation or reward is NaN or infinite.
    """

    inputs: NDArray[np.float32]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]
    terminated: bool

    def __post_init__(self) -> None:
        if len(self) == 0:
            raise ValueError("an episode must have at least one step")
        check_received(self.inputs)
        check_received(self.rewards)

    def __len__(self) -> int:
        return len(self.actions)


_KINDS = [(2, "float32"), (1, "int64"), (1, "float64")]

Transition = tuple[Episode, int]
"""An episode and t: its history up to the action at t, the action, and what came of it."""


class ReplayBuffer:
    """The latest episodes, each stored once; iterating goes through them from the oldest on.

    Args:
        capacity: how many transitions it holds at most.

    Raises:
        TypeError: `capacity` is not an int.
        ValueError: `capacity` is below 1.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = check_int("capacity", capacity)
        self._episodes: deque[Episode] = deque()
        self._size = 0

    def __len__(self) -> int:
        """How many transitions it holds."""
        return self._size

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._episodes)

    def add(self, episode: Episode) -> int:
        """Store an episode; as many of the oldest leave as must for it to fit.

        Returns:
            How many left.

        Raises:
            ValueError: the episode is longer than the capacity.
        """
        if len(episode) > self.capacity:
            raise ValueError(f"capacity must hold an episode of {len(episode)} transitions, got {self.capacity}")
        self._episodes.append(episode)
        self._size += len(episode)
        left = 0
        while self._size > self.capacity:
            self._size -= len(self._episodes.popleft())
            left += 1
        return left

    def state_dict(self) -> dict[str, Any]:
        """What it holds, in tensors and plain values."""
        episodes = list(self._episodes)
        return {
            "inputs": torch.from_numpy(np.concatenate([episode.inputs for episode in episodes])),
            "actions": torch.from_numpy(np.concatenate([episode.actions for episode in episodes])),
            "rewards": torch.from_numpy(np.concatenate([episode.rewards for episode in episodes])),
            "steps": [len(episode) for episode in episodes],
            "terminated": [episode.terminated for episode in episodes],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Hold what `state_dict` gave, and nothing else.

        Raises:
            KeyError: something is missing.
            ValueError: its parts do not fit together.
        """
        steps, terminated = state["steps"], state["terminated"]
        parts = [state[name].numpy(force=True) for name in ("inputs", "actions", "rewards")]
        rows = [sum(steps) + len(steps), sum(steps), sum(steps)]
        if [len(part) for part in parts] != rows or len(terminated) != len(steps):
            raise ValueError(f"a buffer's parts must be of {rows} rows, got {[len(part) for part in parts]}")
        kinds = [(part.ndim, str(part.dtype)) for part in parts]
        if kinds != _KINDS:
            raise ValueError(f"a buffer's parts must have dimensions and types {_KINDS}, got {kinds}")
        ends = np.cumsum(steps)[:-1]
        inputs = np.split(parts[0], ends + np.arange(1, len(steps)))
        actions, rewards = (np.split(part, ends) for part in parts[1:])
        episodes = [Episode(*one) for one in zip(inputs, actions, rewards, map(bool, terminated), strict=True)]
        self._episodes.clear()
        self._size = 0
        for episode in episodes:
            self.add(episode)

    def sample(self, count: int, rng: np.random.Generator) -> list[Transition]:
        """Draw transitions with replacement, each of those stored with the same probability.

        Raises:
            ValueError: nothing is stored.
        """
        if self._size == 0:
            raise ValueError("there is no transition to sample: add an episode first")
        ends = np.cumsum([len(episode) for episode in self._episodes])
        drawn = rng.integers(self._size, size=count)
        which = np.searchsorted(ends, drawn, side="right")
        # How far from its episode's end, so that steps count from the end's start without a list of starts.
        return [
            (self._episodes[index], len(self._episodes[index]) - int(behind))
            for index, behind in zip(which.tolist(), ends[which] - drawn, strict=True)
        ]


def histories(episodes: Iterable[Episode], *, like: Tensor) -> list[Tensor]:
    """What networks receive along each episode, (T + 1, I), in the dtype and on the device of `like`."""
    return [torch.from_numpy(episode.inputs).to(like) for episode in episodes]
