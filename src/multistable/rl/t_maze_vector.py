"""Many T-Mazes at once, in NumPy."""

from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from multistable._utils.checks import check_int
from multistable.rl._drawing import Frame, draw, warn_of_no_render_mode
from multistable.rl._rules import ACTIONS, DOWN, UP, check_options, move, observe, parse_goals, time_limit
from multistable.rl.t_maze import TMazeEnv

__all__ = ["TMazeVectorEnv"]

Observations = NDArray[np.float32]


class TMazeVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """N T-Mazes that take their steps together, each with the rules of `TMazeEnv` and a time limit.

    Given the same goals and no stochasticity, it returns at each step what `gymnasium.vector.SyncVectorEnv` returns.
    All mazes draw from one generator, `np_random`: the same seed gives the same mazes again, but not those of single
    mazes with seeds of their own.

    Args:
        num_envs: N, the number of mazes; 1 by default.
        length: L, as in `TMazeEnv`; the same in all mazes.
        stochasticity: as in `TMazeEnv`.
        render_mode: as in `TMazeEnv`.
        max_episode_steps: the number of steps after which an episode is truncated; 3L - 1 by default.
        autoreset_mode: what happens to a maze whose episode has ended; a `gymnasium.vector.AutoresetMode` or its value.
            "NextStep", the default: its next step begins an episode instead, whatever the action. "SameStep": an
            episode begins at once, and the infos hold the last observation, as "final_obs". "Disabled": nothing; it
            must be reset with the option "reset_mask" before the next step.

    Raises:
        TypeError: `num_envs`, `length` or `max_episode_steps` is not an int, or `stochasticity` is not a number.
        ValueError: an argument is out of its range or unknown.

    Examples:
        >>> import numpy as np
        >>> from multistable.rl import TMazeVectorEnv
        >>> envs = TMazeVectorEnv(num_envs=1000, length=20)
        >>> observations, infos = envs.reset(seed=0)
        >>> observations.shape
        (1000, 4)
        >>> observations, rewards, terminations, truncations, infos = envs.step(np.zeros(1000, np.int64))  # right
        >>> bool((observations == [0, 0, 1, 0]).all())
        True
    """

    def __init__(
        self,
        num_envs: int = 1,
        length: int = 10,
        stochasticity: float = 0.0,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.num_envs = check_int("num_envs", num_envs)
        single = TMazeEnv(length, stochasticity, render_mode)
        self.length = single.length
        self.stochasticity = single.stochasticity
        self.render_mode = single.render_mode
        limit = time_limit(self.length) if max_episode_steps is None else max_episode_steps
        self.max_episode_steps = check_int("max_episode_steps", limit)
        self.autoreset_mode = _parse_mode(autoreset_mode)
        self.metadata = {**TMazeEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_action_space = single.action_space
        self.single_observation_space = single.observation_space
        self.action_space = batch_space(single.action_space, self.num_envs)
        self.observation_space = batch_space(single.observation_space, self.num_envs)
        self._begun = False
        self._x, self._y, self._goal, self._elapsed = np.zeros((4, self.num_envs), np.int64)
        self._ended = np.zeros(self.num_envs, np.bool_)

    @property
    def positions(self) -> NDArray[np.int64]:
        """The agents' cells, (N, 2), each (x, y)."""
        self._check_begun()
        return np.stack([self._x, self._y], 1)

    @property
    def goals(self) -> NDArray[np.str_]:
        """The ends that are the goals, each "up" or "down", (N,)."""
        self._check_begun()
        return np.where(self._goal == UP, "up", "down")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every maze, or in those of a mask.

        Args:
            seed: seeds `np_random`, which draws goals and random actions.
            options: may hold "goal", one name ("up" or "down") for all mazes or N names, one for each; by default goals
                are drawn, each with probability 1/2, as they are whenever an episode begins by itself. May hold
                "reset_mask", booleans (N,): mazes where it is False stay as they are.

        Returns:
            The observations (N, 4), and an empty dictionary.

        Raises:
            TypeError: the mask is not an array of booleans.
            ValueError: `options` holds another key, an unknown goal, goals or a mask of the wrong shape, or a mask
                that is False throughout.
            ResetNeeded: the first reset has a mask that leaves mazes out.
        """
        options = check_options(options, ("goal", "reset_mask"))
        names = options.get("goal")
        goals = None if names is None else parse_goals(names, self.num_envs)
        chosen = self._parse_mask(options.get("reset_mask"))
        super().reset(seed=seed)
        self._begun = True
        self._begin(chosen, goals)
        return self._observe(), {}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Take an action in every maze.

        Args:
            actions: N integers in 0..3: right, up, left, down.

        Returns:
            The observations (N, 4); the rewards, terminations and truncations, each (N,); and the infos, which are
            empty except for "final_obs" and "final_info" in the mode "SameStep".

        Raises:
            ResetNeeded: no episode has begun, or one has ended in the mode "Disabled".
            ValueError: `actions` are not N of these integers.
        """
        self._check_begun()
        actions = self._parse_actions(actions)
        if self.autoreset_mode == AutoresetMode.DISABLED and self._ended.any():
            raise ResetNeeded(
                f"the episode has ended in {self._ended.sum()} of {self.num_envs} mazes: "
                "call reset(options={'reset_mask': ...}) before step()"
            )
        beginning = self._ended.copy()
        self._x, self._y, rewards = move(self.length, self._x, self._goal, self._replace(actions))
        self._elapsed += 1
        self._begin(beginning)
        rewards[beginning] = 0
        terminations = self._y != 0
        truncations = self._elapsed >= self.max_episode_steps
        self._ended = terminations | truncations
        infos = self._begin_at_once() if self.autoreset_mode == AutoresetMode.SAME_STEP else {}
        return self._observe(), rewards, terminations, truncations, infos

    def render(self) -> tuple[Frame, ...] | None:
        """Draw every maze, as `TMazeEnv.render` does.

        Returns:
            N texts or images, or None, with a warning, without a render mode.

        Raises:
            ResetNeeded: no episode has begun.
        """
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        self._check_begun()
        states = zip(self._x.tolist(), self._y.tolist(), self._goal.tolist(), strict=True)
        return tuple(draw(self.render_mode, self.length, *state) for state in states)

    def _check_begun(self) -> None:
        if not self._begun:
            raise ResetNeeded("no episode has begun: call reset() first")

    def _parse_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not (isinstance(mask, np.ndarray) and mask.dtype == np.bool_):
            raise TypeError(f"reset_mask must be a NumPy array of booleans, got {mask!r}")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must have shape ({self.num_envs},), got {mask.shape}")
        if not mask.any():
            raise ValueError("reset_mask must choose at least one maze, got one that is False throughout")
        if not self._begun and not mask.all():
            raise ResetNeeded("the first reset must be of all mazes, got a reset_mask that leaves some out")
        return mask

    def _parse_actions(self, actions: Any) -> NDArray[np.int64]:
        # Some versions of Gymnasium accept whole numbers that are floats, hence the second condition.
        if not self.action_space.contains(actions) or not np.can_cast(np.asarray(actions).dtype, np.int64):
            raise ValueError(
                f"actions must be {self.num_envs} integers in 0..3 (right, up, left, down), got {actions!r}"
            )
        return np.asarray(actions, np.int64)

    def _begin(self, chosen: NDArray[np.bool_], goals: NDArray[np.int64] | None = None) -> None:
        """Begin an episode in the chosen mazes, with the goals that are given, or else drawn."""
        if goals is None:
            goals = np.empty(self.num_envs, np.int64)
            goals[chosen] = self.np_random.choice((DOWN, UP), chosen.sum())
        for values, first in ((self._x, 0), (self._y, 0), (self._elapsed, 0), (self._ended, False)):
            values[chosen] = first
        self._goal[chosen] = goals[chosen]

    def _begin_at_once(self) -> dict[str, Any]:
        """Begin an episode where one has ended, and return the infos with what that one showed last."""
        ended = self._ended.copy()
        if not ended.any():
            return {}
        final = np.full(self.num_envs, None, dtype=object)
        for index, observation in zip(np.flatnonzero(ended), self._observe()[ended], strict=True):
            final[index] = observation
        self._begin(ended)
        return {"final_obs": final, "_final_obs": ended, "final_info": {}, "_final_info": ended.copy()}

    def _replace(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The actions, some of those before the junction replaced by random ones."""
        if self.stochasticity == 0:
            return actions
        replaced = (self.np_random.random(self.num_envs) < self.stochasticity) & (self._x < self.length)
        return np.where(replaced, self.np_random.integers(len(ACTIONS), size=self.num_envs), actions)

    def _observe(self) -> Observations:
        return observe(self.length, self._x, self._goal)


def _parse_mode(mode: str | AutoresetMode) -> AutoresetMode:
    known = [one.value for one in AutoresetMode]
    if not isinstance(mode, AutoresetMode) and mode not in known:
        raise ValueError(f"autoreset_mode must be one of {', '.join(map(repr, known))}, got {mode!r}")
    return AutoresetMode(mode)
