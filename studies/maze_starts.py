"""What starts are worth to an agent in a T-Maze: after how many episodes, and seconds, it is optimal first.

A start sees histories of an agent that acts at random, all as long as the shortest way to the goal. Seconds are the
processor's, the start's own among them.

Run: python studies/maze_starts.py
"""

import time

import gymnasium
import numpy as np
import torch
from rows import Row, complete
from starts import STARTS, started
from starts_learning import COMMON
from torch import Tensor

from multistable import measure
from multistable.rl import DRQN, T_MAZE_EXPLORATION, TMazeVectorEnv, optimal_in_t_maze, train_drqn
from multistable.rl._learner import filled_buffer

LENGTH, LAYERS, EPISODES, HISTORIES, SEEDS = 20, 1, 400, 200, 3
N, HORIZON = 64, 2_000  # of VAA


def histories(seed: int) -> Tensor:
    """What agents receive that act at random, (T, B, I)."""
    env = gymnasium.make("multistable/TMaze-v0", length=LENGTH)
    rng = np.random.default_rng(seed)
    buffer = filled_buffer(env, 3 * LENGTH * HISTORIES, np.array(T_MAZE_EXPLORATION), rng)
    first = [torch.from_numpy(episode.inputs[: LENGTH + 1]) for episode in buffer]
    return torch.stack(first[:HISTORIES], 1).float()


def learned(cell: str, start: str, seed: int) -> Row:
    """How an agent does as it learns."""
    inputs = histories(7000 + seed)
    rnn, cost = started(cell, start, inputs, seed, LAYERS)
    vaa = measure(rnn, inputs, n=N, horizon=HORIZON, generator=seed).vaa
    torch.manual_seed(seed)
    agent, began = DRQN(rnn, num_actions=len(T_MAZE_EXPLORATION)), time.process_time()
    result = train_drqn(
        agent,
        gymnasium.make("multistable/TMaze-v0", length=LENGTH),
        TMazeVectorEnv(50, LENGTH),
        episodes=EPISODES,
        exploration=T_MAZE_EXPLORATION,
        optimal=optimal_in_t_maze(LENGTH),
        generator=seed,
    )
    return {
        "length": LENGTH,
        "vaa before training": round(vaa, 4),
        "seconds of the start": round(cost, 2),
        "seconds of training": round(time.process_time() - began, 1),
        "evaluated": result.evaluated,
        "optimal": [one.share_optimal for one in result.evaluations],
    }


CASES = [
    {"cell": cell, "start": name, "seed": seed}
    for seed in range(SEEDS)
    for name, start in STARTS.items()
    for cell in COMMON
    if cell in start.cells and not start.readout_first
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("maze_starts", CASES, learned)
