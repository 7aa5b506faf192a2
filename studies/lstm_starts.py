"""What a warmup does to an LSTM, and what training makes of it at first: copy first input, one layer.

Run: python studies/lstm_starts.py
"""

import torch
import torch.nn.functional as F
from rows import Row, complete
from starts import started
from starts_learning import BATCH, LENGTH, LR, READOUT, Network, descend, drawn, score
from torch import Tensor, nn

from multistable import measure

STARTS = ("new", "chrono_", "warmup", "chrono_, warmup", "uniform_gates_, warmup")
LOOKS, SEEDS = (0, 40, 200, 800, 2000), 10  # after how many training steps it is looked at
SEQUENCES, TESTED = 1000, 500
N, HORIZON = 64, 2_000  # of VAA
SATURATED, RIDGE = 0.95, 1e-3


@torch.no_grad()
def inside(lstm: nn.LSTM, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The forget and the input gate of each step, (T, B, H), and the last h and c, (B, H)."""
    h = c = inputs.new_zeros(inputs.shape[1], lstm.hidden_size)
    weight_ih, weight_hh, bias_ih, bias_hh = lstm.parameters()
    forget, entry = [], []
    for u in inputs:
        i, f, g, o = (u @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        forget.append(f.sigmoid())
        entry.append(i.sigmoid())
    return torch.stack(forget), torch.stack(entry), h, c


def explained(states: Tensor, targets: Tensor) -> float:
    """How much of the targets' variance ridge regression on half of the states finds in the other half."""
    scaled = (states - states.mean(0)) / states.std(0).clamp(min=1e-12)
    known = torch.cat([scaled, torch.ones(len(states), 1)], 1).double()
    values = targets.double().flatten()
    half = len(known) // 2
    a, b = known[:half], values[:half]
    weights = torch.linalg.solve(a.T @ a + RIDGE * half * torch.eye(a.shape[1], dtype=a.dtype), a.T @ b)
    rest = values[half:]
    return float((1 - (known[half:] @ weights - rest).square().mean() / rest.var(correction=0)).item())


def seen(network: Network, inputs: Tensor, targets: Tensor, test: tuple[Tensor, Tensor]) -> Row:
    """What there is to see at one moment of the training."""
    assert isinstance(network.rnn, nn.LSTM)
    forget, entry, h, c = inside(network.rnn, inputs)
    return {
        "forget gate": round(forget.mean().item(), 3),
        "input gate": round(entry.mean().item(), 3),
        "|c|": float(f"{c.abs().mean().item():.3g}"),
        "saturated": round((c.tanh().abs() > SATURATED).float().mean().item(), 3),
        "explained by h": round(explained(h, targets), 3),
        "explained by h, c": round(explained(torch.cat([h, c], 1), targets), 3),
        "test": score(network, test),
    }


def followed(start: str, readout_first: bool, seed: int) -> Row:
    """What there is to see in a network as it is trained."""
    inputs, known = drawn("copy", SEQUENCES, torch.Generator().manual_seed(7000 + seed))
    test = drawn("copy", TESTED, torch.Generator().manual_seed(2000 + seed))
    rnn, _ = started("LSTM", start, inputs, seed, layers=1)
    vaa = measure(rnn, inputs, n=N, horizon=HORIZON, generator=seed).vaa
    torch.manual_seed(seed)
    network = Network(rnn, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    generator = torch.Generator().manual_seed(1000 + seed)
    found: dict[str, Row] = {}
    for step in range(LOOKS[-1] + 1):
        if step in LOOKS:
            found[str(step)] = seen(network, inputs, known, test)
        rnn.requires_grad_(not readout_first or step >= READOUT)
        sequences, targets = drawn("copy", BATCH, generator)
        loss = F.mse_loss(network(sequences), targets)
        descend(network, optimizer, loss)
    return {"length": LENGTH, "vaa before training": round(vaa, 4), "after": found}


CASES = [
    {"start": start, "readout_first": readout_first, "seed": seed}
    for seed in range(SEEDS)
    for start in STARTS
    for readout_first in ((False, True) if start == "warmup" else (False,))
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("lstm_starts", CASES, followed)
