import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multistable.nn import NBRC, DoubleLayer
from multistable.rl import DRQN
from multistable.rl._replay_buffer import Episode, Transition
from multistable.rl._temporal_difference import TargetNetwork, td_loss, update

I, H, A, DISCOUNT = 5, 6, 3, 0.98

RECURRENT: dict[str, Any] = {
    "gru": lambda: nn.GRU(I, H, 2),
    "lstm": lambda: nn.LSTM(I, H, 2),
    "nbrc": lambda: NBRC(I, H, 2),
    "double gru": lambda: DoubleLayer(nn.GRU, I, H, 2),
    "double nbrc": lambda: DoubleLayer(NBRC, I, H, 2),
}
every = pytest.mark.parametrize("kind", RECURRENT)


def networks(kind: str) -> tuple[DRQN, DRQN]:
    """A network, and the one that its targets come from."""
    torch.manual_seed(0)
    return DRQN(RECURRENT[kind](), A).double(), DRQN(RECURRENT[kind](), A).double()


def episode(length: int, terminated: bool, seed: int) -> Episode:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(length + 1, I)).astype(np.float32)
    return Episode(inputs, rng.integers(A, size=length), rng.normal(size=length), terminated)


def all_of(*episodes: Episode) -> list[Transition]:
    return [(one, t) for one in episodes for t in range(len(one))]


def values(network: DRQN, history: Any) -> Tensor:
    """The values of actions after a history (T, I), by the module itself."""
    outputs, _ = network.recurrent(torch.from_numpy(history).double())
    result: Tensor = network.head(outputs[-1])
    return result


def reference_loss(network: DRQN, target_network: DRQN, transitions: list[Transition]) -> Tensor:
    """One transition after the other."""
    losses = []
    for one, t in transitions:
        with torch.no_grad():
            target = float(one.rewards[t])
            if not (one.terminated and t == len(one) - 1):
                target += DISCOUNT * values(target_network, one.inputs[: t + 2]).max().item()
        losses.append((values(network, one.inputs[: t + 1])[int(one.actions[t])] - target) ** 2)
    return torch.stack(losses).mean()


@every
def test_loss_and_gradients_are_those_of_one_transition_at_a_time(kind: str) -> None:
    network, target_network = networks(kind)
    episodes = [episode(length, terminated, length) for length, terminated in ((1, True), (9, True), (6, False))]
    drawn = all_of(*episodes)
    transitions = [drawn[index] for index in np.random.default_rng(0).integers(len(drawn), size=32)]
    target = TargetNetwork(target_network, DISCOUNT)
    target.prepare(episodes)
    loss = td_loss(network, transitions, target.targets(transitions))
    expected = reference_loss(network, target_network, transitions)
    assert abs(loss.item() - expected.item()) <= 1e-10 * max(1, expected.item())
    parameters = list(network.parameters())
    of_loss, of_expected = torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters)
    assert all(gradient.any() for gradient in of_expected)
    for ours, theirs in zip(of_loss, of_expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-10 * max(1, theirs.abs().max().item())


def test_nothing_follows_a_termination() -> None:
    _, target_network = networks("gru")
    target = TargetNetwork(target_network, DISCOUNT)
    ended = episode(4, True, 0)
    target.prepare([ended])
    assert target.targets([(ended, 3)])[0] == ended.rewards[3]
    assert target.targets([(ended, 2)])[0] != ended.rewards[2]


def test_the_sum_goes_on_behind_a_truncation() -> None:
    _, target_network = networks("gru")
    target = TargetNetwork(target_network, DISCOUNT)
    cut = episode(4, False, 0)
    target.prepare([cut])
    expected = cut.rewards[3] + DISCOUNT * values(target_network, cut.inputs).max().item()
    assert abs(target.targets([(cut, 3)])[0] - expected) <= 1e-12


def test_targets_do_not_depend_on_what_is_computed_together() -> None:
    _, target_network = networks("lstm")
    episodes = [episode(1 + length % 13, length % 3 == 0, length) for length in range(600)]
    together, alone = TargetNetwork(target_network, DISCOUNT), TargetNetwork(target_network, DISCOUNT)
    together.prepare(episodes)
    for one in episodes[::50]:
        alone.prepare([one])
        np.testing.assert_allclose(together.targets(all_of(one)), alone.targets(all_of(one)), rtol=1e-12, atol=1e-12)


def test_targets_stay_until_the_network_is_copied() -> None:
    network, _ = networks("gru")
    target = TargetNetwork(network, DISCOUNT)
    one = episode(4, False, 0)
    target.prepare([one])
    before = target.targets(all_of(one))
    with torch.no_grad():
        network.head.bias.add_(1)
    target.prepare([one])
    np.testing.assert_array_equal(target.targets(all_of(one)), before)
    target.copy(network)
    target.prepare([one])
    np.testing.assert_allclose(target.targets(all_of(one)), before + DISCOUNT, rtol=1e-12)


def test_an_update_is_a_step_of_adam_on_the_loss() -> None:
    network, target_network = networks("gru")
    expected = copy.deepcopy(network)
    one = episode(6, True, 0)
    target = TargetNetwork(target_network, DISCOUNT)
    target.prepare([one])
    ours, theirs = (torch.optim.Adam(which.parameters(), lr=1e-3) for which in (network, expected))
    for _ in range(3):
        loss = reference_loss(expected, target_network, all_of(one))
        found = update(network, ours, all_of(one), target.targets(all_of(one)))
        assert abs(found - loss.item()) <= 1e-10
        theirs.zero_grad()
        loss.backward()
        theirs.step()
    for mine, other in zip(network.parameters(), expected.parameters(), strict=True):
        # Adam divides by the gradient's size, so that rounding in gradients near zero counts for more.
        assert (mine - other).abs().max() <= 1e-8


def test_a_loss_that_is_not_finite_takes_no_step() -> None:
    network, _ = networks("gru")
    before = copy.deepcopy(network.state_dict())
    one = episode(2, True, 0)
    with pytest.raises(FloatingPointError, match="loss must be finite, got inf"):
        update(network, torch.optim.Adam(network.parameters()), all_of(one), np.array([math.inf, 0]))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
