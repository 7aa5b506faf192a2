"""Memory that lasts: copy first input, and its sign, learned on short sequences and asked for after long ones.

Run: python studies/lasting_memory.py
"""

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from rows import Row, complete
from torch import Tensor, nn

from multistable import init, warmup
from multistable.nn import DoubleLayer
from multistable.tasks import copy_first_input

HIDDEN, LAYERS, SEEDS = 64, 2, 3
SHORTEST, LONGEST, STEPS, BATCH, LR = 5, 200, 3000, 32, 1e-3
LENGTHS, PIECE = (100, 1_000, 10_000, 100_000), 500
TESTED, TESTED_LONG = 256, 128  # sequences; those of more than 10,000 steps
TIME_CONSTANT = 20.0


class Network(nn.Module):
    """A recurrent network that answers at the last step, and can go on from where it stopped."""

    def __init__(self, double: bool) -> None:
        super().__init__()
        sizes = (1, HIDDEN, LAYERS)
        self.rnn = DoubleLayer(nn.GRU, *sizes, batch_first=True) if double else nn.GRU(*sizes, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, sequences: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(B, T, 1) -> (B, 1), and the last state."""
        outputs, state = self.rnn(sequences, state)
        return self.head(outputs[:, -1]), state


def bistable(network: Network, free_gates: bool = False) -> None:
    """Half of each layer's units; in a double layer, the first part."""
    options: dict[str, Any] = {"time_constant": TIME_CONSTANT, "free_gates": free_gates}
    if isinstance(network.rnn, DoubleLayer):
        for part in network.rnn.first:
            init.bistable_(part, **options)
    else:
        init.bistable_(network.rnn, fraction=0.5, **options)


def sequences(seed: int) -> Tensor:
    """What a warmup runs on."""
    return copy_first_input(LONGEST, 1000, generator=seed).tensors[0]


def published(network: Network, seed: int) -> None:
    """A warmup with its default settings."""
    warmup(network.rnn, sequences(seed), generator=seed)


def contraction(network: Network, seed: int) -> None:
    """Bistable units, and a warmup that keeps their wells."""
    bistable(network)
    warmup(network.rnn, sequences(seed), objective="contraction", lr=1e-3, generator=seed)


VARIANTS: dict[str, Callable[[Network, int], None]] = {
    "none": lambda network, seed: None,
    "warmup": published,
    "bistable_": lambda network, seed: bistable(network),
    "bistable_, free gates": lambda network, seed: bistable(network, free_gates=True),
    "bistable_, contraction": contraction,
}


def loss_of(task: str, answers: Tensor, first: Tensor) -> Tensor:
    """Mean squared error, or the cross entropy of the sign."""
    if task == "copy":
        return F.mse_loss(answers, first)
    return F.binary_cross_entropy_with_logits(answers, (first > 0).float())


def train(network: Network, task: str, seed: int) -> list[float]:
    """Sequences of random lengths, one length for each batch."""
    generator = torch.Generator().manual_seed(1000 + seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    losses = []
    for _ in range(STEPS):
        length = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=generator))
        inputs = torch.randn(BATCH, length, 1, generator=generator)
        loss = loss_of(task, network(inputs)[0], inputs[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def evaluate(network: Network, task: str, seed: int) -> dict[str, float]:
    """The squared error, or the share of signs that are right, as one long sequence goes by."""
    generator = torch.Generator().manual_seed(2000 + seed)
    scores: dict[str, float] = {}
    state: Any = None
    step = 0
    first = torch.empty(0)
    for length in LENGTHS:
        if length > 10_000:
            state, first = state[:, :TESTED_LONG].contiguous(), first[:TESTED_LONG]
        while step < length:
            count = min(PIECE, length - step)
            inputs = torch.randn(TESTED if length <= 10_000 else TESTED_LONG, count, 1, generator=generator)
            first = inputs[:, 0] if step == 0 else first
            answers, state = network(inputs, state)
            step += count
        right = F.mse_loss(answers, first) if task == "copy" else ((answers > 0) == (first > 0)).float().mean()
        scores[str(length)] = float(f"{right.item():.5g}")
    return scores


def remembered(task: str, variant: str, double: bool, seed: int) -> Row:
    """What one network learns, and for how long it remembers."""
    torch.manual_seed(seed)
    network = Network(double)
    start = time.perf_counter()
    VARIANTS[variant](network, seed)
    losses = train(network, task, seed)
    return {
        "training loss, last 100 steps": float(f"{sum(losses[-100:]) / 100:.3g}"),
        "test": evaluate(network, task, seed),
        "seconds": round(time.perf_counter() - start),
    }


def cases(double: bool) -> list[Row]:
    """Free gates were tried in single layers alone."""
    tried = [variant for variant in VARIANTS if not (double and "free gates" in variant)]
    return [
        {"task": task, "variant": variant, "double": double, "seed": seed}
        for seed in range(SEEDS)
        for task in ("sign", "copy")
        for variant in tried
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, double in {"single": False, "double": True}.items():
        complete(f"lasting_memory_{name}", cases(double), remembered)
