import re
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from multistable.rl import TMazeEnv, input_size
from multistable.rl._encoding import Encoding

BOX = spaces.Box(-1, 1, (2, 3), np.float64)


def test_action_then_reward_then_observation() -> None:
    encoding = Encoding(spaces.Discrete(3), BOX)
    observations = np.arange(12).reshape(2, 2, 3) / 12
    first = encoding.first(observations)
    assert first.dtype == np.float32 and encoding.input_size == first.shape[1] == 10
    np.testing.assert_array_equal(first[:, :4], 0)
    np.testing.assert_array_equal(first[:, 4:], observations.reshape(2, 6).astype(np.float32))
    later = encoding.following(np.array([2, 0]), [0.5, -1.0], observations)
    np.testing.assert_array_equal(later[:, :4], [[0, 0, 1, 0.5], [1, 0, 0, -1]])
    np.testing.assert_array_equal(later[:, 4:], first[:, 4:])


def test_discrete_observations_are_one_hot_and_both_spaces_may_start_anywhere() -> None:
    encoding = Encoding(spaces.Discrete(2, start=5), spaces.Discrete(3, start=-1))
    np.testing.assert_array_equal(encoding.first([-1, 1, 0])[:, 3:], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(encoding.named(np.array([0, 1])), [5, 6])
    assert encoding.input_size == 2 + 1 + 3


@pytest.mark.parametrize("space", [spaces.Box(0, 255, (4, 4), np.uint8), spaces.Discrete(4, start=2)])
def test_any_sample_of_a_space_is_encoded_as_it_is_flattened(space: Any) -> None:
    space.seed(0)
    samples = [space.sample() for _ in range(5)]
    encoding = Encoding(spaces.Discrete(2), space)
    np.testing.assert_array_equal(encoding.first(samples)[:, 3:], [spaces.flatten(space, one) for one in samples])


def test_input_size_of_the_t_maze() -> None:
    assert input_size(TMazeEnv(length=3)) == 9


@pytest.mark.parametrize(
    ("actions", "observations", "message"),
    [
        (spaces.Box(-1, 1, (2,)), BOX, "env must have discrete actions (gymnasium.spaces.Discrete), got Box(-1.0, 1.0"),
        (spaces.MultiDiscrete([2, 2]), BOX, "env must have discrete actions (gymnasium.spaces.Discrete), got Multi"),
        (spaces.Discrete(2), spaces.MultiBinary(3), "observations in a Discrete or Box space, got MultiBinary(3)"),
        (spaces.Discrete(2), spaces.Dict(a=BOX), "observations in a Discrete or Box space, got Dict("),
    ],
)
def test_other_spaces(actions: Any, observations: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        Encoding(actions, observations)
