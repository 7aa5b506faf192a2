"""The loss of a deep recurrent Q-network: the squared error of temporal differences."""

import copy
import math
from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from multistable.rl._replay_buffer import Episode, Transition
from multistable.rl.drqn import DRQN, as_inputs

__all__ = ["TargetNetwork", "td_loss", "update"]

_TOGETHER = 256  # episodes that the target network runs along at once


class TargetNetwork:
    """A copy of the network, and the targets r + discount * max_a Q'(history up to t + 1, a) that it sets.

    Nothing follows a termination: there the target is r. Where a time limit cut an episode off, the sum goes on with
    what the episode would have brought.

    The copy stays the same over many updates, and a single run along an episode gives all of its targets. So it runs
    along each episode once, with all others whose targets are not known, rather than once per transition drawn.
    """

    def __init__(self, network: DRQN, discount: float) -> None:
        self._network = copy.deepcopy(network)
        self._discount = discount
        self._known: WeakKeyDictionary[Episode, NDArray[np.float64]] = WeakKeyDictionary()

    def copy(self, network: DRQN) -> None:
        """Take over the weights of `network`, and forget all targets."""
        self._network.load_state_dict(network.state_dict())
        self._known.clear()

    def prepare(self, episodes: Iterable[Episode]) -> None:
        """Compute the targets of those episodes whose targets are not known yet."""
        unknown = sorted((episode for episode in episodes if episode not in self._known), key=len)
        for first in range(0, len(unknown), _TOGETHER):
            together = unknown[first : first + _TOGETHER]
            inputs = _padded([episode.inputs for episode in together])
            with torch.inference_mode():
                values, _ = self._network(as_inputs(inputs, self._network))
            best = values.amax(-1).double().cpu().numpy()
            for row, episode in enumerate(together):
                following = best[1 : len(episode) + 1, row].copy()
                following[-1] *= not episode.terminated
                self._known[episode] = episode.rewards + self._discount * following

    def targets(self, transitions: Sequence[Transition]) -> NDArray[np.float64]:
        """The targets of transitions of episodes that `prepare` was given, (B,)."""
        return np.array([self._known[episode][t] for episode, t in transitions])


def td_loss(network: DRQN, transitions: Sequence[Transition], targets: NDArray[np.float64]) -> Tensor:
    """The mean over transitions of (Q(history up to t, action) - target)^2."""
    inputs = _padded([episode.inputs[: t + 1] for episode, t in transitions])
    steps = [(t + 1, int(episode.actions[t])) for episode, t in transitions]
    lengths, actions = torch.tensor(steps, device="cpu").unbind(1)
    values = network.last_values(as_inputs(inputs, network), lengths)
    chosen = values.gather(1, actions[:, None].to(values.device))[:, 0]
    return F.mse_loss(chosen, torch.as_tensor(targets).to(values))


def update(
    network: DRQN, optimizer: torch.optim.Optimizer, transitions: Sequence[Transition], targets: NDArray[np.float64]
) -> float:
    """Take a step of the optimiser on `td_loss`, unless that is NaN or infinite, and return the loss before it."""
    loss = td_loss(network, transitions, targets)
    value = loss.item()
    if not math.isfinite(value):
        raise FloatingPointError(f"loss must be finite, got {value}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return value


def _padded(sequences: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Sequences (T_b, I) side by side, (T, B, I), with zeros behind their ends."""
    padded = np.zeros((max(map(len, sequences)), len(sequences), sequences[0].shape[1]), np.float32)
    for row, sequence in enumerate(sequences):
        padded[: len(sequence), row] = sequence
    return padded
