"""What a default warmup costs, in epochs of the training that follows.

Run: python benchmarks/warmup_cost.py
"""

import time
from typing import Any

import torch
from side_by_side import median_seconds, write
from torch import Tensor, nn

from multistable import warmup

LAYERS, BATCH, BATCHES_TIMED = 2, 32, 5
DATA = {  # sequences, steps, hidden units
    "small": (640, 100, 64),
    "of the paper's size": (40_000, 600, 128),
}


def train(module: nn.GRU | nn.LSTM, head: nn.Linear, optimizer: torch.optim.Optimizer, batch: Tensor) -> None:
    """Forward, backward and Adam on a batch of whole sequences."""
    outputs, _ = module(batch)
    loss = nn.functional.mse_loss(head(outputs[-1]), batch[0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def compare(data: str, kind: type[nn.GRU | nn.LSTM]) -> dict[str, Any]:
    """A warmup of a new network, and an epoch; of a large data set some batches are timed, and multiplied."""
    count, length, hidden = DATA[data]
    torch.manual_seed(0)
    sequences = torch.randn(length, min(count, 640), 1)
    module, head = kind(1, hidden, LAYERS), nn.Linear(hidden, 1)
    optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()])
    batches = sequences.split(BATCH, dim=1)
    batch = median_seconds(
        {"batch": lambda turn: train(module, head, optimizer, batches[turn % len(batches)])}, BATCHES_TIMED
    )["batch"]
    epoch = batch * count / BATCH
    fresh = kind(1, hidden, LAYERS)
    start = time.perf_counter()
    result = warmup(fresh, sequences, generator=0)
    seconds = time.perf_counter() - start
    return {
        "data": data,
        "cell": kind.__name__,
        "layers x hidden": f"{LAYERS} x {hidden}",
        "sequences": count,
        "steps": length,
        "batch size": BATCH,
        "epoch seconds": round(epoch, 2),
        "warmup seconds": round(seconds, 2),
        "of these the two measures": round(seconds - result.seconds, 2),
        "measured": {"n": result.after.n, "horizon": result.after.horizon},
        "warmup in epochs": round(seconds / epoch, 3),
        "status": result.status,
        "VAA": {"before": result.before.vaa, "after": result.after.vaa},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("warmup_cost", [compare(data, kind) for data in DATA for kind in (nn.GRU, nn.LSTM)])
