"""Complex states and parameters: linear recurrences as a user writes them, LRU and S5."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import attractors, measure, warmup
from multistable.dynamics import as_complex, as_real, record, register, registry, stacks


@pytest.fixture(autouse=True)
def _afterwards_no_type_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ADAPTERS", dict(registry._ADAPTERS))


class LRU(nn.Module):
    """x' = λ x + B u, complex, with |λ| < 1 (Orvieto et al. 2023)."""

    def __init__(self, dtype: torch.dtype = torch.complex64) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 2, 6
        self.nu = nn.Parameter(torch.linspace(-1, 1, 3, dtype=dtype.to_real()))
        self.theta = nn.Parameter(torch.linspace(0, 3, 3, dtype=dtype.to_real()))
        self.B = nn.Parameter(torch.randn(3, 2, dtype=dtype))

    def eigenvalues(self) -> Tensor:
        return torch.polar((-self.nu.exp()).exp(), self.theta)

    def forward(self, u: Tensor, x: Tensor) -> Tensor:
        return self.eigenvalues() * x + u.to(self.B.dtype) @ self.B.T


class S5(nn.Module):
    """x' = exp(Δ Λ) x + (exp(Δ Λ) - 1) / Λ B u, which is dx = Λ x + B u in discrete time (Smith et al. 2023)."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 2, 6
        self.Lambda = nn.Parameter(torch.complex(-torch.ones(3) / 2, torch.arange(3.0)))
        self.B = nn.Parameter(torch.randn(3, 2, dtype=torch.complex64))

    def forward(self, u: Tensor, x: Tensor) -> Tensor:
        kept = (0.1 * self.Lambda).exp()
        return kept * x + (u.to(self.B.dtype) @ self.B.T) * (kept - 1) / self.Lambda


class Scans(nn.Module):
    """Runs a complex cell over a sequence in two goes."""

    def __init__(self, cell: LRU | S5) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        x: Tensor = torch.ones(inputs.shape[1], 3, dtype=self.cell.B.dtype)
        for u in inputs:
            x = self.cell(u, x)
        return x.real


@pytest.mark.parametrize("kind", [LRU, S5])
def test_a_complex_linear_recurrence_has_one_attractor(kind: Any) -> None:
    register(kind, lambda module, s, u: as_real(module(u, as_complex(s))))
    torch.manual_seed(0)
    model, inputs = Scans(kind()), torch.randn(9, 20, 2)
    (stack,) = stacks(model)
    (seen,) = record(model, [stack], inputs, torch.Generator())
    assert seen.state is not None and torch.equal(seen.state, torch.tensor([1.0, 0.0] * 3).expand(20, -1))
    with torch.no_grad():
        torch.testing.assert_close(as_complex(stack.run(seen.inputs, seen.state)).real, model(inputs))
    found = attractors(model, inputs, generator=0)
    assert (found.count, found.shares["equilibrium"]) == (1, 1)
    # At x = B u / (1 - λ), and there is no other.
    exact = stack.in_float64().module
    zero = torch.zeros(1, 3, dtype=torch.complex128)
    with torch.no_grad():
        driven = exact(found.u[None], zero)
        kept = exact(found.u[None], zero + 1) - driven
        torch.testing.assert_close(
            as_complex(found.attractors[0].state), (driven / (1 - kept))[0], rtol=1e-9, atol=1e-9
        )
    assert found.attractors[0].spectral_radius == pytest.approx(kept.abs().max().item())
    before = {name: one.clone() for name, one in model.named_parameters()}
    result = warmup(model, inputs, steps=2, horizon=3, generator=0)
    assert all(not torch.equal(before[name], one) for name, one in model.named_parameters())
    assert result.after.states.dtype == torch.float32


def test_the_real_view_of_a_complex_state() -> None:
    z = torch.complex(torch.arange(12.0).view(4, 3), -torch.arange(12.0).view(4, 3))
    assert torch.equal(as_complex(as_real(z)), z)
    assert torch.equal(as_real(z)[:, 2:4], torch.stack([z[:, 1].real, z[:, 1].imag], -1))


def test_complex_parameters_that_are_not_finite() -> None:
    register(LRU, lambda module, s, u: as_real(module(u, as_complex(s))))
    module = LRU()
    module.B.data[0, 0] = torch.tensor(complex(0, float("inf")))
    with pytest.raises(ValueError, match="^parameters of 'cell' must be finite, got NaN or infinity$"):
        measure(module, torch.randn(5, 4, 2), horizon=3)
