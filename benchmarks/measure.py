"""`measure` at 10,000 steps beside one call of the module on the constant input expanded to 10,000 steps.

Run: python benchmarks/measure.py
"""

from typing import Any

import torch
from side_by_side import in_own_process, median_seconds, peak_megabytes, write
from torch import Tensor, nn

from multistable import measure, warmup

HIDDEN, LAYERS, N, LENGTH, HORIZON, REPEATS = 128, 2, 32, 100, 10_000, 5
KINDS: dict[str, type[nn.GRU | nn.LSTM]] = {"GRU": nn.GRU, "LSTM": nn.LSTM}


def network(cell: str, warmed: bool) -> tuple[nn.RNNBase, Tensor]:
    """A network and sequences for it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = KINDS[cell](1, HIDDEN, LAYERS).eval()
    inputs = torch.randn(LENGTH, N, 1)
    if warmed:
        warmup(module, inputs, generator=0)
    return module, inputs


@torch.no_grad()
def expanded_call(module: nn.RNNBase, horizon: int) -> None:
    """The module on a constant input, all steps at once."""
    module(torch.ones(1, 1, 1).expand(horizon, N, 1))


def added_megabytes(cell: str, task: str) -> float:
    """Peak memory of the task at 10,000 steps above its peak at 120 steps."""
    module, inputs = network(cell, warmed=False)
    peaks = []
    for horizon in (120, HORIZON):
        if task == "measure":
            measure(module, inputs, horizon=horizon, n=N, generator=0)
        else:
            expanded_call(module, horizon)
        peaks.append(peak_megabytes())
    return peaks[1] - peaks[0]


def compare(cell: str, warmed: bool) -> dict[str, Any]:
    """Time both."""
    module, inputs = network(cell, warmed)
    seconds = median_seconds(
        {
            "measure": lambda _: measure(module, inputs, horizon=HORIZON, n=N, generator=0),
            "expanded call": lambda _: expanded_call(module, HORIZON),
        },
        REPEATS,
    )
    return {
        "cell": cell,
        "network": "warmed up" if warmed else "new",
        "median seconds": {name: round(value, 3) for name, value in seconds.items()},
        "measure / expanded call": round(seconds["measure"] / seconds["expanded call"], 3),
    }


if __name__ == "__main__":
    rows = [compare(cell, warmed) for cell in KINDS for warmed in (False, True)]
    for cell in KINDS:
        memory = {task: round(in_own_process(added_megabytes, cell, task), 1) for task in ("measure", "expanded call")}
        rows.append({"cell": cell, "network": "new", "megabytes added from 120 to 10,000 steps": memory})
    write("measure", rows)
