import copy
import json
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from hypothesis import given, settings
from hypothesis import strategies as st

from multistable.rl import TMazeVectorEnv
from multistable.rl.t_maze import time_limited_t_maze

RIGHT, UP, LEFT, DOWN = range(4)
ACTIONS = ("right", "up", "left", "down")
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "tmaze.json").read_text())
MODES = ("NextStep", "SameStep", "Disabled")
every_mode = pytest.mark.parametrize("mode", MODES)


class Told(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose next goal is set from outside, also for the resets that Gymnasium makes by itself."""

    next_goal = "up"

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.env.reset(seed=seed, options={"goal": self.next_goal})


def alike(first: Any, second: Any) -> bool:
    return data_equivalence(first, second, exact=True)


def rollout(envs: TMazeVectorEnv, actions: Any) -> list[Any]:
    """Steps with the actions given (steps, N), each followed by the reset that the mode asks for."""
    steps: list[Any] = []
    for action in actions:
        step = envs.step(action)
        steps.append(step)
        ended = step[2] | step[3]
        if envs.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            steps.append(envs.reset(options={"reset_mask": ended}))
    return steps


@every_mode
@given(length=st.integers(2, 7), num_envs=st.integers(1, 9), seed=st.integers(0, 2**31))
@settings(max_examples=15)
def test_single_mazes_one_by_one_give_the_same(mode: str, length: int, num_envs: int, seed: int) -> None:
    many = TMazeVectorEnv(num_envs, length, autoreset_mode=mode)
    make = partial(time_limited_t_maze, length)
    single: Any = SyncVectorEnv([lambda: Told(make())] * num_envs, autoreset_mode=mode)

    def tell() -> None:
        for one, goal in zip(single.envs, many.goals, strict=True):
            one.next_goal = str(goal)

    result = many.reset(seed=seed)
    tell()
    assert alike(result, single.reset(seed=seed))
    # Mostly right, so that the junction is reached before the time limit about as often as not.
    actions = np.random.default_rng(seed).choice(4, p=[0.7, 0.1, 0.1, 0.1], size=(8 * length, num_envs))
    for action in actions:
        step = many.step(action)
        tell()
        assert alike(step, single.step(action))
        assert many.observation_space.contains(step[0])
        ended = step[2] | step[3]
        if mode == "Disabled" and ended.any():
            result = many.reset(options={"reset_mask": ended})
            tell()
            assert alike(result, single.reset(options={"reset_mask": ended}))


@pytest.mark.parametrize("length", [2, 5])
def test_every_transition_of_the_reference(length: int) -> None:
    rows = [row for row in REFERENCE["rows"] if row["length"] == length]
    envs = TMazeVectorEnv(len(rows), length)
    observations, _ = envs.reset(options={"goal": [row["goal"] for row in rows]})
    for step in range(length):  # all arrive at the same time; who has less far to go first bounces off the wall
        actions = [RIGHT if step >= length - row["x"] else LEFT for row in rows]
        observations, *_ = envs.step(np.array(actions))
    assert np.array_equal(observations, np.eye(4)[[row["obs"] for row in rows]])
    assert envs.positions.tolist() == [[row["x"], 0] for row in rows]
    actions = [ACTIONS.index(row["action"]) for row in rows]
    observations, rewards, terminations, truncations, infos = envs.step(np.array(actions))
    assert np.array_equal(observations, np.eye(4)[[row["next_obs"] for row in rows]])
    assert rewards.tolist() == [row["reward"] for row in rows]
    assert terminations.tolist() == [row["terminal"] for row in rows]
    assert envs.positions.tolist() == [[row["next_x"], row["next_y"]] for row in rows]
    assert not truncations.any() and infos == {}


@every_mode
@pytest.mark.parametrize("stochasticity", [0.0, 0.4])
def test_two_copies_with_the_same_seed_are_alike(mode: str, stochasticity: float) -> None:
    actions = np.random.default_rng(0).integers(4, size=(100, 50))
    first, second = (TMazeVectorEnv(50, 6, stochasticity, autoreset_mode=mode) for _ in range(2))
    assert alike(first.reset(seed=5), second.reset(seed=5))
    assert alike(rollout(first, actions), rollout(second, actions))
    assert not np.array_equal(first.reset(seed=5)[0], first.reset(seed=6)[0])


@every_mode
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
def test_a_copy_in_the_middle_of_an_episode_goes_on_alike(mode: str, duplicate: Any) -> None:
    actions = np.random.default_rng(1).integers(4, size=(100, 20))
    envs = TMazeVectorEnv(20, 4, stochasticity=0.2, autoreset_mode=mode)
    envs.reset(seed=0)
    rollout(envs, actions[:9])
    twin = duplicate(envs)
    assert alike(rollout(twin, actions), rollout(envs, actions))


@every_mode
def test_what_is_returned_is_the_callers_own(mode: str) -> None:
    actions = np.random.default_rng(0).integers(4, size=(40, 5))
    kept, spoiled = (TMazeVectorEnv(5, 3, autoreset_mode=mode) for _ in range(2))
    kept.reset(seed=0)
    spoiled.reset(seed=0)
    for action in actions:
        expected, got = kept.step(action), spoiled.step(action.copy())
        assert alike(expected, got)
        ended = expected[2] | expected[3]
        for array in (*got[:4], got[4].get("_final_obs", got[0]), spoiled.positions, spoiled.goals):
            array[:] = 1
        if mode == "Disabled" and ended.any():
            kept.reset(options={"reset_mask": ended})
            spoiled.reset(options={"reset_mask": ended})


@pytest.mark.parametrize("length", [2, 20])
@every_mode
def test_the_best_return_is_4_in_one_step_more_than_the_length(length: int, mode: str) -> None:
    envs: Any = RecordEpisodeStatistics(TMazeVectorEnv(100, length, autoreset_mode=mode))
    observations, _ = envs.reset(seed=0)
    remembered = np.zeros(100, np.int64)
    for _ in range(3 * (length + 2)):
        first, junction = observations[:, :2].any(1), observations[:, 3] == 1
        remembered = np.where(first, np.where(observations[:, 0] == 1, UP, DOWN), remembered)
        observations, _, terminations, truncations, _ = envs.step(np.where(junction, remembered, RIGHT))
        assert not truncations.any()
        if mode == "Disabled" and terminations.any():
            observations, _ = envs.reset(options={"reset_mask": terminations})
    assert len(envs.return_queue) == 100  # the length of the queue
    assert set(envs.return_queue) == {4.0} and set(envs.length_queue) == {length + 1}


def test_next_step_ignores_the_action_that_begins_an_episode() -> None:
    envs = TMazeVectorEnv(2, length=2)
    envs.reset(seed=0, options={"goal": "up"})
    for actions in ([RIGHT, LEFT], [RIGHT, LEFT], [UP, LEFT]):
        *_, terminations, truncations, _ = envs.step(np.array(actions))
    assert terminations.tolist() == [True, False] and not truncations.any()
    assert envs.positions.tolist() == [[2, 1], [0, 0]]
    observations, rewards, terminations, truncations, infos = envs.step(np.array([DOWN, RIGHT]))
    assert envs.positions.tolist() == [[0, 0], [1, 0]]
    assert observations[0, :2].sum() == 1 and rewards.tolist() == [0.0, 0.0]
    assert not terminations.any() and not truncations.any() and infos == {}
    # The first maze is at the beginning of its five steps, the second has one left.
    assert [envs.step(np.array([LEFT, LEFT]))[3].tolist() for _ in range(2)] == [[False, True], [False, False]]


def test_same_step_keeps_the_last_observation() -> None:
    envs = TMazeVectorEnv(2, length=2, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0, options={"goal": ["up", "down"]})
    for _ in range(2):
        assert envs.step(np.array([RIGHT, RIGHT]))[4] == {}
    observations, rewards, terminations, _, infos = envs.step(np.array([UP, LEFT]))
    assert rewards.tolist() == [4.0, 0.0] and terminations.tolist() == [True, False]
    assert envs.positions.tolist() == [[0, 0], [1, 0]] and observations[0, :2].sum() == 1
    assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == [True, False]
    assert infos["final_obs"][0].tolist() == [0, 0, 0, 1] and infos["final_obs"][1] is None


def test_disabled_waits_for_a_reset() -> None:
    envs = TMazeVectorEnv(3, length=2, autoreset_mode="Disabled")
    envs.reset(options={"goal": "up"})
    for actions in ([RIGHT, RIGHT, RIGHT], [RIGHT, RIGHT, LEFT], [UP, DOWN, RIGHT]):
        *_, terminations, _, _ = envs.step(np.array(actions))
    assert terminations.tolist() == [True, True, False]
    before = envs.positions
    with pytest.raises(ResetNeeded, match="the episode has ended in 2 of 3 mazes"):
        envs.step(np.array([LEFT, LEFT, RIGHT]))
    assert np.array_equal(envs.positions, before)
    options = {"reset_mask": terminations, "goal": ["down", "up", "up"]}
    envs.reset(options=options)
    assert set(options) == {"reset_mask", "goal"}  # Gymnasium's wrappers read them afterwards
    assert envs.goals.tolist() == ["down", "up", "up"] and envs.positions.tolist() == [[0, 0], [0, 0], [1, 0]]
    envs.step(np.array([RIGHT, RIGHT, RIGHT]))
    assert envs.positions.tolist() == [[1, 0], [1, 0], [2, 0]]


@pytest.mark.parametrize("length", [2, 5])
@every_mode
def test_truncation_after_three_lengths_less_one(length: int, mode: str) -> None:
    envs = TMazeVectorEnv(2, length, autoreset_mode=mode)
    envs.reset(options={"goal": "up"})
    # The first maze never arrives, the second does with its last step.
    second = [LEFT] * (2 * length - 2) + [RIGHT] * length + [UP]
    steps = [envs.step(np.array([LEFT, action])) for action in second]
    assert len(steps) == 3 * length - 1
    assert not any((terminations | truncations).any() for _, _, terminations, truncations, _ in steps[:-1])
    _, rewards, terminations, truncations, _ = steps[-1]
    assert rewards.tolist() == [-0.1, 4.0]
    assert terminations.tolist() == [False, True] and truncations.tolist() == [True, True]


def test_a_reset_in_the_middle_starts_all_over() -> None:
    envs = TMazeVectorEnv(2, length=2)
    for _ in range(2):
        envs.reset(options={"goal": "down"})
        assert envs.positions.tolist() == [[0, 0], [0, 0]]
        assert [bool(envs.step(np.array([LEFT, LEFT]))[3].any()) for _ in range(5)] == [False] * 4 + [True]


def test_both_goals_are_drawn_as_often() -> None:
    size = 100_000
    envs = TMazeVectorEnv(size, length=2)
    envs.reset(seed=0)
    first = envs.goals == "up"
    for _ in range(6):  # five steps, and the one that begins the next episode
        envs.step(np.full(size, LEFT))
    second = envs.goals == "up"
    # Five standard deviations: less than one in a million by chance. The two are independent as well.
    for count, probability in ((first, 1 / 2), (second, 1 / 2), (first & second, 1 / 4)):
        assert abs(count.sum() - size * probability) < 5 * math.sqrt(size * probability * (1 - probability))


def test_random_actions_are_as_frequent_as_they_should_be() -> None:
    stochasticity, size = 0.3, 100_000
    envs = TMazeVectorEnv(size, 4, stochasticity)
    envs.reset(seed=0)
    for _ in range(3):
        before = envs.positions[:, 0]
        _, rewards, *_ = envs.step(np.full(size, LEFT))
        moved = envs.positions[:, 0] - before
        assert np.array_equal(rewards, np.where(moved == 0, -0.1, 0.0))
        # One in four random actions is right; in the first cell, left bounces too. Five standard deviations each.
        for there, probabilities in (
            (before == 0, {1: stochasticity / 4, 0: 1 - stochasticity / 4}),
            (before > 0, {1: stochasticity / 4, 0: stochasticity / 2, -1: 1 - 3 * stochasticity / 4}),
        ):
            for move, probability in probabilities.items():
                bound = 5 * math.sqrt(there.sum() * probability * (1 - probability))
                assert abs((moved[there] == move).sum() - there.sum() * probability) <= bound


def test_the_junction_is_not_stochastic() -> None:
    envs = TMazeVectorEnv(1000, 2, stochasticity=1.0, max_episode_steps=200)
    envs.reset(seed=0)
    arrived = np.zeros(1000, np.bool_)
    for _ in range(100):
        _, rewards, terminations, *_ = envs.step(np.full(1000, RIGHT))
        assert not terminations.any() and (rewards[arrived] == -0.1).all()
        assert (envs.positions[arrived] == [2, 0]).all()
        arrived = envs.positions[:, 0] == 2
    assert arrived.sum() > 900


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"num_envs": 0}, ValueError, "num_envs must be at least 1, got 0"),
    ({"num_envs": 2.0}, TypeError, "num_envs must be an int, got float"),
    ({"length": 1}, ValueError, "length must be at least 2, got 1"),
    ({"length": "5"}, TypeError, "length must be an int, got str"),
    ({"stochasticity": 1.1}, ValueError, r"stochasticity must lie in \[0, 1\], got 1.1"),
    ({"render_mode": "human"}, ValueError, "render_mode must be 'ansi', 'rgb_array' or None, got 'human'"),
    ({"max_episode_steps": 0}, ValueError, "max_episode_steps must be at least 1, got 0"),
    ({"autoreset_mode": "never"}, ValueError,
     "autoreset_mode must be one of 'NextStep', 'SameStep', 'Disabled', got 'never'"),
])  # fmt: skip
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TMazeVectorEnv(**arguments)


@pytest.mark.parametrize("actions", [
    np.array([0, 1]), np.array([[0, 1, 2]]), np.array([0, 1, 4]), np.array([0, -1, 2]), np.array([0.0, 1.0, 2.0]),
    [0, 1], 0, None,
])  # fmt: skip
def test_bad_actions(actions: Any) -> None:
    envs = TMazeVectorEnv(3)
    envs.reset()
    with pytest.raises(ValueError, match=r"actions must be 3 integers in 0..3 \(right, up, left, down\), got"):
        envs.step(actions)
    assert not envs.positions.any()


@pytest.mark.parametrize("actions", [[0, 2, 0], (0, 2, 0), np.array([0, 2, 0], np.uint8)])
def test_what_the_action_space_holds_are_actions(actions: Any) -> None:
    envs = TMazeVectorEnv(3)
    envs.reset()
    assert envs.action_space.contains(actions)
    envs.step(actions)
    assert envs.positions.tolist() == [[1, 0], [0, 0], [1, 0]]


@pytest.mark.parametrize("goal", ["down", ["down"] * 3, ("down", "down", "down"), np.array(["down"] * 3)])
def test_a_goal_for_all_or_for_each(goal: Any) -> None:
    envs = TMazeVectorEnv(3)
    observations, _ = envs.reset(options={"goal": goal})
    assert envs.goals.tolist() == ["down"] * 3
    assert observations.tolist() == [[0, 1, 0, 0]] * 3


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"goal": "left"}, ValueError, "goal must be 'up' or 'down', got 'left'"),
    ({"goal": 1}, ValueError, "goal must be 'up' or 'down', got 1"),
    ({"goal": ["up", "left", "up"]}, ValueError, "goal must be 'up' or 'down', got 'left'"),
    ({"goal": ["up", "down"]}, ValueError, r"goal must be one name or 3, one for each maze, got shape \(2,\)"),
    ({"goals": "up"}, ValueError, "options may hold 'goal' and 'reset_mask', got 'goals'"),
    ({"reset_mask": [True, True, True]}, TypeError, "reset_mask must be a NumPy array of booleans"),
    ({"reset_mask": np.ones(3)}, TypeError, "reset_mask must be a NumPy array of booleans"),
    ({"reset_mask": np.ones(2, np.bool_)}, ValueError, r"reset_mask must have shape \(3,\), got \(2,\)"),
    ({"reset_mask": np.zeros(3, np.bool_)}, ValueError, "reset_mask must choose at least one maze"),
])  # fmt: skip
def test_bad_options_leave_the_episodes_as_they_are(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    envs = TMazeVectorEnv(3)
    envs.reset(seed=0)
    envs.step([RIGHT] * 3)  # type: ignore[arg-type]
    state = envs.np_random.bit_generator.state
    with pytest.raises(error, match=message):
        envs.reset(seed=1, options=options)
    assert envs.positions.tolist() == [[1, 0]] * 3 and envs.np_random.bit_generator.state == state


def test_nothing_before_a_reset_of_all() -> None:
    envs = TMazeVectorEnv(2, render_mode="ansi")
    for use in (lambda: envs.step(np.array([0, 0])), envs.render, lambda: envs.positions, lambda: envs.goals):
        with pytest.raises(ResetNeeded, match="no episode has begun: call reset\\(\\) first"):
            use()
    with pytest.raises(ResetNeeded, match="the first reset must be of all mazes"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset(options={"reset_mask": np.array([True, True])})
    envs.step(np.array([0, 0]))
