import re
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn

from multistable.rl import DRQN, TMazeEnv, TMazeVectorEnv, evaluate, optimal_in_t_maze


def expert() -> DRQN:
    """Solves a T-Maze of any length below a hundred: the first unit holds the goal, one up and minus one down."""
    network = DRQN(rnn := nn.RNN(9, 2), 4)
    head = network.head
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        rnn.get_parameter("weight_hh_l0")[0, 0] = 2
        rnn.get_parameter("weight_ih_l0")[0, 5:7] = torch.tensor([10.0, -10.0])
        rnn.get_parameter("weight_ih_l0")[1, 8] = 10  # the second unit sees the junction
        head.bias[0] = 0.5
        head.weight[1] = torch.tensor([1.0, 1.5])
        head.weight[3] = torch.tensor([-1.0, 1.5])
        head.bias[[1, 3]] = -1.0
    return network


@pytest.mark.parametrize("length", [2, 20])
def test_an_expert_is_optimal_in_every_rollout(length: int) -> None:
    evaluation = evaluate(
        expert(), TMazeVectorEnv(num_envs=20, length=length), optimal=optimal_in_t_maze(length), seed=0
    )
    assert evaluation.to_dict() == {"mean_return": 4.0, "mean_steps": length + 1, "share_optimal": 1.0}


def test_who_forgets_is_optimal_where_the_guess_is_right() -> None:
    network = expert()
    with torch.no_grad():
        network.get_parameter("recurrent.weight_hh_l0").zero_()
        network.head.bias[1] += 0.1  # up
    envs = TMazeVectorEnv(num_envs=20, length=5)
    envs.reset(seed=0)
    share = float(np.mean(envs.goals == "up"))
    assert 0 < share < 1
    evaluation = evaluate(network, envs, optimal=optimal_in_t_maze(5), seed=0)
    assert evaluation.share_optimal == share
    assert evaluation.mean_return == pytest.approx(4 * share - 0.1 * (1 - share), rel=1e-12)


def test_without_a_criterion_there_is_no_share() -> None:
    assert evaluate(expert(), TMazeVectorEnv(num_envs=2, length=5)).share_optimal is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_device_and_dtype(dtype: torch.dtype, device: torch.device) -> None:
    network = expert().to(device, dtype)
    evaluation = evaluate(network, TMazeVectorEnv(num_envs=4, length=3), optimal=optimal_in_t_maze(3))
    assert evaluation.share_optimal == 1


def test_the_criterion_wants_return_4_in_one_step_more_than_the_length() -> None:
    optimal = optimal_in_t_maze(5)(np.array([4.0, 4.0, 3.9, -0.1]), np.array([6, 7, 7, 6]))
    np.testing.assert_array_equal(optimal, [True, False, False, False])
    with pytest.raises(ValueError, match="length must be at least 2, got 1"):
        optimal_in_t_maze(1)


class Continuous(gymnasium.Env[Any, Any]):
    action_space = gymnasium.spaces.Box(-1, 1, (1,))
    observation_space = gymnasium.spaces.Discrete(2)


DISABLED = SyncVectorEnv([TMazeEnv], autoreset_mode=AutoresetMode.DISABLED)


@pytest.mark.parametrize(
    ("network", "envs", "options", "error", "message"),
    [
        (nn.GRU(9, 2), TMazeVectorEnv(), {}, TypeError, "network must be a multistable.rl.DRQN, got GRU"),
        (expert(), TMazeEnv(), {}, TypeError, "as gymnasium.make_vec makes, got a single one"),
        (expert(), "TMaze", {}, TypeError, "envs must be a gymnasium.vector.VectorEnv, as gymnasium.make_vec makes"),
        (
            expert(),
            DISABLED,
            {},
            ValueError,
            "envs must begin new episodes by themselves, got autoreset_mode",
        ),
        (
            expert(),
            SyncVectorEnv([Continuous]),
            {},
            TypeError,
            "env must have discrete actions (gymnasium.spaces.Discrete)",
        ),
        (DRQN(nn.GRU(8, 2), 3), TMazeVectorEnv(), {}, ValueError, "network must have 9 inputs and 4 actions"),
        (expert(), TMazeVectorEnv(), {"optimal": 4.0}, TypeError, "optimal must be a function (returns, steps)"),
    ],
)
def test_bad_arguments(network: Any, envs: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        evaluate(network, envs, **options)
