"""Learning from reward: the T-Maze, and a deep recurrent Q-network in it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from torch import Tensor

from multistable._utils.progress import progress_bar
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for
from multistable.experiments.experiment import Experiment, Row, Tested, Trained, measured
from multistable.experiments.loggers import log, loggers_of
from multistable.experiments.network import drawn, hardening_of
from multistable.experiments.store import (
    CHECKPOINT,
    METRICS,
    check_finite,
    check_optimizer,
    read_checkpoint,
    write_checkpoint,
    write_csv,
)
from multistable.rl import (
    DRQN,
    T_MAZE_EXPLORATION,
    Evaluation,
    TMazeVectorEnv,
    evaluate,
    input_size,
    optimal_in_t_maze,
)
from multistable.rl._agents import Random
from multistable.rl._learner import Learner, Played, filled_buffer
from multistable.rl._rollouts import rollout
from multistable.rl._rules import time_limit
from multistable.rl._settings import DRQNSettings
from multistable.rl.drqn import as_inputs
from multistable.rl.t_maze import time_limited_t_maze

__all__ = ["Reinforcement"]

_ROLLOUTS = 50  # in an evaluation
_EXPLORATION = np.array(T_MAZE_EXPLORATION)


class Reinforcement(Experiment):
    """A deep recurrent Q-network that learns in a T-Maze, as with `multistable.rl.train_drqn` and its defaults.

    An epoch is the training episodes from one evaluation to the next, 20; the run's seed and the epoch's number decide
    all that is random in it. After it, the agent without exploration is evaluated on 50 rollouts.

    Args:
        config: the settings, with the task `"t_maze"`.

    Raises:
        ValueError: the replay buffer is too small for an episode in so long a maze.
    """

    network: DRQN

    def __init__(self, config: Config) -> None:
        assert config.length is not None and config.episodes is not None
        self._config = config
        self.metric, self.higher_is_better = config.of_task.metric, config.of_task.higher_is_better
        self._settings = DRQNSettings(
            episodes=config.episodes,
            lr=config.lr,
            batch_size=config.batch_size,
            # A checkpoint does not hold the target network, so a copy must be made where an epoch ends.
            evaluation_period=DRQNSettings.target_period,
        )
        longest = time_limit(config.length)
        if longest > self._settings.capacity:
            raise ValueError(
                f"length must leave the longest episode, of 3 length - 1 steps, in a replay buffer of "
                f"{self._settings.capacity:,}, got {config.length}"
            )
        self._env = time_limited_t_maze(config.length)
        around = partial(DRQN, num_actions=len(T_MAZE_EXPLORATION))
        self.network = drawn(config, around, input_size(self._env), t_max=longest, batch_first=False)
        self.recurrent = self.network.recurrent
        self._buffer = filled_buffer(self._env, self._settings.capacity, _EXPLORATION, self._rng("buffer"))
        self.to_warm_up = self._histories()
        self.to_measure = self.to_warm_up[: config.measure_n]

    def first_row(self) -> Row:
        return self._row(0, [])

    def accept(self, checkpoint: dict[str, Any]) -> None:
        learner = self._learner()
        check_optimizer(checkpoint["learner"]["optimizer"], learner.optimizer)
        learner.load_state_dict(checkpoint["learner"])
        check_finite(self.network.state_dict())

    def train(self, rows: Sequence[Row], folder: Path, logger: str, progress: bool) -> Trained:
        learner, loggers = self._learner(), loggers_of(logger, self._config, folder)
        trained = Trained(list(rows), 0.0)
        if (folder / CHECKPOINT).exists():
            found = read_checkpoint(folder / CHECKPOINT, self._config, self.accept)
            learner.load_state_dict(found["learner"])
            trained = Trained(found["run"]["rows"], found["run"]["seconds"])
        done = trained.rows[-1]["episodes"]
        numbers = progress_bar(self._settings.episodes - done, "episodes", progress)
        for period in learner.learn((done + number for number in numbers), self._rng_of_period):
            row = self._row(len(trained.rows), period.played)
            trained = Trained([*trained.rows, row], trained.seconds + period.seconds)
            run = {"config": self._config.to_dict(), "rows": trained.rows, "seconds": trained.seconds}
            write_checkpoint(folder / CHECKPOINT, {"learner": learner.state_dict(), "run": run})
            write_csv(folder / METRICS, trained.rows)
            log(loggers, row)
        return trained

    def test(self, config: Config) -> Tested:
        assert config.length is not None
        found = self._evaluation(config.length, seed_for(self._config.seed, "test", config.length))
        assert found.share_optimal is not None
        return Tested(found.share_optimal, {"return": found.mean_return, "steps": found.mean_steps})

    def chance(self, config: Config) -> float:
        return config.of_task.chance

    def in_summary(self, rows: Sequence[Row]) -> dict[str, Any]:
        optimal = (row["episodes"] for row in rows if row["validation_metric"] == 1)
        return {"first_optimal": next(optimal, None)}

    def _histories(self) -> list[Tensor]:
        """What random agents receive: those in the buffer, and others if it holds too few to measure with."""
        agent, seeds = Random(_EXPLORATION, self._rng("histories")), self._rng("mazes")
        missing = self._config.measure_n - len(list(self._buffer))
        others = [rollout(self._env, agent, int(seeds.integers(2**31))) for _ in range(missing)]
        return [as_inputs(episode.inputs, self.network) for episode in (*self._buffer, *others)]

    def _learner(self) -> Learner:
        """A learner that has learnt nothing so far."""
        steps = self._settings.episodes * self._settings.updates_per_episode
        hardening = hardening_of(self._config, self.recurrent, steps)
        return Learner(self.network, self._env, self._buffer, _EXPLORATION, self._settings, hardening)

    def _row(self, epoch: int, played: list[Played]) -> Row:
        """What is known after an epoch: how episodes went, how the agent does, and at the chosen cadence VAA."""
        assert self._config.length is not None
        found = self._evaluation(self._config.length, seed_for(self._config.seed, "evaluation", epoch))
        episodes = min(self._settings.evaluation_period * epoch, self._settings.episodes)
        due = epoch % self._config.measure_every == 0 or episodes == self._settings.episodes
        multistability = measured(self._config, self.recurrent, self.to_measure) if due else None
        return {
            "epoch": epoch,
            "episodes": episodes,
            "train_loss": fmean(one.loss for one in played) if played else None,
            "train_return": fmean(one.total for one in played) if played else None,
            "validation_return": found.mean_return,
            "validation_steps": found.mean_steps,
            "validation_metric": found.share_optimal,
            "vaa": multistability.vaa if multistability else None,
            "residual": multistability.residual if multistability else None,
        }

    def _evaluation(self, length: int, seed: int) -> Evaluation:
        envs = TMazeVectorEnv(_ROLLOUTS, length)
        return evaluate(self.network, envs, optimal=optimal_in_t_maze(length), seed=seed)

    def _rng(self, *purpose: str | int) -> np.random.Generator:
        return np.random.default_rng(seed_for(self._config.seed, *purpose))

    def _rng_of_period(self, period: int) -> np.random.Generator:
        """Periods count from 0, epochs from 1: the epoch 0 is before training."""
        return self._rng("episodes", period + 1)
