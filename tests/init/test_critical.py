"""`critical_`: the spectral radius at rest by autograd, and how many stable equilibria there are on either side."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import attractors, fixed_points, init
from multistable.dynamics import dynamics
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer, set_hardness

KINDS: list[Callable[..., Any]] = [nn.RNN, nn.GRU, nn.LSTM, MGU, BRC, NBRC, GRU, LSTM]
GATED = KINDS[1:]
H = 6


def at_rest(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Where the origin goes without input, and the eigenvalues there."""
    (layer,) = dynamics(module)
    origin, u = torch.zeros(layer.state_size, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda s: layer.step(s[None], u)[0])(origin)
    return layer.step(origin[None], u)[0].detach(), torch.linalg.eigvals(jacobian.detach())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [lambda module: module, lambda module: init.chrono_(module, 50, generator=0)])
def test_the_radius_at_rest_is_one_whatever_the_gates_are(kind: Callable[..., Any], start: Callable[..., Any]) -> None:
    for seed in range(3):
        module = kind(1, H, dtype=torch.float64)
        module = module if kind is nn.RNN else start(module)
        after, eigenvalues = at_rest(init.critical_(module, generator=seed))
        assert not after.any()
        radius = eigenvalues.abs().max().item()
        assert radius == pytest.approx(1, abs=1e-9)
        # A pitchfork, no oscillation: the eigenvalue itself is 1, not -1.
        assert eigenvalues.real.max().item() == pytest.approx(1, abs=1e-9)
        assert eigenvalues.imag.abs().max() < 1e-7


@pytest.mark.parametrize(("kind", "place"), [(nn.RNN, 0), (nn.GRU, 2), (nn.LSTM, 2), (MGU, 1)])
def test_the_weights_that_theory_has_for_gates_without_bias(kind: Callable[..., Any], place: int) -> None:
    module = kind(1, H, bias=False, dtype=torch.float64)
    init.critical_(module, 1.1, generator=0)
    matrix = module.weight_hh_l0.detach().split(H)[place]
    assert torch.equal(matrix, matrix.T)
    eigenvalues = torch.linalg.eigvalsh(matrix)
    expected = 1.1 if kind is nn.RNN else 2.2
    assert eigenvalues[-1].item() == pytest.approx(expected)
    assert eigenvalues[0] > -expected


@pytest.mark.parametrize("kind", KINDS)
def test_one_stable_equilibrium_below_and_a_pair_above(kind: Callable[..., Any]) -> None:
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * H)
    states = torch.cat([signs, 2 * signs], 1) if kind in (nn.LSTM, LSTM) else signs
    below = init.critical_(kind(1, H, dtype=torch.float64), 0.95, generator=1)
    found = fixed_points(below, states=states, u=0, generator=0)
    assert found.count == 1 and found.stable.all() and found.points.abs().max() < 1e-9
    above = init.critical_(kind(1, H, dtype=torch.float64), 1.05, generator=1)
    reached = attractors(above, states=states, u=0, generator=0)
    stable = torch.stack([one.state for one in reached.attractors])
    assert reached.shares["equilibrium"] == 1 and stable.abs().amax(1).min() > 1e-2
    # h and -h are equilibria together; of units that see only themselves, all sign patterns are.
    assert len(stable) == reached.count == (2**H if kind in (BRC, NBRC) else 2)
    assert torch.cdist(stable, -stable).amin(1).max() < 1e-6


def test_a_hard_gate_that_holds_nothing_at_rest() -> None:
    module = GRU(1, H, dtype=torch.float64, hardness=0.2)
    _, eigenvalues = at_rest(init.critical_(module, generator=0))
    assert eigenvalues.abs().max().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("module", "kind"), [
    (lambda: init.chrono_(GRU(1, H, hardness=1.0), 1000, generator=0), "GRU"),
    (lambda: init.chrono_(LSTM(1, H, hardness=1.0), 1000, generator=0), "LSTM"),
    (lambda: init.chrono_(MGU(1, H, hardness=1.0), 1000, generator=0), "MGU"),
])  # fmt: skip
def test_units_that_are_held_whatever_the_weights(module: Callable[[], nn.Module], kind: str) -> None:
    with pytest.raises(ValueError, match=f"critical_ takes layers that hold no unit at rest, got {kind} with a hard"):
        init.critical_(module())


def test_a_refusal_changes_no_part() -> None:
    double = DoubleLayer(GRU, 1, 2 * H)
    set_hardness(init.chrono_(double.second[0], 1000, generator=0), 1.0)
    before = [parameter.detach().clone() for parameter in double.parameters()]
    with pytest.raises(ValueError, match="critical_ takes layers that hold no unit at rest"):
        init.critical_(double)
    assert all(torch.equal(one, parameter) for one, parameter in zip(before, double.parameters(), strict=True))


@pytest.mark.parametrize(("module", "gain", "error", "message"), [
    (nn.RNN(1, H), 0.0, ValueError, "gain must be finite and above 0, got 0.0"),
    (nn.RNN(1, H), math.nan, ValueError, "gain must be finite and above 0, got nan"),
    (nn.RNN(1, H), "1", TypeError, "gain must be a number, got str"),
    (BRC(1, H), 2.0, ValueError, "gain must be below 2 for BRC, got 2.0"),
    (NBRC(1, H, bias=False), 1.0, ValueError, "critical_ sets biases, got NBRC with bias=False"),
    (nn.LSTM(1, H, proj_size=2), 1.0, ValueError, "critical_ needs states that are not projected, got LSTM with proj"),
    (nn.RNN(1, H, nonlinearity="relu"), 1.0, TypeError, "critical_ takes RNN with nonlinearity='tanh', got 'relu'"),
])  # fmt: skip
def test_what_it_refuses(module: nn.Module, gain: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        init.critical_(module, gain)
