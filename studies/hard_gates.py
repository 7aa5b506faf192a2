"""Memory that lasts: hard gates, trained on at most 200 steps and asked after up to 100,000.

Run: python studies/hard_gates.py [CELL ...], and then python studies/million_steps.py
"""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from rows import ROOT, Row, complete
from torch import Tensor, nn

from multistable import init, margin_loss, warmup
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, Hardening
from multistable.nn._layer import RecurrentLayer
from multistable.tasks import copy_first_input

CELLS: dict[str, type[RecurrentLayer]] = {"gru": GRU, "lstm": LSTM, "mgu": MGU, "brc": BRC, "nbrc": NBRC}
GATES = ("soft", "hard", "margin")
HIDDEN, LAYERS = 64, 2
SHORTEST, LONGEST, BATCH = 5, 200, 32
STEPS = {"gru": 2000, "lstm": 5000, "mgu": 2000, "brc": 2000, "nbrc": 2000}
LR, CONSTANT, LAST = 2e-3, 0.75, 0.05  # the rate, for which share of the steps, and its share at the end
CLIP = 1.0
BOUND, WEIGHT, MARGIN_STEPS, MARGIN_LR, MARGIN_LAST = 5.0, 1.0, 1000, 2e-3, 0.02  # of the margin
LENGTHS, PIECE, TESTED = (100, 1_000, 10_000, 100_000), 500, 32
SIGNS, LATER = 2048, 64  # sequences whose sign is asked for: up to 1,000 steps, and beyond
WEIGHTS = ROOT / "studies" / ".weights"  # of the networks, for the study of certificates


class Network(nn.Module):
    """A recurrent network that answers at the last step, and can go on from where it stopped."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.rnn = CELLS[cell](1, HIDDEN, LAYERS)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, sequences: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(T, B, 1) -> (B, 1), and the last state."""
        outputs, state = self.rnn(sequences, state)
        return self.head(outputs[-1]), state


def new_network(cell: str, start: str, seed: int) -> Network:
    """A network as it is, warmed up, or with chrono gates."""
    torch.manual_seed(seed)
    network = Network(cell)
    init.paper_(network.rnn, generator=seed)
    if start == "chrono":
        init.chrono_(network.rnn, t_max=LONGEST, generator=seed)
    if start == "warmup":
        warmup(network.rnn, copy_first_input(LONGEST, 1000, generator=seed).tensors[0].transpose(0, 1), generator=seed)
    return network


def loss_of(task: str, answers: Tensor, first: Tensor) -> Tensor:
    """Mean squared error, or the cross entropy of the sign."""
    if task == "copy":
        return F.mse_loss(answers, first)
    return F.binary_cross_entropy_with_logits(answers, (first > 0).float())


def rate(done: float) -> float:
    """The learning rate, as a share of `LR`: constant, then half a cosine."""
    if done < CONSTANT:
        return 1.0
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * (done - CONSTANT) / (1 - CONSTANT))) / 2


def train(
    network: nn.Module, task: str, hard: bool, seed: int, steps: int, hardened: nn.Module | None = None
) -> list[float]:
    """Sequences of random lengths, one length for each batch; with or without hardening, of a part or of all."""
    generator = torch.Generator().manual_seed(1000 + seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step / steps))
    hardening = Hardening(hardened or network, steps) if hard else None
    losses = []
    for _ in range(steps):
        length = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=generator))
        inputs = torch.randn(length, BATCH, 1, generator=generator)
        loss = loss_of(task, network(inputs)[0], inputs[0])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        if hardening is not None:
            hardening.step()
        losses.append(loss.item())
    return losses


def train_margin(network: Network, task: str, seed: int) -> list[float]:
    """Go on with hard gates, and with what makes them hold by a margin; the rate falls in half a cosine."""
    generator = torch.Generator().manual_seed(5000 + seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=MARGIN_LR)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, MARGIN_STEPS, MARGIN_LAST * MARGIN_LR)
    losses = []
    for _ in range(MARGIN_STEPS):
        length = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=generator))
        inputs = torch.randn(length, BATCH, 1, generator=generator)
        answers, hx = network(inputs)
        loss = loss_of(task, answers, inputs[0])
        optimizer.zero_grad()
        (loss + WEIGHT * margin_loss(network.rnn, hx, BOUND)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        falling.step()
        losses.append(loss.item())
    return losses


def first_of(state: Any, count: int) -> Any:
    """The states of the first sequences."""
    if isinstance(state, tuple):
        return tuple(first_of(part, count) for part in state)
    return state[:, :count].contiguous()


@torch.no_grad()
def evaluate(network: Network, task: str, seed: int, lengths: Sequence[int] = LENGTHS) -> dict[str, float]:
    """The squared error, or the share of signs that are right, as one long sequence goes by."""
    generator = torch.Generator().manual_seed(2000 + seed)
    scores: dict[str, float] = {}
    state: Any = None
    step = 0
    first = torch.empty(0)
    tested = TESTED if task == "copy" else SIGNS
    for length in lengths:
        if task == "sign" and length > 1_000:
            tested, first, state = LATER, first[:LATER], first_of(state, LATER)
        while step < length:
            inputs = torch.randn(min(PIECE, length - step), tested, 1, generator=generator)
            first = inputs[0] if step == 0 else first
            answers, state = network(inputs, state)
            step += len(inputs)
        right = F.mse_loss(answers, first) if task == "copy" else ((answers > 0) == (first > 0)).float().mean()
        scores[str(length)] = float(f"{right.item():.5g}")
    return scores


@torch.no_grad()
def still(network: Network, seed: int) -> list[float]:
    """The share of each layer's units whose value (an LSTM's c) 500 steps of noise leave as it is, to the bit."""
    generator = torch.Generator().manual_seed(3000 + seed)
    _, before = network(torch.randn(100, TESTED, 1, generator=generator))
    _, after = network(torch.randn(500, TESTED, 1, generator=generator), before)
    kept, now = (state[-1] if isinstance(state, tuple) else state for state in (before, after))
    return [round(share, 3) for share in (kept == now).float().mean((1, 2)).tolist()]


def trained(cell: str, task: str, start: str, gates: str, seed: int) -> tuple[Network, list[float]]:
    """The network, and its losses; what was trained before is read from where it was kept."""
    file = WEIGHTS / f"{cell}-{task}-{start}-{gates}-{seed}.pt"
    if file.exists():
        kept = torch.load(file, weights_only=True)
        network = Network(cell)
        network.load_state_dict(kept["network"])
        return network, kept["losses"]
    if gates == "margin":
        network, _ = trained(cell, task, start, "hard", seed)
        losses = train_margin(network, task, seed)
    else:
        network = new_network(cell, start, seed)
        losses = train(network, task, gates == "hard", seed, STEPS[cell])
    WEIGHTS.mkdir(exist_ok=True)
    torch.save({"network": network.state_dict(), "losses": losses}, file)
    return network, losses


def remembered(cell: str, task: str, start: str, gates: str, seed: int) -> Row:
    """What one network learns, and for how long it remembers."""
    began = time.perf_counter()
    network, losses = trained(cell, task, start, gates, seed)
    seconds = round(time.perf_counter() - began)
    return {
        "training loss, last 100 steps": float(f"{sum(losses[-100:]) / 100:.3g}"),
        "units that keep their value": still(network, seed),
        "test": evaluate(network, task, seed),
        "seconds": seconds,
    }


LASTING = {
    ("gru", "chrono", "hard"),
    ("gru", "chrono", "margin"),
    ("gru", "warmup", "hard"),
    ("lstm", "chrono", "hard"),
}
"""Cells, starts and gates of which there are ten seeds; of all others there are three."""


def cases(cell: str) -> list[Row]:
    """Every start with ordinary gates; hard gates from those that remember from the start."""
    tried = [("chrono", gates) for gates in GATES]
    tried += [("plain", "soft"), ("warmup", "soft"), ("warmup", "hard")]
    copy = [
        {"cell": cell, "task": "copy", "start": start, "gates": gates, "seed": seed}
        for start, gates in tried
        for seed in range(10 if (cell, start, gates) in LASTING else 3)
    ]
    sign = {"cell": cell, "task": "sign", "start": "warmup" if cell == "gru" else "chrono", "gates": "hard"}
    return copy + [sign | {"seed": seed} for seed in range({"gru": 10, "lstm": 3}.get(cell, 0))]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or CELLS:
        complete(f"hard_gates_{chosen}", cases(chosen), remembered)
