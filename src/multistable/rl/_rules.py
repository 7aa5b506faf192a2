"""The rules of the T-Maze, elementwise: on numbers for one maze, on arrays for many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACTIONS",
    "DOWN",
    "OBSERVATIONS",
    "UP",
    "check_options",
    "move",
    "observe",
    "parse_goal",
    "parse_goals",
    "time_limit",
]

ACTIONS = ("right", "up", "left", "down")
OBSERVATIONS = ("up", "down", "corridor", "junction")
UP, DOWN = 1, -1  # y of the ends

_ENDS = {"up": UP, "down": DOWN}
_ALONG = np.array([1, 0, -1, 0])  # what each action adds to x
_ACROSS = np.array([0, 1, 0, -1])  # what each adds to y, at the junction

Ints = int | np.int64 | NDArray[np.int64]


def time_limit(length: int) -> int:
    """The number of steps after which an episode is truncated: 3L - 1 (Lambrechts et al. 2023, arXiv:2106.01001)."""
    return 3 * length - 1


def move(length: int, x: Ints, goal: Ints, action: Ints) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Take an action at (x, 0), in the corridor or at the junction.

    Returns:
        x and y of the cell that it leads to, and the reward. Where y is not 0, the cell is an end of the maze.
    """
    y = np.where(np.equal(x, length), _ACROSS[action], 0)
    reached = np.clip(x + _ALONG[action], 0, length)
    ended = y != 0
    bounced = np.equal(reached, x) & ~ended
    return reached, y, np.where(y == goal, 4.0, np.where(bounced | ended, -0.1, 0.0))


def observe(length: int, x: Ints, goal: Ints) -> NDArray[np.float32]:
    """What the agent sees at x, one-hot in a new last dimension; an end looks like the junction."""
    shown = np.select(
        [np.equal(x, length), np.greater(x, 0), np.equal(goal, UP)],
        [OBSERVATIONS.index("junction"), OBSERVATIONS.index("corridor"), OBSERVATIONS.index("up")],
        OBSERVATIONS.index("down"),
    )
    one_hot: NDArray[np.bool_] = np.equal.outer(shown, np.arange(len(OBSERVATIONS)))
    return one_hot.astype(np.float32)


def parse_goal(name: Any) -> int:
    """The y of the goal with that name."""
    if not isinstance(name, str) or name not in _ENDS:
        raise ValueError(f"goal must be 'up' or 'down', got {name!r}")
    return _ENDS[name]


def parse_goals(names: Any, num_envs: int) -> NDArray[np.int64]:
    """The y of the goals of `num_envs` mazes, given one name for all or one for each."""
    given = np.asarray(names)
    if given.shape not in ((), (num_envs,)):
        raise ValueError(f"goal must be one name or {num_envs}, one for each maze, got shape {given.shape}")
    goals = [parse_goal(name) for name in given.ravel().tolist()]
    return np.full(num_envs, goals, np.int64)


def check_options(options: dict[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """The options of a reset, {} for None; raise unless all are known."""
    for name in options or {}:
        if name not in known:
            raise ValueError(f"options may hold {' and '.join(map(repr, known))}, got {name!r}")
    return options or {}
