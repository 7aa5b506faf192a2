"""How many attractors are reached in recurrent modules of other packages, new and after a warmup?

Run: python studies/third_party.py, with ncps, minGRU-pytorch, mambapy and xlstm installed.
"""

from collections.abc import Callable
from typing import Any

import torch
from rows import Row, complete
from torch import Tensor, nn

from multistable import attractors, measure, warmup
from multistable.dynamics import as_complex, as_real, dynamics, register

INPUTS, UNITS, LENGTH, SEQUENCES, SEEDS, HORIZON = 4, 16, 30, 64, 3, 2_000


class LRU(nn.Module):
    """x' = λ x + B u, with |λ| < 1 (Orvieto et al. 2023, arXiv:2303.06349)."""

    def __init__(self) -> None:
        super().__init__()
        self.nu = nn.Parameter(torch.rand(UNITS).mul(0.99).add(0.005).log().neg().log())
        self.theta = nn.Parameter(6.28 * torch.rand(UNITS))
        self.B = nn.Parameter(torch.randn(UNITS, INPUTS, dtype=torch.complex64) / INPUTS**0.5)

    def forward(self, u: Tensor, x: Tensor) -> Tensor:
        return torch.polar((-self.nu.exp()).exp(), self.theta) * x + u.to(self.B.dtype) @ self.B.T


class S5(nn.Module):
    """x' = exp(Δ Λ) x + (exp(Δ Λ) - 1) / Λ B u, where the real part of Λ is below zero (Smith et al. 2023)."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.full((UNITS,), 0.5).log())
        self.frequency = nn.Parameter(3.14 * torch.arange(UNITS))
        self.B = nn.Parameter(torch.randn(UNITS, INPUTS, dtype=torch.complex64) / INPUTS**0.5)
        self.pace = nn.Parameter(torch.empty(UNITS).uniform_(-6.9, -2.3))

    def forward(self, u: Tensor, x: Tensor) -> Tensor:
        eigenvalues = torch.complex(-self.rate.exp(), self.frequency)
        kept = (self.pace.exp() * eigenvalues).exp()
        return kept * x + (u.to(self.B.dtype) @ self.B.T) * (kept - 1) / eigenvalues


for _kind in (LRU, S5):
    register(
        _kind,
        lambda module, s, u: as_real(module(u, as_complex(s))),
        input_size=lambda _: INPUTS,
        state_size=lambda _: 2 * UNITS,
    )


def continuous(kind: str, **options: Any) -> nn.Module:
    import ncps.torch

    made: nn.Module = getattr(ncps.torch, kind)(INPUTS, UNITS, **options)
    return made


def mingru() -> nn.Module:
    from minGRU_pytorch import minGRU

    made: nn.Module = minGRU(INPUTS, expansion_factor=UNITS / INPUTS)
    return made


def mamba() -> nn.Module:
    from mambapy.mamba import MambaBlock, MambaConfig

    made: nn.Module = MambaBlock(MambaConfig(d_model=INPUTS, n_layers=1, d_state=4))
    return made


def slstm(recurrent: str) -> nn.Module:
    from xlstm.blocks.slstm.layer import sLSTMLayer, sLSTMLayerConfig

    config = sLSTMLayerConfig(
        embedding_dim=UNITS, num_heads=2, backend="vanilla", bias_init="standard", recurrent_weight_init=recurrent
    )
    layer = sLSTMLayer(config)
    layer.reset_parameters()
    made: nn.Module = layer
    return made


CELLS: dict[str, Callable[[], nn.Module]] = {
    "minGRU": mingru,
    "LRU": LRU,
    "S5": S5,
    "Mamba block": mamba,
    "CfC": lambda: continuous("CfC"),
    "CfC, pure": lambda: continuous("CfC", mode="pure"),
    "CfC, no gate": lambda: continuous("CfC", mode="no_gate"),
    "LTC": lambda: continuous("LTC"),
    "sLSTM, from recurrent weights of 0": lambda: slstm("zeros"),
    "sLSTM": lambda: slstm("standard"),
}

CASES = [{"cell": cell, "seed": seed} for seed in range(SEEDS) for cell in CELLS]


def reached(module: nn.Module, inputs: Tensor, seed: int) -> Row:
    """VAA, and what is certain of the same states."""
    measured = measure(module, inputs, horizon=HORIZON, n=SEQUENCES, generator=seed)
    found = attractors(module, inputs, n=SEQUENCES, generator=seed)
    return {
        "vaa": round(measured.vaa, 4),
        "residual": float(f"{measured.residual:.2g}"),
        "certified": round(found.certified, 4),
        "count": found.count,
        "shares": {kind: share for kind, share in found.shares.items() if share > 0},
    }


def study(cell: str, seed: int) -> Row:
    """What is found in one module."""
    torch.manual_seed(seed)
    module = CELLS[cell]()
    (layer,) = dynamics(module)
    inputs = torch.randn(SEQUENCES, LENGTH, layer.input_size)
    if cell in ("LRU", "S5"):
        inputs = inputs.transpose(0, 1)
    new = reached(module, inputs, seed)
    result = warmup(module, inputs, generator=seed)
    return {"states": layer.state_size, "new": new, "status": result.status, "after": reached(module, inputs, seed)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("third_party", CASES, study)
