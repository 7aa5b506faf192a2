"""What Gymnasium makes of `multistable/TMaze-v0`."""

import importlib
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit

import multistable.rl
from multistable.rl import TMazeEnv, TMazeVectorEnv

ID = "multistable/TMaze-v0"


def limit(env: gymnasium.Env[Any, Any]) -> int | None:
    assert env.spec is not None
    return env.spec.max_episode_steps


def test_gymnasium_imports_the_module_that_the_id_names() -> None:
    code = f"""
import sys
import gymnasium
assert not any(name.startswith("multistable") for name in sys.modules)
for env in gymnasium.make("multistable.rl:{ID}", length=3), gymnasium.make_vec("multistable.rl:{ID}", num_envs=2):
    observation, _ = env.reset(seed=0)
    print(type(env.unwrapped).__name__, observation.shape)
"""
    finished = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "TMazeEnv (4,)\nTMazeVectorEnv (2, 4)\n"


def test_the_module_may_be_imported_again() -> None:
    registered = gymnasium.spec(ID)
    importlib.reload(multistable.rl)  # a warning that it is registered already would be an error
    assert gymnasium.spec(ID) is registered


@pytest.mark.parametrize("options", [{}, {"length": 2}, {"length": 30, "stochasticity": 0.3}])
def test_gymnasiums_checker(options: dict[str, Any]) -> None:
    check_env(gymnasium.make(ID, **options).unwrapped)


@pytest.mark.parametrize("length", [2, 20])
def test_the_time_limit_follows_from_the_length(length: int) -> None:
    env = gymnasium.make(ID, length=length)
    assert limit(env) == 3 * length - 1
    many: Any = gymnasium.make_vec(ID, num_envs=2, length=length)
    assert many.max_episode_steps == 3 * length - 1


def test_a_shorter_time_limit() -> None:
    env, many = gymnasium.make(ID, max_episode_steps=2), gymnasium.make_vec(ID, num_envs=3, max_episode_steps=2)
    env.reset()
    many.reset()
    assert [env.step(0)[3] for _ in range(2)] == [False, True]
    assert [many.step(np.zeros(3, np.int64))[3].tolist() for _ in range(2)] == [[False] * 3, [True] * 3]


def test_a_specification_makes_the_environment_anew() -> None:
    spec = gymnasium.make(ID, length=4, stochasticity=0.25).spec
    assert spec is not None
    again: Any = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()))
    assert limit(again) == 11
    assert (again.unwrapped.length, again.unwrapped.stochasticity) == (4, 0.25)
    again.reset(seed=0)
    assert [again.step(2)[3] for _ in range(11)] == [False] * 10 + [True]
    many: Any = gymnasium.make_vec(spec, num_envs=5)
    assert (many.num_envs, many.length, many.stochasticity, many.max_episode_steps) == (5, 4, 0.25, 11)


def test_what_gymnasium_makes() -> None:
    env, many = gymnasium.make(ID), gymnasium.make_vec(ID, num_envs=3, vectorization_mode="vector_entry_point")
    assert isinstance(env.unwrapped, TMazeEnv)
    assert isinstance(many, TMazeVectorEnv)
    assert many.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert many.single_action_space == env.action_space
    assert many.single_observation_space == env.observation_space
    assert isinstance(gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync"), gymnasium.vector.SyncVectorEnv)


def test_the_environment_alone_has_no_time_limit() -> None:
    env = TMazeEnv(2)
    env.reset()
    assert not any(env.step(2)[3] for _ in range(100))
    longer = TimeLimit(TMazeEnv(2), max_episode_steps=50)
    longer.reset()
    assert [longer.step(2)[3] for _ in range(50)] == [False] * 49 + [True]


def test_gymnasiums_wrapper_collects_images() -> None:
    env = gymnasium.make(ID, length=3, render_mode="rgb_array_list")
    env.reset()
    env.step(0)
    frames: Any = env.render()
    assert len(frames) == 2
    assert not np.array_equal(*frames)
