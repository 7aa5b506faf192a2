"""Many T-Mazes at once, in NumPy."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from multistable._utils.checks import check_int
from multistable.rl._drawing import Frame, draw
from multistable.rl._rules import ACTIONS, DOWN, UP, check_options, move, observe, parse_goals, time_limit
from multistable.rl.t_maze import TMazeEnv

__all__ = ["TMazeVectorEnv"]

Observations = NDArray[np.float32]


class TMazeVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """N T-Mazes that take their steps together; each follows the rules of `TMazeEnv`, and has the time limit.

    It gives what `gymnasium.vector.SyncVectorEnv` gives, step by step, for the same goals and without stochasticity.
    One generator, `np_random`, serves all mazes: with the same seed two copies are alike, but their random goals and
    actions are not those of single mazes with seeds of their own.

    Args:
        num_envs: N, mazes.
        length: L, as in `TMazeEnv`; the same in all mazes.
        stochasticity: as in `TMazeEnv`.
        render_mode: as in `TMazeEnv`.
        max_episode_steps: steps after which an episode is truncated; 3L - 1 by default.
        autoreset_mode: what becomes of a maze whose episode has ended; a `gymnasium.vector.AutoresetMode` or its value.
            "NextStep": its next step begins an episode instead, whatever the action. "SameStep": an episode begins at
            once, and the last observation is in the infos, as "final_obs". "Disabled": nothing, and it must be reset by
            the option "reset_mask" before the next step.

    Raises:
        TypeError: `num_envs`, `length` or `max_episode_steps` is not an int, or `stochasticity` no number.
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
        """The ends that are the goals, (N,), each "up" or "down"."""
        self._check_begun()
        return np.where(self._goal == UP, "up", "down")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every maze, or in those of a mask.

        Args:
            seed: seeds `np_random`, which draws goals and random actions.
            options: may hold "goal", one name ("up" or "down") for all mazes or N, one for each; without it goals are
                drawn, either with probability 1/2. May hold "reset_mask", an array of booleans (N,): the other mazes
                stay as they are. Episodes that begin by themselves later on draw their goals.

        Returns:
            The observations (N, 4), and an empty dictionary.

        Raises:
            TypeError: the mask is no array of booleans.
            ValueError: `options` holds another name, an unknown goal, goals or a mask of the wrong shape, or a mask
                that chooses no maze.
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
            The observations (N, 4); rewards, terminations and truncations, each (N,); and infos, which are empty but
            for "final_obs" and "final_info" in the mode "SameStep".

        Raises:
            ResetNeeded: no episode has begun, or one has ended in the mode "Disabled".
            ValueError: `actions` are not N such integers.
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
            N texts or images, or None if `render_mode` is None.

        Raises:
            ResetNeeded: no episode has begun.
        """
        if self.render_mode is None:
            gymnasium.logger.warn("render() returns None without a render mode: make the environment with render_mode")
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
        # Some versions of Gymnasium let whole numbers pass that are floats, hence the second condition.
        if not self.action_space.contains(actions) or not np.can_cast(np.asarray(actions).dtype, np.int64):
            raise ValueError(
                f"actions must be {self.num_envs} integers in 0..3 (right, up, left, down), got {actions!r}"
            )
        return np.asarray(actions, np.int64)

    def _begin(self, chosen: NDArray[np.bool_], goals: NDArray[np.int64] | None = None) -> None:
        """Begin an episode in the mazes chosen, with the goals given or drawn."""
        if goals is None:
            goals = np.empty(self.num_envs, np.int64)
            goals[chosen] = self.np_random.choice((DOWN, UP), chosen.sum())
        for values, first in ((self._x, 0), (self._y, 0), (self._elapsed, 0), (self._ended, False)):
            values[chosen] = first
        self._goal[chosen] = goals[chosen]

    def _begin_at_once(self) -> dict[str, Any]:
        """Begin an episode where one has ended, and keep what that one showed last."""
        ended = self._ended.copy()
        if not ended.any():
            return {}
        final = np.full(self.num_envs, None, dtype=object)
        for index, observation in zip(np.flatnonzero(ended), self._observe()[ended], strict=True):
            final[index] = observation
        self._begin(ended)
        return {"final_obs": final, "_final_obs": ended, "final_info": {}, "_final_info": ended.copy()}

    def _replace(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The actions, some replaced by random ones before the junction."""
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
