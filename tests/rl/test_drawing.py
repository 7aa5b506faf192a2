from typing import Any

import numpy as np
import pytest

from multistable.rl import TMazeEnv, TMazeVectorEnv

RIGHT, UP, LEFT, DOWN = range(4)


def test_text_shows_the_agent_and_the_goal() -> None:
    env = TMazeEnv(3, render_mode="ansi")
    env.reset(options={"goal": "up"})
    frames = [env.render()]
    for action in (RIGHT, RIGHT, RIGHT, DOWN):
        env.step(action)
        frames.append(env.render())
    assert frames[0] == "   G\nA...\n   x"
    assert frames[1] == "   G\n.A..\n   x"
    assert frames[3] == "   G\n...A\n   x"
    assert frames[4] == "   G\n....\n   A"
    env.reset(options={"goal": "down"})
    assert env.render() == "   x\nA...\n   G"


@pytest.mark.parametrize("length", [2, 30, 400])
@pytest.mark.parametrize("goal", ["up", "down"])
def test_an_image_shows_the_agent_and_the_goal(length: int, goal: str) -> None:
    env = TMazeEnv(length, render_mode="rgb_array")
    env.reset(options={"goal": goal})
    frames: list[Any] = [env.render()]
    for action in [RIGHT] * length + [UP]:
        env.step(action)
        frames.append(env.render())
    height, width, channels = frames[0].shape
    assert frames[0].dtype == np.uint8 and channels == 3
    assert height % 2 == width % 2 == 0
    size = height // 5
    assert width == size * (length + 3)

    def colour(frame: Any, x: int, y: int) -> tuple[int, ...]:
        """What is in the middle of a cell."""
        return tuple(frame[(2 - y) * size + size // 2, (1 + x) * size + size // 2].tolist())

    agent, floor, wall = colour(frames[0], 0, 0), colour(frames[0], 1, 0), tuple(frames[0][0, 0].tolist())
    up, down = colour(frames[0], length, 1), colour(frames[0], length, -1)
    assert len({agent, floor, wall, up, down}) == 5
    assert up == (0, 158, 115) if goal == "up" else down == (0, 158, 115)
    for x, frame in enumerate(frames[:-1]):
        assert [colour(frame, column, 0) == agent for column in range(length + 1)] == [
            column == x for column in range(length + 1)
        ]
        assert (colour(frame, length, 1), colour(frame, length, -1)) == (up, down)
    assert colour(frames[-1], length, 1) == agent and colour(frames[-1], length, 0) == floor


def test_images_stay_small() -> None:
    for length in range(2, 240):
        env = TMazeEnv(length, render_mode="rgb_array")
        env.reset()
        frame: Any = env.render()
        assert frame.shape[1] <= 1024


def test_an_image_is_the_callers_own() -> None:
    env = TMazeEnv(3, render_mode="rgb_array")
    env.reset()
    frame: Any = env.render()
    kept = frame.copy()
    frame[:] = 0
    assert np.array_equal(env.render(), kept)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_many_mazes_are_drawn_as_one_is(mode: str) -> None:
    envs = TMazeVectorEnv(2, length=3, render_mode=mode)
    envs.reset(options={"goal": ["up", "down"]})
    envs.step(np.array([RIGHT, LEFT]))
    frames = envs.render()
    assert frames is not None and len(frames) == 2
    for frame, goal, action in zip(frames, ("up", "down"), (RIGHT, LEFT), strict=True):
        env = TMazeEnv(3, render_mode=mode)
        env.reset(options={"goal": goal})
        env.step(action)
        assert np.array_equal(frame, env.render())  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [TMazeEnv, TMazeVectorEnv])
def test_without_a_render_mode_there_is_nothing_and_a_warning(make: Any) -> None:
    env = make()
    env.reset()
    with pytest.warns(UserWarning, match="without a render mode"):
        assert env.render() is None
