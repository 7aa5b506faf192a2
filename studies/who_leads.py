"""Whether multistability rises before a network learns, or after: copy first input, from what the paper starts with.

Run: python studies/who_leads.py
"""

import torch
import torch.nn.functional as F
from rows import Row, complete
from starts import CELLS, started
from starts_learning import BATCH, LR, Network, descend, score
from torch import Tensor

from multistable import measure
from multistable.tasks import copy_first_input

LENGTH = 20  # short enough for most cells to learn from scratch in these steps
STEPS, EVERY, SEEDS = 3_000, 25, 2  # of training; how often both are looked at
SEQUENCES, TESTED = 500, 500
N, HORIZON = 64, 1_000  # of VAA


def drawn(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences (T, B, I) and targets (B, 1, 1)."""
    inputs, targets = copy_first_input(LENGTH, count, generator=generator).tensors
    return inputs.transpose(0, 1), targets[:, None]


def begun(cell: str, start: str, seed: int) -> tuple[Network, Tensor, torch.optim.Adam, torch.Generator]:
    """A network to train, the sequences that its start saw, (T, B, I), its optimiser, and what draws its batches."""
    inputs, _ = drawn(SEQUENCES, torch.Generator().manual_seed(7000 + seed))
    rnn, _ = started(cell, start, inputs, seed, layers=1)
    torch.manual_seed(seed)
    network = Network(rnn, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    return network, inputs, optimizer, torch.Generator().manual_seed(1000 + seed)


def followed(cell: str, start: str, seed: int) -> Row:
    """VAA and the test error in the course of training."""
    network, inputs, optimizer, generator = begun(cell, start, seed)
    test = drawn(TESTED, torch.Generator().manual_seed(2000 + seed))
    vaa, error = [], []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            vaa.append(round(measure(network.rnn, inputs, n=N, horizon=HORIZON, generator=seed).vaa, 3))
            error.append(score(network, test))
        sequences, targets = drawn(BATCH, generator)
        loss = F.mse_loss(network(sequences), targets)
        descend(network, optimizer, loss)
    return {"length": LENGTH, "every": EVERY, "vaa": vaa, "error": error}


CASES = [
    {"cell": cell, "start": start, "seed": seed}
    for seed in range(SEEDS)
    for start in ("new", "chrono_")
    for cell in CELLS
    if start == "new" or cell in ("GRU", "LSTM")
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("who_leads", CASES, followed)
