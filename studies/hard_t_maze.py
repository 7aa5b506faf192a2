"""The T-Maze, learned in a corridor of 20 steps and asked for in one of a million, with ordinary and with hard gates.

Run: python studies/hard_t_maze.py
"""

import time
from typing import Any

import gymnasium
import torch
from rows import Row, complete
from torch import Tensor

from multistable import init
from multistable.nn import GRU
from multistable.rl import DRQN, T_MAZE_EXPLORATION, TMazeVectorEnv, input_size, optimal_in_t_maze, train_drqn

TRAINED, HIDDEN, LAYERS, EPISODES, SEEDS = 20, 32, 2, 1000, 10
LENGTHS, PIECE = (20, 200, 10_000, 100_000, 1_000_000), 1000
RIGHT = 0  # the action that goes along the corridor


def agent(seed: int) -> DRQN:
    """An agent on a GRU of our own, with the paper's weights and chrono gates."""
    torch.manual_seed(seed)
    env = gymnasium.make("multistable/TMaze-v0", length=TRAINED)
    gru = init.paper_(GRU(input_size(env), HIDDEN, LAYERS), generator=seed)
    return DRQN(init.chrono_(gru, t_max=3 * TRAINED, generator=seed), num_actions=env.action_space.n)  # type: ignore[attr-defined]
