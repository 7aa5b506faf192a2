"""The loop of deep recurrent Q-learning."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from statistics import fmean
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from multistable.nn import Hardening
from multistable.rl._agents import EpsilonGreedy, Greedy, Random
from multistable.rl._replay_buffer import ReplayBuffer, Transition
from multistable.rl._rollouts import rollout
from multistable.rl._settings import DRQNSettings
from multistable.rl._temporal_difference import TargetNetwork, update
from multistable.rl.drqn import DRQN

__all__ = ["Learner", "Period", "Played", "filled_buffer"]

_SEEDS = 2**31


class Played(NamedTuple):
    """What an episode brought: the sum of its rewards, its steps, and the mean loss of the updates after it."""

    total: float
    steps: int
    loss: float


class Period(NamedTuple):
    """The episodes between two evaluations, and the seconds that they and the updates after them took."""

    played: list[Played]
    seconds: float


class Learner:
    """Deep recurrent Q-learning as `train_drqn` describes it; changes the network and the buffer in place.

    The buffer must hold an episode. `exploration` holds the probabilities of random actions, (A,); `hardening` goes a
    step further with each update.
    """

    def __init__(
        self,
        network: DRQN,
        env: gymnasium.Env[Any, Any],
        buffer: ReplayBuffer,
        exploration: NDArray[np.float64],
        settings: DRQNSettings,
        hardening: Hardening | None = None,
    ) -> None:
        self.network = network
        self.buffer = buffer
        self._env, self._exploration, self._settings, self._hardening = env, exploration, settings, hardening
        self._target = TargetNetwork(network, settings.discount)
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(parameters, lr=settings.lr, fused=True)

    def learn(self, episodes: Iterable[int], rng_of: Callable[[int], np.random.Generator]) -> Iterator[Period]:
        """Play episodes, learn after each, and pause where an evaluation is due and after the last.

        Args:
            episodes: their numbers, in order, counted from 0 at the beginning of training.
            rng_of: the number of a period, from 0 -> what draws all that is random in it.

        Yields:
            What each period brought.

        Raises:
            ValueError: an observation or reward is NaN or infinite, or an episode is longer than the capacity.
            FloatingPointError: a value of an action or the loss is NaN or infinite.
        """
        for period, numbers in groupby(episodes, lambda number: number // self._settings.evaluation_period):
            since, rng, played = time.perf_counter(), rng_of(period), []
            for number in numbers:
                played.append(self.play(rng))
                if (number + 1) % self._settings.target_period == 0:
                    self._target.copy(self.network)
            yield Period(played, time.perf_counter() - since)

    def play(self, rng: np.random.Generator) -> Played:
        """Play one episode and learn from those in the buffer; all that is random is drawn from `rng`."""
        random, greedy = Random(self._exploration, rng), Greedy(self.network, 1)
        agent = EpsilonGreedy(random, greedy, self._settings.epsilon, rng)
        episode = rollout(self._env, agent, int(rng.integers(_SEEDS)))
        self.buffer.add(episode)
        self._target.prepare(self.buffer)
        settings = self._settings
        drawn = [self.buffer.sample(settings.batch_size, rng) for _ in range(settings.updates_per_episode)]
        loss = fmean(self._update(some) for some in drawn)
        return Played(float(episode.rewards.sum()), len(episode), loss)

    def _update(self, transitions: Sequence[Transition]) -> float:
        loss = update(self.network, self.optimizer, transitions, self._target.targets(transitions))
        if self._hardening is not None:
            self._hardening.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """What learning goes on with; complete only where a period ends with a copy, as it lacks the target network."""
        return {
            **({} if self._hardening is None else {"hardening": self._hardening.state_dict()}),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "buffer": self.buffer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned; raise where it does not fit."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.buffer.load_state_dict(state["buffer"])
        if self._hardening is not None:
            self._hardening.load_state_dict(state["hardening"])
        self._target.copy(self.network)


def filled_buffer(
    env: gymnasium.Env[Any, Any], capacity: int, exploration: NDArray[np.float64], rng: np.random.Generator
) -> ReplayBuffer:
    """A replay buffer full of episodes of random actions, with the probabilities `exploration`; raises as `learn`."""
    buffer = ReplayBuffer(capacity)
    agent = Random(exploration, rng)
    while buffer.add(rollout(env, agent, int(rng.integers(_SEEDS)))) == 0:
        pass
    return buffer
