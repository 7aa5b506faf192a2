import copy
import itertools
import json
import math
import pickle
import re
from dataclasses import fields
from inspect import signature
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from torch import nn

from multistable.nn import GRU, DoubleLayer
from multistable.rl import (
    DRQN,
    T_MAZE_EXPLORATION,
    DRQNResult,
    Evaluation,
    TMazeVectorEnv,
    optimal_in_t_maze,
    train_drqn,
)
from multistable.rl._evaluate import evaluate
from multistable.rl._learner import Learner
from multistable.rl._settings import DRQNSettings

MAZE = "multistable/TMaze-v0"


def make(length: int = 2) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(MAZE, length=length)


def build(recurrent: Any = nn.GRU, seed: int = 0) -> DRQN:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DRQN(recurrent(9, 8), 4)


def train(network: DRQN, length: int = 2, **options: Any) -> DRQNResult:
    given = {"episodes": 5, "capacity": 100, "evaluation_period": 2, "target_period": 2, "generator": 0} | options
    return train_drqn(network, make(length), TMazeVectorEnv(num_envs=4, length=length), **given)


def same(one: DRQN, other: DRQN) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def without_seconds(result: DRQNResult) -> dict[str, Any]:
    kept = result.to_dict()
    del kept["seconds"]
    if kept["warmup"] is not None:
        del kept["warmup"]["seconds"]
    return kept


def test_it_learns_to_remember() -> None:
    torch.manual_seed(0)
    network = DRQN(nn.GRU(9, 16), 4)
    options: dict[str, Any] = {"episodes": 60, "lr": 3e-3, "capacity": 2000, "evaluation_period": 10, "generator": 0}
    envs = TMazeVectorEnv(num_envs=50, length=2)
    result = train_drqn(network, make(2), envs, exploration=T_MAZE_EXPLORATION, optimal=optimal_in_t_maze(2), **options)
    # Without memory, at most the rollouts to one of the goals are optimal. With it, all are after 40 episodes: so it
    # was for eight seeds of eight.
    assert result.evaluations[0].share_optimal == 0
    assert result.first_optimal is not None


def test_what_it_returns() -> None:
    result = train(build(), optimal=optimal_in_t_maze(2))
    assert len(result.returns) == len(result.steps) == len(result.losses) == 5
    assert all(1 <= steps <= 5 for steps in result.steps)
    assert all(-0.5 <= value <= 4 for value in result.returns)
    assert result.evaluated == (0, 2, 4) and len(result.evaluations) == 3
    assert result.warmup is None and result.seconds > 0
    assert json.loads(json.dumps(result.to_dict()))["evaluations"][0] == result.evaluations[0].to_dict()
    last = result.evaluations[-1]
    assert repr(result) == (
        f"DRQNResult(5 episodes; mean return {last.mean_return:.2f}, {last.share_optimal:.0%} of rollouts optimal "
        "after 4)"
    )
    assert repr(train(build())).endswith(" after 4)") and "optimal" not in repr(train(build()))


def test_the_first_optimal_evaluation() -> None:
    def result(*shares: float | None) -> DRQNResult:
        evaluations = tuple(Evaluation(0, 0, share) for share in shares)
        return DRQNResult((), (), (), tuple(range(0, 20 * len(shares), 20)), evaluations, None, 0)

    assert result(0, 0.5, 1, 0.9, 1).first_optimal == 40
    assert result(0, 0.99).first_optimal is None
    assert result(None, None).first_optimal is None


@pytest.mark.parametrize("warmup_options", [None, {"steps": 2, "horizon": 5}])
def test_a_seed_decides_everything_and_nothing_global_is_touched(warmup_options: Any) -> None:
    before, numpy_before = torch.get_rng_state(), pickle.dumps(np.random.get_state())
    some, others, different = build(), build(), build()
    first, second, third = (
        train(network, generator=seed, warmup_options=warmup_options)
        for network, seed in ((some, 0), (others, torch.Generator().manual_seed(0)), (different, 1))
    )
    assert without_seconds(first) == without_seconds(second) != without_seconds(third)
    assert same(some, others) and not same(some, different)
    assert torch.equal(torch.get_rng_state(), before)
    assert pickle.dumps(np.random.get_state()) == numpy_before


def test_gates_become_hard_in_the_course_of_all_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build(GRU)
    seen = []
    play = Learner.play

    def noting(learner: Learner, rng: np.random.Generator) -> Any:
        played = play(learner, rng)
        seen.append(round(network.recurrent.get_buffer("hardness").item(), 6))
        return played

    monkeypatch.setattr(Learner, "play", noting)
    train(network, episodes=5, updates_per_episode=2, hardening_options={"start": 0.2, "end": 0.6, "to": 0.4})
    assert seen == [0, 0.2, 0.4, 0.4, 0.4]
    assert without_seconds(train(build(GRU))) == without_seconds(train(build(GRU)))


def test_what_fails_leaves_the_hardness_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build(GRU)
    calls = itertools.count()

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 2:
            raise FloatingPointError("in an evaluation")
        return evaluate(*arguments, **options)

    monkeypatch.setattr("multistable.rl._train_drqn.evaluate", failing)
    before = copy.deepcopy(network)
    with pytest.raises(FloatingPointError, match="^in an evaluation$"):
        train(network, hardening_options={"start": 0, "end": 0.5})
    assert same(network, before) and network.recurrent.get_buffer("hardness") == 0


def test_a_warmup_comes_first_and_changes_the_first_parts_alone() -> None:
    network = build(lambda *sizes: DoubleLayer(nn.GRU, *sizes))
    result = train(network, episodes=1, warmup_options={"steps": 3, "horizon": 5})
    assert result.warmup is not None
    assert result.warmup.history.layers == ("first.0.l0",) and len(result.warmup.history.loss) == 3
    assert json.loads(json.dumps(result.to_dict()))["warmup"]["history"]["layers"] == ["first.0.l0"]


def test_only_what_requires_a_gradient_changes_and_no_gradient_is_left() -> None:
    network = build()
    network.recurrent.requires_grad_(False)
    before = copy.deepcopy(network)
    train(network)
    assert same(network.recurrent, before.recurrent)  # type: ignore[arg-type]
    assert not torch.equal(network.head.weight, before.head.weight)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_any_recurrent_layer_and_float64(device: torch.device) -> None:
    for recurrent in (nn.LSTM, lambda *sizes: DoubleLayer(nn.LSTM, *sizes), nn.GRUCell):
        network = build(recurrent).double().to(device)
        before = copy.deepcopy(network)
        train(network, episodes=1, warmup_options={"steps": 1, "horizon": 5})
        assert not torch.equal(network.head.weight, before.head.weight)


def test_the_documented_defaults_are_those_of_the_settings() -> None:
    for setting in fields(DRQNSettings):
        documented = rf"    {setting.name}: [^:]*; {setting.default:,} by default\."
        assert re.search(documented, train_drqn.__doc__ or ""), setting.name
        assert signature(train_drqn).parameters[setting.name].default == setting.default


def test_the_progress_bar_counts_episodes(capsys: pytest.CaptureFixture[str]) -> None:
    train(build(), progress=True)
    shown = capsys.readouterr().err
    assert "deep recurrent Q-learning: 100%" in shown and "5/5" in shown


def test_another_environment_and_uniform_exploration() -> None:
    env = gymnasium.make("CartPole-v1")
    envs = gymnasium.make_vec("CartPole-v1", num_envs=3)
    network = DRQN(nn.GRU(2 + 1 + 4, 8), 2)
    result = train_drqn(network, env, envs, episodes=2, capacity=100, evaluation_period=1, generator=0)
    assert result.evaluated == (0, 1, 2)
    assert result.evaluations[0].mean_return == result.evaluations[0].mean_steps


class Broken(gymnasium.Env[Any, Any]):
    """Ends after three steps; its fourth episode brings a reward that is no number."""

    action_space = spaces.Discrete(4)
    observation_space = spaces.Box(0, 1, (4,), np.float32)

    def __init__(self) -> None:
        self.episodes = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.episodes += 1
        return np.zeros(4, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(4, np.float32), math.nan if self.episodes == 4 else 1.0, False, False, {}


def test_a_failure_leaves_the_network_as_it_was() -> None:
    network = build()
    network.head.weight.grad = torch.ones_like(network.head.weight)
    before = copy.deepcopy(network)
    with pytest.raises(ValueError, match="observations and rewards must be finite, got NaN or infinity"):
        # Two episodes fill the buffer, the third and fourth are the agent's.
        train_drqn(network, TimeLimit(Broken(), 3), TMazeVectorEnv(), capacity=3, generator=0)
    assert same(network, before)
    assert torch.equal(network.head.weight.grad, torch.ones(4, 8))


def test_an_episode_longer_than_the_buffer() -> None:
    with pytest.raises(ValueError, match=r"capacity must hold an episode of \d+ transitions, got 2"):
        train(build(), length=20, capacity=2)


class Untouchable(gymnasium.Env[Any, Any]):
    """No work may begin before all arguments are checked."""

    action_space: spaces.Space[Any] = spaces.Discrete(4)
    observation_space = spaces.Box(0, 1, (4,), np.float32)

    def reset(self, **options: Any) -> Any:
        raise AssertionError("the environment was used")


class Continuous(Untouchable):
    action_space = spaces.Box(-1, 1, (1,))


DISABLED = TMazeVectorEnv(autoreset_mode="Disabled")
OTHER_SPACES = (
    "evaluation_envs must have the spaces of env, Discrete(4) and Box(0.0, 1.0, (4,), float32), got Discrete(2) and Box"
)
HALVES = "exploration must sum to 1, got (0.5, 0.5, 0.5, 0.5), which sum to 2.0"
OPTIONS = (
    "warmup_options may hold objective, steps, lr, target, horizon, horizon_increment, tol, batch_size, max_prefix, "
    "layers, forward, callback, progress, got 'step'"
)


def frozen() -> DRQN:
    return build().requires_grad_(False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": nn.GRU(9, 8)}, TypeError, "network must be a multistable.rl.DRQN, got GRU"),
        ({"network": DRQN(nn.GRU(9, 8), 3)}, ValueError, "network must have 9 inputs and 4 actions"),
        ({"network": frozen()}, ValueError, "network must have a parameter that requires a gradient"),
        ({"env": Continuous()}, TypeError, "env must have discrete actions (gymnasium.spaces.Discrete), got Box"),
        ({"env": TMazeVectorEnv()}, TypeError, "env must be a gymnasium.Env, as gymnasium.make makes, got TMaze"),
        ({"evaluation_envs": Untouchable()}, TypeError, "evaluation_envs must be a gymnasium.vector.VectorEnv"),
        ({"evaluation_envs": DISABLED}, ValueError, "evaluation_envs must begin new episodes by themselves"),
        ({"evaluation_envs": gymnasium.make_vec("CartPole-v1")}, ValueError, OTHER_SPACES),
        ({"episodes": 0}, ValueError, "episodes must be at least 1, got 0"),
        ({"episodes": 1.5}, TypeError, "episodes must be an int, got float"),
        ({"discount": 1.1}, ValueError, "discount must lie in [0, 1], got 1.1"),
        ({"discount": "0.9"}, TypeError, "discount must be a number, got str"),
        ({"epsilon": -0.1}, ValueError, "epsilon must lie in [0, 1], got -0.1"),
        ({"lr": math.nan}, ValueError, "lr must be finite and above 0, got nan"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"updates_per_episode": 0}, ValueError, "updates_per_episode must be at least 1, got 0"),
        ({"target_period": 0}, ValueError, "target_period must be at least 1, got 0"),
        ({"evaluation_period": 0}, ValueError, "evaluation_period must be at least 1, got 0"),
        ({"capacity": 0}, ValueError, "capacity must be at least 1, got 0"),
        ({"exploration": (0.5, 0.5)}, ValueError, "exploration must hold 4 probabilities, one for each action"),
        ({"exploration": (0.5, 0.5, 0.5, 0.5)}, ValueError, HALVES),
        ({"exploration": (1.5, -0.5, 0, 0)}, ValueError, "exploration must lie in [0, 1], got 1.5"),
        ({"optimal": 4}, TypeError, "optimal must be a function (returns, steps) -> booleans or None"),
        ({"hardening_options": 0.3}, TypeError, "hardening_options must be a mapping or None, got float"),
        ({"hardening_options": {"steps": 3}}, ValueError, "hardening_options may hold start, end, to, got 'steps'"),
        (
            {"hardening_options": {"start": 0.9}, "network": build(GRU)},
            ValueError,
            "start must come before end, got start=0.9 and end=0.8",
        ),
        (
            {"hardening_options": {}, "network": DRQN(nn.GRU(9, 8), 4)},
            ValueError,
            "model must be or hold a recurrent layer of multistable.nn, got GRU without one",
        ),
        ({"warmup_options": True}, TypeError, "warmup_options must be a mapping or None, got bool"),
        ({"warmup_options": {"step": 3}}, ValueError, OPTIONS),
        ({"warmup_options": {"generator": 3}}, ValueError, "progress, got 'generator'"),
        ({"generator": "0"}, TypeError, "generator must be a torch.Generator, an int or None, got str"),
    ],
)
def test_bad_arguments_are_named_before_any_work(options: Any, error: type[Exception], message: str) -> None:
    given = {"network": build(), "env": Untouchable(), "evaluation_envs": TMazeVectorEnv()} | options
    with pytest.raises(error, match=re.escape(message)):
        train_drqn(**given)
