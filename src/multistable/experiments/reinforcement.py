"""Learning from reward: the T-Maze, and a deep recurrent Q-network in it."""

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multistable._utils.progress import progress_bar
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for
from multistable.experiments.folder import CHECKPOINT, METRICS, read_checkpoint, replacing, write_csv
from multistable.experiments.loggers import log, loggers_of
from multistable.experiments.measured import measured
from multistable.experiments.network import drawn
from multistable.experiments.subject import Row, Subject, Tested, Trained
from multistable.rl import (
    DRQN,
    T_MAZE_EXPLORATION,
    Evaluation,
    TMazeVectorEnv,
    evaluate,
    input_size,
    optimal_in_t_maze,
)
from multistable.rl._rules import time_limit
from multistable.rl.learner import Learner, Played, filled_buffer
from multistable.rl.replay_buffer import histories
from multistable.rl.rollouts import Explorer, rollout
from multistable.rl.t_maze import time_limited_t_maze

__all__ = ["Reinforcement"]

EPISODES = 20  # in an epoch: as many as there are between evaluations, and between copies of the network
_ROLLOUTS = 50
_CAPACITY, _DISCOUNT, _EPSILON, _UPDATES = 8192, 0.98, 0.2, 10
_EXPLORATION = np.array(T_MAZE_EXPLORATION)


class Reinforcement(Subject):
    """A deep recurrent Q-network that learns in a T-Maze, as `multistable.rl.train_drqn` does with its defaults.

    An epoch is 20 training episodes; all that is random in it stems from the run's seed and the epoch's number. After
    it, the copy of the network is renewed, and the agent without exploration is evaluated on 50 rollouts.

    Args:
        config: the settings, with the task `"t_maze"`.
    """

    network: DRQN
    metric = "share of optimal rollouts"
    higher_is_better = True

    def __init__(self, config: Config) -> None:
        assert config.length is not None and config.episodes is not None
        self._config, self._episodes = config, config.episodes
        longest = time_limit(config.length)
        if longest > _CAPACITY:
            raise ValueError(
                f"length must leave the longest episode, of 3 length - 1 steps, in a replay buffer of {_CAPACITY:,}, "
                f"got {config.length}"
            )
        self._env = time_limited_t_maze(config.length)
        around = partial(DRQN, num_actions=len(T_MAZE_EXPLORATION))
        self.network = drawn(config, around, input_size(self._env), t_max=longest, batch_first=False)
        self.recurrent = self.network.recurrent
        self._buffer = filled_buffer(self._env, _CAPACITY, _EXPLORATION, self._rng("buffer"))
        self.to_warm_up = self._histories()
        self.to_measure = self.to_warm_up[: config.measure_n]

    def first_row(self) -> Row:
        return self._row(0, [])

    def accept(self, checkpoint: dict[str, Any]) -> None:
        self._learner().load_state_dict(checkpoint["learner"])

    def train(self, rows: Sequence[Row], folder: Path, logger: str, progress: bool) -> Trained:
        learner, loggers = self._learner(), loggers_of(logger, self._config, folder)
        trained = Trained(list(rows), 0.0)
        if (folder / CHECKPOINT).exists():
            found = read_checkpoint(folder / CHECKPOINT, self._config, self.accept)
            learner.load_state_dict(found["learner"])
            trained = Trained(found["run"]["rows"], found["run"]["seconds"])
        epochs = math.ceil(self._episodes / EPISODES)
        for _ in progress_bar(epochs + 1 - len(trained.rows), f"epochs of {EPISODES} episodes", progress):
            trained = self._epoch(learner, trained)
            run = {"config": self._config.to_dict(), "rows": trained.rows, "seconds": trained.seconds}
            with replacing(folder / CHECKPOINT) as temporary:
                torch.save({"learner": learner.state_dict(), "run": run}, temporary)
            write_csv(folder / METRICS, trained.rows)
            log(loggers, trained.rows[-1])
        return trained

    def test(self, config: Config) -> Tested:
        assert config.length is not None
        found = self._evaluation(config.length, seed_for(self._config.seed, "test", config.length))
        assert found.share_optimal is not None
        return Tested(found.share_optimal, {"return": found.mean_return, "steps": found.mean_steps})

    def chance(self, config: Config) -> float:
        """Without memory, one turn at the junction serves one of two goals."""
        return 0.5

    def in_summary(self, rows: Sequence[Row]) -> dict[str, Any]:
        optimal = (row["episodes"] for row in rows if row["validation_metric"] == 1)
        return {"first_optimal": next(optimal, None)}

    def _histories(self) -> list[Tensor]:
        """What agents receive that act at random: those in the buffer, and others where it holds too few to measure."""
        explorer = Explorer(_EXPLORATION, self._rng("histories"))
        seeds = self._rng("mazes")
        missing = self._config.measure_n - len(list(self._buffer))
        others = [rollout(self._env, explorer, int(seeds.integers(2**31))) for _ in range(missing)]
        return histories([*self._buffer, *others], like=self.network.head.weight.detach())

    def _learner(self) -> Learner:
        """A learner that has learnt nothing so far."""
        return Learner(
            self.network,
            self._env,
            self._buffer,
            exploration=_EXPLORATION,
            epsilon=_EPSILON,
            discount=_DISCOUNT,
            lr=self._config.lr,
            batch_size=self._config.batch_size,
            updates=_UPDATES,
        )

    def _epoch(self, learner: Learner, trained: Trained) -> Trained:
        """What has been learnt after one epoch more."""
        epoch = len(trained.rows)
        since = time.perf_counter()
        rng = self._rng("episodes", epoch)
        count = min(EPISODES, self._episodes - EPISODES * (epoch - 1))
        played = [learner.play(rng) for _ in range(count)]
        learner.renew()
        seconds = trained.seconds + time.perf_counter() - since
        return Trained([*trained.rows, self._row(epoch, played)], seconds)

    def _row(self, epoch: int, played: list[Played]) -> Row:
        """What is known after an epoch: how episodes went, how the agent does, and at the chosen cadence VAA."""
        assert self._config.length is not None
        found = self._evaluation(self._config.length, seed_for(self._config.seed, "evaluation", epoch))
        episodes = min(EPISODES * epoch, self._episodes)
        due = epoch % self._config.measure_every == 0 or episodes == self._episodes
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
