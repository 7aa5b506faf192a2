"""The T-Maze, learned in a corridor of 20 steps and asked for in one of a million, with ordinary and with hard gates.

All agents are warmed up on the histories that they begin to learn from.

Run: python studies/hard_t_maze.py
"""

import time
from typing import Any

import gymnasium
import torch
from rows import Row, complete

from multistable import init
from multistable.nn import GRU
from multistable.rl import DRQN, T_MAZE_EXPLORATION, TMazeVectorEnv, evaluate, optimal_in_t_maze, train_drqn

TRAINED, HIDDEN, LAYERS, EPISODES, SEEDS = 20, 32, 2, 800, 10
LENGTHS, PIECE = (20, 200, 10_000, 100_000, 1_000_000), 1000
RIGHT, UP, DOWN = 0, 1, 3
# What an agent that goes right receives: its last action, the reward, and what it sees.
FIRST = [[0, 0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 0, 0]]  # the goal is up, and down
CORRIDOR, JUNCTION = [1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1]


def new_agent(seed: int) -> DRQN:
    """An agent on a GRU of our own, with the paper's weights."""
    torch.manual_seed(seed)
    return DRQN(init.paper_(GRU(len(CORRIDOR), HIDDEN, LAYERS), generator=seed), num_actions=4)


@torch.no_grad()
def walk(agent: DRQN, lengths: tuple[int, ...]) -> dict[str, bool]:
    """Whether the agent is optimal in corridors of these lengths, for both goals: right all the way, and then the goal.

    It is the greedy agent in the maze, whose inputs are known as long as it goes right: they need not be asked of it.
    """
    first = torch.tensor(FIRST, dtype=torch.float32)
    corridor, junction = (torch.tensor(one, dtype=torch.float32).expand(2, -1) for one in (CORRIDOR, JUNCTION))
    values, state = agent(first[None], agent.zero_state(2))
    right, steps, optimal = bool((values.argmax(-1) == RIGHT).all()), 1, {}
    for length in lengths:
        while right and steps < length:
            count = min(PIECE, length - steps)
            values, state = agent(corridor.expand(count, -1, -1), state)
            right, steps = bool((values.argmax(-1) == RIGHT).all()), steps + count
        end, _ = agent(junction[None], state)
        optimal[str(length)] = right and end.argmax(-1).flatten().tolist() == [UP, DOWN]
    return optimal


def learned(hard: bool, seed: int) -> Row:
    """When one agent was optimal first, and in which corridors it is at the end."""
    agent, began = new_agent(seed), time.perf_counter()
    result = train_drqn(
        agent,
        gymnasium.make("multistable/TMaze-v0", length=TRAINED),
        TMazeVectorEnv(50, TRAINED),
        episodes=EPISODES,
        exploration=T_MAZE_EXPLORATION,
        optimal=optimal_in_t_maze(TRAINED),
        warmup_options={},
        hardening_options={} if hard else None,
        generator=seed,
    )
    seconds = time.perf_counter() - began
    shares: list[Any] = [one.share_optimal for one in result.evaluations]
    optimal = walk(agent, LENGTHS)
    played = evaluate(agent, TMazeVectorEnv(50, 200), optimal=optimal_in_t_maze(200), seed=seed).share_optimal
    assert (played == 1) == optimal["200"]
    return {
        "first optimal": next(
            (episode for episode, share in zip(result.evaluated, shares, strict=True) if share == 1), None
        ),
        "evaluations": shares,
        "optimal": optimal,
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = [{"hard": hard, "seed": seed} for seed in range(SEEDS) for hard in (True, False)]
    complete("hard_t_maze", cases, learned)
