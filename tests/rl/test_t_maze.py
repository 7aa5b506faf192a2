import copy
import json
import math
import pickle
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from hypothesis import given
from hypothesis import strategies as st

from multistable.rl import TMazeEnv
from multistable.rl.t_maze import time_limited_t_maze

RIGHT, UP, LEFT, DOWN = range(4)
ACTIONS = ("right", "up", "left", "down")
OBSERVATIONS = ("up", "down", "corridor", "junction")
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "tmaze.json").read_text())
Step = tuple[list[float], float, bool, bool]


def seen(observation: Any) -> str:
    """What a one-hot observation shows."""
    assert observation.dtype == np.float32 and observation.shape == (4,)
    assert sorted(observation) == [0, 0, 0, 1]
    return OBSERVATIONS[int(observation.argmax())]


def rollout(env: gymnasium.Env[Any, Any], actions: Any) -> list[Step]:
    """Steps with the actions given, over as many episodes as they are enough for."""
    steps = []
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        assert info == {}
        steps.append((observation.tolist(), float(reward), terminated, truncated))
        if terminated or truncated:
            steps.append((env.reset()[0].tolist(), 0.0, False, False))
    return steps


def test_every_transition_of_the_reference() -> None:
    assert tuple(REFERENCE["observations"]) == OBSERVATIONS
    for row in REFERENCE["rows"]:
        env = TMazeEnv(row["length"])
        observation, _ = env.reset(options={"goal": row["goal"]})
        for _ in range(row["x"]):
            observation, *_ = env.step(RIGHT)
        assert env.position == (row["x"], 0), row
        assert seen(observation) == OBSERVATIONS[row["obs"]], row
        observation, reward, terminated, truncated, _ = env.step(ACTIONS.index(row["action"]))
        assert seen(observation) == OBSERVATIONS[row["next_obs"]], row
        assert (reward, terminated, truncated) == (row["reward"], row["terminal"], False), row
        assert env.position == (row["next_x"], row["next_y"]), row
        assert env.goal == row["goal"], row


def test_the_reference_is_complete() -> None:
    rows = {(row["length"], row["goal"], row["x"], row["action"]) for row in REFERENCE["rows"]}
    expected = {(n, *one) for n in (2, 5) for one in product(("up", "down"), range(n + 1), ACTIONS)}
    assert rows == expected and len(REFERENCE["rows"]) == len(expected)


@pytest.mark.parametrize("length", [2, 20])
@pytest.mark.parametrize("goal", ["up", "down"])
def test_the_best_return_is_4_in_one_step_more_than_the_length(length: int, goal: str) -> None:
    env = time_limited_t_maze(length)
    observation, _ = env.reset(options={"goal": goal})
    assert seen(observation) == goal
    rewards, ends, shown = [], [], []
    for action in [RIGHT] * length + [ACTIONS.index(goal)]:
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(reward)
        ends.append((terminated, truncated))
        shown.append(seen(observation))
    assert rewards == [0.0] * length + [4.0]
    assert ends == [(False, False)] * length + [(True, False)]
    assert shown == ["corridor"] * (length - 1) + ["junction"] * 2


def test_no_other_way_is_as_short_or_worth_more() -> None:
    for actions in product(range(4), repeat=5):  # all that the time limit for L = 2 allows
        env = time_limited_t_maze(2)
        env.reset(options={"goal": "down"})
        total, steps = 0.0, 0
        for action in actions:
            _, reward, terminated, truncated, _ = env.step(action)
            total, steps = total + float(reward), steps + 1
            if terminated or truncated:
                break
        assert total <= 4
        if total > 0:
            assert steps >= 3
            assert steps > 3 or actions[:3] == (RIGHT, RIGHT, DOWN)


@pytest.mark.parametrize("length", [2, 20])
def test_truncation_after_three_lengths_less_one(length: int) -> None:
    env = time_limited_t_maze(length)
    for _ in range(2):
        env.reset()
        ends = [env.step(LEFT)[2:4] for _ in range(3 * length - 1)]
        assert ends == [(False, False)] * (3 * length - 2) + [(False, True)]


@pytest.mark.parametrize("length", [2, 20])
def test_an_end_on_the_last_step_both_terminates_and_truncates(length: int) -> None:
    env = time_limited_t_maze(length)
    env.reset(options={"goal": "up"})
    actions = [LEFT] * (2 * length - 2) + [RIGHT] * length + [UP]
    assert len(actions) == 3 * length - 1
    results = [env.step(action)[1:4] for action in actions]
    assert results[-1] == (4.0, True, True)


@given(length=st.integers(2, 12), seed=st.integers(0, 2**31), stochasticity=st.sampled_from([0.0, 0.3, 1.0]))
def test_two_copies_with_the_same_seed_are_alike(length: int, seed: int, stochasticity: float) -> None:
    actions = np.random.default_rng(seed).integers(4, size=60)
    first, second = time_limited_t_maze(length, stochasticity), time_limited_t_maze(length, stochasticity)
    assert np.array_equal(first.reset(seed=seed)[0], second.reset(seed=seed)[0])
    assert rollout(first, actions) == rollout(second, actions)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_in_the_middle_of_an_episode_goes_on_alike(duplicate: Any) -> None:
    env = time_limited_t_maze(6, stochasticity=0.5)
    env.reset(seed=3)
    for _ in range(4):
        env.step(RIGHT)
    twin = duplicate(env)
    actions = np.random.default_rng(0).integers(4, size=200)
    assert rollout(twin, actions) == rollout(env, actions)


def test_both_goals_are_drawn_as_often() -> None:
    env = TMazeEnv(2)
    shown = [seen(env.reset(seed=0)[0]), *(seen(env.reset()[0]) for _ in range(3999))]
    # Five standard deviations: less than one in a million by chance.
    assert abs(shown.count("up") - 2000) < 5 * math.sqrt(4000 / 4)


def test_the_global_random_state_is_untouched() -> None:
    state: Any = np.random.get_state()
    env = TMazeEnv(4, stochasticity=0.5)
    env.reset()
    env.step(RIGHT)
    assert all(np.array_equal(before, after) for before, after in zip(state, np.random.get_state(), strict=True))


def test_without_stochasticity_a_step_draws_nothing() -> None:
    env = TMazeEnv(4)
    env.reset(seed=0, options={"goal": "up"})
    state = env.np_random.bit_generator.state
    for _ in range(4):
        env.step(RIGHT)
    assert env.np_random.bit_generator.state == state


def test_random_actions_are_as_frequent_as_they_should_be() -> None:
    stochasticity, trials = 0.4, 2000
    env = TMazeEnv(3, stochasticity)
    env.reset(seed=0)
    moves: list[int] = []
    while len(moves) < trials:
        env.reset()
        while env.position[0] == 0:  # to the second cell, where left and right both lead elsewhere
            env.step(RIGHT)
        x, _ = env.position
        _, reward, *_ = env.step(RIGHT)
        moves.append(env.position[0] - x)
        assert reward == (-0.1 if moves[-1] == 0 else 0.0)
    # One in four random actions is right itself; up and down bounce. Five standard deviations, three numbers.
    for move, probability in ((1, 1 - 3 * stochasticity / 4), (0, stochasticity / 2), (-1, stochasticity / 4)):
        bound = 5 * math.sqrt(trials * probability * (1 - probability))
        assert abs(moves.count(move) - trials * probability) < bound


def test_the_first_cell_is_stochastic_too_and_the_junction_is_not() -> None:
    env, trials = TMazeEnv(2, stochasticity=1.0), 1000
    env.reset(seed=0)
    left = 0
    for _ in range(trials):
        env.reset(options={"goal": "up"})
        env.step(LEFT)
        left += env.position[0]
        while env.position[0] < 2:
            env.step(RIGHT)
        assert env.step(UP)[1:3] == (4.0, True)
    assert abs(left - trials / 4) < 5 * math.sqrt(trials * 3 / 16)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"length": 1}, ValueError, "length must be at least 2, got 1"),
    ({"length": 5.0}, TypeError, "length must be an int, got float"),
    ({"length": True}, TypeError, "length must be an int, got bool"),
    ({"stochasticity": -0.1}, ValueError, r"stochasticity must lie in \[0, 1\], got -0.1"),
    ({"stochasticity": math.nan}, ValueError, r"stochasticity must lie in \[0, 1\], got nan"),
    ({"stochasticity": "0.1"}, TypeError, "stochasticity must be a number, got str"),
    ({"render_mode": "human"}, ValueError, "render_mode must be 'ansi', 'rgb_array' or None, got 'human'"),
])  # fmt: skip
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TMazeEnv(**arguments)


@pytest.mark.parametrize("action", [4, -1, 1.0, "up", None, np.array([1]), np.float32(1)])
def test_bad_actions(action: Any) -> None:
    env = TMazeEnv(3)
    env.reset()
    with pytest.raises(ValueError, match=r"action must be an integer in 0..3 \(right, up, left, down\), got"):
        env.step(action)
    assert env.position == (0, 0)


@pytest.mark.parametrize("action", [0, np.int64(0), np.uint8(0), np.array(0), False])
def test_what_the_action_space_holds_is_an_action(action: Any) -> None:
    env = TMazeEnv(3)
    env.reset()
    assert env.action_space.contains(action)
    env.step(action)
    assert env.position == (1, 0)


@pytest.mark.parametrize(("options", "message"), [
    ({"goal": "left"}, "goal must be 'up' or 'down', got 'left'"),
    ({"goal": 1}, "goal must be 'up' or 'down', got 1"),
    ({"goal": ["up"]}, r"goal must be 'up' or 'down', got \['up'\]"),
    ({"goal": np.array(["up", "up"])}, r"goal must be 'up' or 'down', got array\(\['up', 'up'\]"),
    ({"goals": "up"}, "options may hold 'goal', got 'goals'"),
])  # fmt: skip
def test_bad_options_leave_the_episode_as_it_is(options: dict[str, Any], message: str) -> None:
    env = TMazeEnv(3)
    env.reset(seed=0)
    env.step(RIGHT)
    state = env.np_random.bit_generator.state
    with pytest.raises(ValueError, match=message):
        env.reset(seed=1, options=options)
    assert env.position == (1, 0) and env.np_random.bit_generator.state == state


def test_nothing_before_a_reset() -> None:
    env = TMazeEnv(3, render_mode="ansi")
    for use in (lambda: env.step(RIGHT), env.render, lambda: env.position, lambda: env.goal):
        with pytest.raises(ResetNeeded, match="no episode has begun: call reset\\(\\) first"):
            use()


@pytest.mark.parametrize("end", [UP, DOWN])
def test_no_step_after_the_end(end: int) -> None:
    env = TMazeEnv(2)
    env.reset()
    for action in (RIGHT, RIGHT, end):
        env.step(action)
    with pytest.raises(ResetNeeded, match="the episode has ended: call reset\\(\\) before step\\(\\)"):
        env.step(LEFT)
    env.reset()
    env.step(LEFT)
