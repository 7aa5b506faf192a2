"""An agent that learns: all that goes on from one episode to the next."""

from statistics import fmean
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from multistable.rl._temporal_difference import Targets, update
from multistable.rl.drqn import DRQN
from multistable.rl.replay_buffer import ReplayBuffer
from multistable.rl.rollouts import Explorer, Greedy, rollout

__all__ = ["Learner", "Played", "filled_buffer"]

_SEEDS = 2**31


class Played(NamedTuple):
    """What an episode brought: the sum of its rewards, its steps, and the mean loss of the updates after it."""

    total: float
    steps: int
    loss: float


class Learner:
    """Deep recurrent Q-learning, an episode at a time; what `train_drqn` says of it.

    Args:
        network: the network, changed in place.
        env: the environment.
        buffer: a replay buffer with an episode at least, changed in place.
        exploration: the probabilities of actions that are drawn at random, (A,).
        epsilon: how often they are drawn.
        discount: the factor by which a reward counts less with each step that it is ahead.
        lr: Adam's learning rate.
        batch_size: transitions in an update.
        updates: updates after each episode.
    """

    def __init__(
        self,
        network: DRQN,
        env: gymnasium.Env[Any, Any],
        buffer: ReplayBuffer,
        *,
        exploration: NDArray[np.float64],
        epsilon: float,
        discount: float,
        lr: float,
        batch_size: int,
        updates: int,
    ) -> None:
        self.network = network
        self.buffer = buffer
        self._env, self._exploration, self._epsilon = env, exploration, epsilon
        self._batch_size, self._updates = batch_size, updates
        self._targets = Targets(network, discount)
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)

    def play(self, rng: np.random.Generator) -> Played:
        """Play an episode, and learn from those in the buffer; all that is random is drawn from `rng`.

        Raises:
            ValueError: an observation or reward is NaN or infinite, or the episode is longer than the capacity.
            FloatingPointError: a value of an action or the loss is NaN or infinite.
        """
        agent = Explorer(self._exploration, rng, Greedy(self.network, 1), self._epsilon)
        episode = rollout(self._env, agent, int(rng.integers(_SEEDS)))
        self.buffer.add(episode)
        self._targets.prepare(self.buffer)
        drawn = [self.buffer.sample(self._batch_size, rng) for _ in range(self._updates)]
        loss = fmean(update(self.network, self._optimizer, some, self._targets.of(some)) for some in drawn)
        return Played(float(episode.rewards.sum()), len(episode), loss)

    def renew(self) -> None:
        """Renew the copy of the network that targets are computed with."""
        self._targets.copy(self.network)

    def state_dict(self) -> dict[str, Any]:
        """All that learning goes on with, in tensors and plain values, right after `renew` or before all learning.

        At another moment the copy would have to be kept, too.
        """
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "buffer": self.buffer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            KeyError: something is missing.
            RuntimeError: the weights are those of another network.
            ValueError: the optimiser's state is another network's, or the buffer's is no buffer's.
        """
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.buffer.load_state_dict(state["buffer"])
        self.renew()


def filled_buffer(
    env: gymnasium.Env[Any, Any], capacity: int, exploration: NDArray[np.float64], rng: np.random.Generator
) -> ReplayBuffer:
    """A replay buffer full of episodes of random actions.

    Args:
        env: the environment.
        capacity: transitions in the buffer.
        exploration: the probabilities of actions, (A,).
        rng: draws actions, and seeds the environment.

    Raises:
        ValueError: an observation or reward is NaN or infinite, or an episode is longer than the capacity.
    """
    buffer = ReplayBuffer(capacity)
    explorer = Explorer(exploration, rng)
    while buffer.add(rollout(env, explorer, int(rng.integers(_SEEDS)))) == 0:
        pass
    return buffer
