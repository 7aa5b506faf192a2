"""Episodes, and the buffer that replays them."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multistable.rl._encoding import check_received

__all__ = ["Episode", "ReplayBuffer", "Transition"]

_ARRAYS = ("inputs", "actions", "rewards")
_KINDS = [(2, "float32"), (1, "int64"), (1, "float64")]  # their dimensions and dtypes


@dataclass(frozen=True, eq=False)
class Episode:
    """What an agent received and did, in T steps.

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


Transition = tuple[Episode, int]
"""An episode and t: the history up to the action at t, the action, and what came of it."""


class ReplayBuffer:
    """The latest episodes, of at most `capacity` transitions in all; iterates from the oldest to the latest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._episodes: deque[Episode] = deque()
        self._size = 0

    def __len__(self) -> int:
        """The number of transitions that it holds."""
        return self._size

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._episodes)

    def add(self, episode: Episode) -> int:
        """Store an episode, drop the oldest until it fits, and return how many were dropped."""
        if len(episode) > self._capacity:
            raise ValueError(f"capacity must hold an episode of {len(episode)} transitions, got {self._capacity}")
        self._episodes.append(episode)
        self._size += len(episode)
        dropped = 0
        while self._size > self._capacity:
            self._size -= len(self._episodes.popleft())
            dropped += 1
        return dropped

    def sample(self, count: int, rng: np.random.Generator) -> list[Transition]:
        """Draw transitions with replacement, each of those stored with the same probability."""
        ends = np.cumsum([len(episode) for episode in self._episodes])
        drawn = rng.integers(self._size, size=count)
        which = np.searchsorted(ends, drawn, side="right")
        return [
            (self._episodes[index], len(self._episodes[index]) - int(to_end))
            for index, to_end in zip(which.tolist(), ends[which] - drawn, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """What it holds, in tensors and plain values."""
        arrays = {name: np.concatenate([getattr(episode, name) for episode in self]) for name in _ARRAYS}
        return {
            **{name: torch.from_numpy(array) for name, array in arrays.items()},
            "steps": [len(episode) for episode in self],
            "terminated": [episode.terminated for episode in self],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Hold what `state_dict` returned, and nothing else; raise unless its parts fit together."""
        steps, terminated = state["steps"], state["terminated"]
        arrays = [state[name].numpy(force=True) for name in _ARRAYS]
        rows = [sum(steps) + len(steps), sum(steps), sum(steps)]
        if [len(array) for array in arrays] != rows or len(terminated) != len(steps):
            raise ValueError(f"a buffer's parts must be of {rows} rows, got {[len(array) for array in arrays]}")
        kinds = [(array.ndim, str(array.dtype)) for array in arrays]
        if kinds != _KINDS:
            raise ValueError(f"a buffer's parts must have dimensions and types {_KINDS}, got {kinds}")
        ends = np.cumsum(steps)[:-1]
        inputs = np.split(arrays[0], ends + np.arange(1, len(steps)))
        actions, rewards = (np.split(array, ends) for array in arrays[1:])
        episodes = [Episode(*one) for one in zip(inputs, actions, rewards, map(bool, terminated), strict=True)]
        self._episodes.clear()
        self._size = 0
        for episode in episodes:
            self.add(episode)
