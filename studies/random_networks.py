"""Random networks: what `attractors` says of them, and what 60,000 further steps say of that.

Run: python studies/random_networks.py [CELL ...]
"""

import sys
from collections import Counter
from typing import Any

import torch
from rows import Row, complete
from torch import Tensor, nn

from multistable import Attractor, attractors
from multistable.dynamics import register, stacks
from multistable.nn import BRC, MGU, NBRC

NETWORKS, N, LENGTH, HORIZON, LATER = 50, 20, 30, 4_000, 60_000
SIZES, GAINS, INPUTS = (2, 4, 8, 16, 32), (0.5, 6.0), 2
CLOSE = 1e-4  # how far from an equilibrium or a cycle that was certified a state is at most, in the end
STRAY = 2.0  # and from an oscillation, beside the distances of the states that stand for it


class Leaky(nn.Module):
    """h' = h + (tanh(W h + V u) - h) / 10, as neuroscientists write it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        new: Tensor = s + (torch.tanh(self.recurrent(s) + self.input(u)) - s) / 10
        return new


CELLS: dict[str, Any] = {
    "RNN": nn.RNN,
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
    "leaky RNN": Leaky,
    "MGU": MGU,
    "BRC": BRC,
    "nBRC": NBRC,
}


def drawn(cell: str, seed: int) -> nn.Module:
    """A network of random size, whose recurrent weights have a random gain: what they do to lengths on average."""
    generator = torch.Generator().manual_seed(seed)
    size = SIZES[int(torch.randint(len(SIZES), (), generator=generator))]
    low, high = GAINS
    gain = low * (high / low) ** float(torch.rand((), generator=generator))
    network: nn.Module = CELLS[cell](INPUTS, size)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            recurrent = name.startswith(("weight_hh", "recurrent.weight"))
            scale = gain / parameter.shape[-1] ** 0.5 if recurrent else 0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network.double()


@torch.no_grad()
def is_false(one: Attractor, end: Tensor) -> bool:
    """Whether a state (1, S) that was said to go to an attractor is not there in the end; chaos may end."""
    if one.kind == "chaos":
        return False
    away = float(torch.cdist(end, one.state.reshape(-1, end.shape[1])).min())
    scale = 1 + float(one.state.abs().max())
    if one.kind == "oscillation":
        gap = float((one.state - one.state.roll(1, 0)).norm(dim=1).max())
        return away > STRAY * gap
    return away > CLOSE * scale


def studied(cell: str, seed: int) -> Row:
    """What is said of one network, and whether it is so."""
    network = drawn(cell, seed)
    inputs = torch.randn(LENGTH, N, INPUTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = attractors(network, inputs, n=N, horizon=HORIZON, generator=seed)
    (layer,) = stacks(network)
    with torch.no_grad():
        later = layer.hold(found.trajectory[-1], found.u, LATER)
    false = [
        found.kinds[row]
        for row, label in enumerate(found.labels)
        if found.kinds[row] != "slow" and label >= 0
        if is_false(found.attractors[label], later[row : row + 1])
    ]
    finite = torch.isfinite(later).all(1)
    again = attractors(network, states=later[finite], u=found.u, horizon=HORIZON)
    before = [kind for kind, one in zip(found.kinds, finite.tolist(), strict=True) if one]
    changed = Counter(f"{a}, then {b}" for a, b in zip(before, again.kinds, strict=True) if a != b)
    return {
        "units": layer.state_size,
        "certificates": sum(one.kind in ("equilibrium", "cycle") for one in found.attractors),
        "oscillations": sum(one.kind == "oscillation" for one in found.attractors),
        "kinds": dict(Counter(found.kinds)),
        "false": false,
        "asked again": dict(changed),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    register(Leaky, lambda cell, s, u: cell(u, s), layout="step")
    chosen = sys.argv[1:] or list(CELLS)
    complete("random_networks", [{"cell": one, "seed": k} for k in range(NETWORKS) for one in chosen], studied)
