"""What a default warmup costs, in epochs of the training that follows.

Run: python benchmarks/warmup_cost.py
"""

import statistics
import time
from typing import Any

import torch
from side_by_side import write
from torch import Tensor, nn

from multistable import warmup

LAYERS, BATCH, TIMED = 2, 32, 9
DATA = {  # sequences, steps, hidden units; of the second the batches that are timed alone are made
    "small": (640, 100, 64),
    "the paper's size": (40_000, 600, 128),
}


def train(module: nn.GRU | nn.LSTM, head: nn.Linear, optimizer: torch.optim.Optimizer, batch: Tensor) -> float:
    """Seconds that forward, backward and Adam take on a batch of whole sequences."""
    start = time.process_time()
    outputs, _ = module(batch)
    loss = nn.functional.mse_loss(head(outputs[-1]), batch[0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.process_time() - start


def compare(data: str, kind: type[nn.GRU | nn.LSTM]) -> dict[str, Any]:
    """A warmup of a new network, and an epoch of training it, as many times a batch as there are batches."""
    count, length, hidden = DATA[data]
    torch.manual_seed(0)
    sequences = torch.randn(length, min(count, 640), 1)
    module, head = kind(1, hidden, LAYERS), nn.Linear(hidden, 1)
    trained = kind(1, hidden, LAYERS)
    optimizer = torch.optim.Adam([*trained.parameters(), *head.parameters()])
    batches = sequences.split(BATCH, dim=1)
    train(trained, head, optimizer, batches[0])
    timed = [train(trained, head, optimizer, batch) for batch in batches[1 : TIMED + 1]]
    epoch = statistics.median(timed) * count / BATCH
    ends: list[float] = []
    start = time.process_time()
    result = warmup(module, sequences, generator=0, callback=lambda _: ends.append(time.process_time()))
    seconds = time.process_time() - start
    # The first step ends with what comes before it; it counts as the mean of the others.
    steps = (ends[-1] - ends[0]) * len(ends) / (len(ends) - 1)
    return {
        "data": data,
        "cell": kind.__name__,
        "hidden": hidden,
        "sequences": count,
        "steps": length,
        "epoch seconds": round(epoch, 2),
        "warmup seconds": round(seconds, 2),
        "warmup / epoch": round(seconds / epoch, 3),
        "measures / epoch": round((seconds - steps) / epoch, 4),
        "n": result.after.n,
        "horizon": result.after.horizon,
        "status": result.status,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("warmup_cost", [compare(data, kind) for data in DATA for kind in (nn.GRU, nn.LSTM)])
