"""Denoising and digits row by row, with ordinary and with hard gates: trained on 200 steps at most, asked at 100,000.

All networks are warmed up.

Run: python studies/hard_tasks.py
"""

import time
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from hard_gates import BATCH, CLIP, LR, rate
from rows import Row, complete
from torch import Tensor, nn

from multistable import init, warmup
from multistable.nn import GRU, Hardening
from multistable.tasks import denoising, images

HIDDEN, LAYERS, SEEDS, LONGEST = 64, 2, 3, 200
STEPS = {"denoising": 4000, "rows": 3000}
BEFORE = 40  # steps of denoising in which values are marked
LENGTHS = (50, 150, 1_000, 10_000, 100_000)  # of the forgetting period, or the padding
PIECE, TESTED = 500, 64

Batch = tuple[Tensor, Tensor]


class Network(nn.Module):
    """A GRU that answers at its last steps, and can go on from where it stopped."""

    def __init__(self, features: int, outputs: int, asked: int) -> None:
        super().__init__()
        self.rnn = GRU(features, HIDDEN, LAYERS)
        self.head = nn.Linear(HIDDEN, outputs)
        self.asked = asked

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(T, B, I) -> (B, asked, outputs), and the last state."""
        outputs, state = self.rnn(inputs, state)
        return self.head(outputs[-self.asked :]).transpose(0, 1), state


def noisy(length: int, count: int, seed: int) -> Batch:
    """Denoising with so long a forgetting period: (T, B, 2), and (B, 5, 1)."""
    inputs, targets = denoising(BEFORE + length, count, forgetting=length, generator=seed).tensors
    return inputs.transpose(0, 1), targets


def padded(rows: Tensor, classes: Tensor, length: int) -> Batch:
    """Images (B, 8, 8) followed by so many black steps: (T, B, 8), and (B, 1)."""
    return F.pad(rows.transpose(0, 1), (0, 0, 0, 0, 0, length), value=-0.5), classes[:, None]


@cache
def digits(source: Literal["digits", "mnist"] = "digits") -> tuple[Batch, Batch]:
    """All images to train and to test with."""
    train, test = images("permuted_rows", source=source)
    return tuple(train.tensors), tuple(test.tensors)  # type: ignore[return-value]


def batches(task: str, seed: int) -> Iterator[Batch]:
    """Endless batches, each of one random length."""
    generator = torch.Generator().manual_seed(1000 + seed)
    (rows, classes), _ = digits()
    while True:
        if task == "rows":
            which = torch.randint(len(rows), (BATCH,), generator=generator)
            length = int(torch.randint(0, LONGEST - rows.shape[1] + 1, (), generator=generator))
            yield padded(rows[which], classes[which], length)
        else:
            length = int(torch.randint(5, LONGEST - BEFORE + 1, (), generator=generator))
            yield noisy(length, BATCH, int(torch.randint(2**31, (), generator=generator)))


def to_warm_up(task: str, seed: int) -> Tensor:
    """Sequences of the task's full length, (T, B, I)."""
    if task == "rows":
        (rows, classes), _ = digits()
        return padded(rows, classes, LONGEST - rows.shape[1])[0]
    return noisy(LONGEST - BEFORE, 1000, 7000 + seed)[0]


def loss_of(answers: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error, or cross entropy."""
    if targets.is_floating_point():
        return F.mse_loss(answers, targets)
    return F.cross_entropy(answers.flatten(0, 1), targets.flatten())


def train(network: Network, task: str, hard: bool, seed: int) -> None:
    steps, endless = STEPS[task], batches(task, seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step / steps))
    hardening = Hardening(network, steps) if hard else None
    for _ in range(steps):
        inputs, targets = next(endless)
        loss = loss_of(network(inputs)[0], targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        if hardening is not None:
            hardening.step()


@torch.no_grad()
def score(network: Network, task: str, length: int, seed: int) -> float:
    """The squared error, or the share of images whose class is right."""
    inputs, targets = padded(*digits()[1], length) if task == "rows" else noisy(length, TESTED, 2000 + seed)
    state = None
    *before, last = inputs.split(PIECE) if len(inputs) % PIECE >= 5 else (inputs[:-5], inputs[-5:])
    for piece in (part for one in before for part in one.split(PIECE)):
        _, state = network(piece, state)
    answers, _ = network(last, state)
    right = F.mse_loss(answers, targets) if task == "denoising" else (answers.argmax(-1) == targets).float().mean()
    return float(f"{right.item():.4g}")


def remembered(task: str, hard: bool, seed: int) -> Row:
    """What one network learns, and for how long it remembers."""
    torch.manual_seed(seed)
    features, outputs, asked = (2, 1, 5) if task == "denoising" else (8, 10, 1)
    network, began = Network(features, outputs, asked), time.perf_counter()
    init.paper_(network.rnn, generator=seed)
    warmup(network.rnn, to_warm_up(task, seed), generator=seed)
    train(network, task, hard, seed)
    seconds = round(time.perf_counter() - began)
    return {"test": {str(length): score(network, task, length, seed) for length in LENGTHS}, "seconds": seconds}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = [
        {"task": task, "hard": hard, "seed": seed}
        for seed in range(SEEDS)
        for task in ("rows", "denoising")
        for hard in (True, False)
    ]
    complete("hard_tasks", cases, remembered)
