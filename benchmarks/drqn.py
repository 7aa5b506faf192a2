"""Deep recurrent Q-learning in a T-Maze of length 20 with the paper's settings: updates, rollouts, a whole training.

Run: python benchmarks/drqn.py
"""

import copy
import time
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch
from side_by_side import median_seconds, write
from torch import Tensor, nn

from multistable.nn import NBRC, DoubleLayer
from multistable.rl import DRQN, T_MAZE_EXPLORATION, TMazeVectorEnv, optimal_in_t_maze, train_drqn
from multistable.rl._agents import Greedy
from multistable.rl._learner import filled_buffer
from multistable.rl._replay_buffer import Transition
from multistable.rl._rollouts import rollout, rollouts
from multistable.rl._temporal_difference import TargetNetwork, update

LENGTH, HIDDEN, LAYERS, BATCH, REPEATS = 20, 32, 2, 32, 21
INPUTS, ACTIONS, DISCOUNT, CAPACITY, EPISODES = 9, 4, 0.98, 8192, 2000
FEW = 40  # training episodes that are timed, in two parts
MANY = 1000  # agents in a vectorised environment, beside the 50 of an evaluation
EXPLORATION = np.array(T_MAZE_EXPLORATION)

CELLS: dict[str, Any] = {"GRU": nn.GRU, "LSTM": nn.LSTM, "nBRC": NBRC, "GRU, doubled": partial(DoubleLayer, nn.GRU)}


def build(cell: str) -> DRQN:
    """A new network."""
    torch.manual_seed(0)
    return DRQN(CELLS[cell](INPUTS, HIDDEN, LAYERS), ACTIONS)


def maze() -> gymnasium.Env[Any, Any]:
    """A single environment."""
    return gymnasium.make("multistable/TMaze-v0", length=LENGTH)


def transcribed_update(
    network: DRQN, target_network: DRQN, optimizer: torch.optim.Optimizer, transitions: list[Transition]
) -> None:
    """The same update as the formula says it: each history runs alone through both networks."""

    def values(of: DRQN, history: Any) -> Tensor:
        outputs, _ = of.recurrent(torch.from_numpy(history)[:, None])
        result: Tensor = of.head(outputs[-1, 0])
        return result

    losses = []
    for episode, t in transitions:
        target = torch.tensor(episode.rewards[t])
        if not (episode.terminated and t == len(episode) - 1):
            with torch.no_grad():
                target = target + DISCOUNT * values(target_network, episode.inputs[: t + 2]).max()
        losses.append((values(network, episode.inputs[: t + 1])[int(episode.actions[t])] - target) ** 2)
    optimizer.zero_grad()
    torch.stack(losses).mean().backward()
    optimizer.step()


def updates(cell: str, threads: int) -> dict[str, Any]:
    """An update after an episode, a tenth of that episode's targets included, beside the transcription."""
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    # As at the beginning of training: random episodes, most of them 3 L - 1 steps long.
    buffer, network = filled_buffer(maze(), CAPACITY, EXPLORATION, rng), build(cell)
    plain, target_network = build(cell), build(cell)
    target = TargetNetwork(network, DISCOUNT)
    target.prepare(buffer)
    ours, theirs = (torch.optim.Adam(one.parameters(), lr=1e-3, fused=True) for one in (network, plain))

    def ten_updates(_: int) -> None:
        # A copy has no targets yet, as an episode that has just been played.
        buffer.add(copy.copy(next(iter(buffer))))
        target.prepare(buffer)
        for _ in range(10):
            transitions = buffer.sample(BATCH, rng)
            update(network, ours, transitions, target.targets(transitions))

    seconds = median_seconds(
        {
            "update": ten_updates,
            "transcription": lambda _: transcribed_update(plain, target_network, theirs, buffer.sample(BATCH, rng)),
            "all targets": lambda _: TargetNetwork(network, DISCOUNT).prepare(buffer),
        },
        REPEATS,
    )
    seconds["update"] /= 10
    return {
        "cell": cell,
        "threads": threads,
        "median milliseconds": {name: round(1e3 * value, 2) for name, value in seconds.items()},
        "transcription / update": round(seconds["transcription"] / seconds["update"], 1),
    }


def acting() -> dict[str, Any]:
    """Steps per second of new agents in the maze, many at once beside one after the other."""
    torch.set_num_threads(1)
    network, env = build("GRU"), maze()
    single, fifty, many = "single", "50 at once", f"{MANY:,} at once"
    # An agent that has learnt nothing goes nowhere until time is up: 3 L - 1 steps.
    steps = {single: 3 * LENGTH - 1, fifty: 50 * (3 * LENGTH - 1), many: MANY * (3 * LENGTH - 1)}
    envs = {fifty: TMazeVectorEnv(50, LENGTH), many: TMazeVectorEnv(MANY, LENGTH)}
    tasks: dict[str, Any] = {single: lambda turn: rollout(env, Greedy(network, 1), turn)}
    tasks |= {
        name: lambda turn, some=some: rollouts(some, Greedy(network, some.num_envs), turn)
        for name, some in envs.items()
    }
    assert len(tasks[single](0)) == steps[single]
    assert all((tasks[name](0)[1] == steps[single]).all() for name in envs)
    per_second = {name: steps[name] / value for name, value in median_seconds(tasks, REPEATS).items()}
    return {
        "cell": "GRU",
        "threads": 1,
        "steps per second": {name: round(value) for name, value in per_second.items()},
        f"{fifty} / single": round(per_second[fifty] / per_second[single], 1),
        f"{many} / single": round(per_second[many] / per_second[single], 1),
    }


def training() -> dict[str, Any]:
    """Wall time of the first episodes, and what 2,000 would take at that pace.

    The pace is that of agents that have learnt little: those that know the way take a third of the steps.
    """
    torch.set_num_threads(1)
    seconds = []
    for episodes in (FEW // 2, FEW):
        start = time.perf_counter()
        train_drqn(
            build("GRU"),
            maze(),
            TMazeVectorEnv(50, LENGTH),
            episodes=episodes,
            exploration=T_MAZE_EXPLORATION,
            optimal=optimal_in_t_maze(LENGTH),
            generator=0,
        )
        seconds.append(time.perf_counter() - start)
    per_episode = (seconds[1] - seconds[0]) / (FEW - FEW // 2)
    return {
        "cell": "GRU",
        "threads": 1,
        f"seconds for {FEW} episodes": round(seconds[1], 2),
        "seconds for an episode more": round(per_episode, 4),
        f"seconds for {EPISODES:,} episodes, extrapolated": round(seconds[1] + (EPISODES - FEW) * per_episode),
    }


if __name__ == "__main__":
    rows = [updates(cell, threads) for cell in CELLS for threads in (1, 2)]
    write("drqn", [*rows, acting(), training()])
