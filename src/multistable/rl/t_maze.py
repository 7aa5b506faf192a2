"""The T-Maze: what the first cell of a corridor shows must be remembered to its end."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray

from multistable._utils.checks import check_int, check_probability
from multistable.rl._drawing import RENDER_MODES, Frame, check_render_mode, draw, warn_of_no_render_mode
from multistable.rl._rules import ACTIONS, DOWN, OBSERVATIONS, UP, check_options, move, observe, parse_goal, time_limit

__all__ = ["T_MAZE_EXPLORATION", "TMazeEnv", "optimal_in_t_maze", "time_limited_t_maze"]

T_MAZE_EXPLORATION = (1 / 2, 1 / 6, 1 / 6, 1 / 6)
"""The probabilities of right, up, left and down for random actions (Lambrechts et al. 2023, arXiv:2106.01001)."""


class TMazeEnv(gymnasium.Env[NDArray[np.float32], int | np.int64]):
    """The T-Maze of Lambrechts et al. 2023 (arXiv:2106.01001), after Bakker (2001).

    A corridor leads from the cell (0, 0) to the cell (L, 0), a junction with the ends (L, 1) and (L, -1). One end is
    the goal, and only the first cell shows which. The actions 0, 1, 2 and 3 are right, up, left and down. An
    observation is one-hot, (4,): goal up, goal down, corridor, junction; the ends look like the junction. The reward is
    4 at the goal, -0.1 at the wrong end or for bouncing off a wall, and 0 otherwise. An episode terminates at either
    end.

    The environment has no time limit of its own; `gymnasium.make("multistable.rl:multistable/TMaze-v0")` adds one of
    3L - 1 steps.

    Args:
        length: L, the number of steps from the first cell to the junction, 2 or more; 10 by default.
        stochasticity: the probability in [0, 1], 0 by default, that an action before the junction is replaced by one
            of the four, drawn uniformly. The reward is for the move that the agent then makes.
        render_mode: "ansi" for text, "rgb_array" for an image, or None, the default. Drawings always show the goal.

    Raises:
        TypeError: `length` is not an int, or `stochasticity` is not a number.
        ValueError: `length` is below 2, `stochasticity` is outside [0, 1], or `render_mode` is unknown.

    Examples:
        >>> from multistable.rl import TMazeEnv
        >>> env = TMazeEnv(length=2)
        >>> env.reset(options={"goal": "up"})[0]
        array([1., 0., 0., 0.], dtype=float32)
        >>> [env.step(action)[1] for action in (0, 0, 1)]  # right, right, up
        [0.0, 0.0, 4.0]
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 8}  # noqa: RUF012

    def __init__(self, length: int = 10, stochasticity: float = 0.0, render_mode: str | None = None) -> None:
        self.length = check_int("length", length, at_least=2)
        self.stochasticity = check_probability("stochasticity", stochasticity)
        self.render_mode = check_render_mode(render_mode)
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.observation_space = spaces.Box(0, 1, (len(OBSERVATIONS),), np.float32)
        self._state: tuple[int, int, int] | None = None  # x and y of the agent, y of the goal

    @property
    def position(self) -> tuple[int, int]:
        """The agent's cell (x, y), which the agent itself is not told."""
        x, y, _ = self._known_state()
        return x, y

    @property
    def goal(self) -> str:
        """The end that is the goal, "up" or "down"."""
        return "up" if self._known_state()[2] == UP else "down"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in the first cell.

        Args:
            seed: seeds `np_random`, which draws goals and random actions.
            options: may hold "goal", which is "up" or "down"; by default the goal is drawn, each with probability 1/2.

        Returns:
            The first observation (4,), and an empty dictionary.

        Raises:
            ValueError: `options` holds another key, or an unknown goal.
        """
        name = check_options(options, ("goal",)).get("goal")
        given = None if name is None else parse_goal(name)
        super().reset(seed=seed)
        goal = int(self.np_random.choice((DOWN, UP))) if given is None else given
        self._state = 0, 0, goal
        return observe(self.length, 0, goal), {}

    def step(self, action: int | np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Take an action.

        Args:
            action: 0, 1, 2 or 3: right, up, left, down.

        Returns:
            The observation (4,), the reward, whether the episode terminates, False since it is never truncated here,
            and an empty dictionary.

        Raises:
            ResetNeeded: no episode has begun, or the last has ended.
            ValueError: `action` is not one of these integers.
        """
        x, y, goal = self._known_state()
        if y != 0:
            raise ResetNeeded("the episode has ended: call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action must be an integer in 0..3 (right, up, left, down), got {action!r}")
        if x < self.length and self.stochasticity > 0 and self.np_random.random() < self.stochasticity:
            action = self.np_random.integers(len(ACTIONS))
        reached, end, reward = move(self.length, x, goal, int(action))
        self._state = int(reached), int(end), goal
        return observe(self.length, reached, goal), float(reward), bool(end != 0), False, {}

    def render(self) -> Frame | None:
        """Draw the maze.

        Returns:
            Text with A for the agent, G for the goal and x for the wrong end; or an image (height, width, 3), uint8,
            with the agent blue, the goal green and the wrong end orange; or None, with a warning, without a render
            mode.

        Raises:
            ResetNeeded: no episode has begun.
        """
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        return draw(self.render_mode, self.length, *self._known_state())

    def _known_state(self) -> tuple[int, int, int]:
        if self._state is None:
            raise ResetNeeded("no episode has begun: call reset() first")
        return self._state


def time_limited_t_maze(
    length: int = 10, stochasticity: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[NDArray[np.float32], int | np.int64]:
    """A `TMazeEnv` that truncates episodes after 3L - 1 steps, for `gymnasium.make`.

    A limit that is registered with an environment is one number for all lengths, hence this function.
    """
    env = TMazeEnv(length, stochasticity, render_mode)
    return TimeLimit(env, max_episode_steps=time_limit(env.length))


def optimal_in_t_maze(length: int) -> Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.bool_]]:
    """A function that tells which episodes in a T-Maze were optimal: those with return 4 in L + 1 steps.

    Args:
        length: L, 2 or more.

    Returns:
        A function of the returns (N,) and steps (N,) of episodes, whose result is booleans (N,).

    Raises:
        TypeError: `length` is not an int.
        ValueError: `length` is below 2.

    Examples:
        >>> import numpy as np
        >>> from multistable.rl import optimal_in_t_maze
        >>> optimal_in_t_maze(20)(np.array([4.0, 4.0, 3.9]), np.array([21, 23, 21]))
        array([ True, False, False])
    """
    length = check_int("length", length, at_least=2)
    return lambda returns, steps: (returns == 4) & (steps == length + 1)


# Where `gymnasium.make` looks for render modes, to serve others such as "human" and "rgb_array_list" by wrappers.
time_limited_t_maze.metadata = TMazeEnv.metadata  # type: ignore[attr-defined]
