"""`attractors` for 256 states of a 128-unit GRU beside `measure` at 10,000 steps, and the memory that each takes.

Beside both stand 10,000 steps of all states, none left out: `measure` leaves out those that have come to rest.

Run: python benchmarks/attractors.py
"""

from typing import Any

import torch
from side_by_side import in_own_process, median_seconds, peak_megabytes, write
from torch import Tensor, nn

from multistable import attractors, init, measure, warmup
from multistable.dynamics import dynamics

HIDDEN, N, LENGTH, HORIZON, REPEATS = 128, 256, 100, 10_000, 3
NETWORKS = ("new", "bistable_", "bistable_, strong inputs", "warmed up")


def network(name: str) -> tuple[nn.GRU, Tensor]:
    """A network and sequences for it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    gru = nn.GRU(1, HIDDEN)
    inputs = torch.randn(LENGTH, N, 1)
    if name.startswith("bistable_"):
        init.bistable_(gru)
    if name.endswith("strong inputs"):
        # Strong inputs reach more of the wells.
        with torch.no_grad():
            candidate = next(gru.parameters())[2 * HIDDEN :]
            candidate *= 30
    if name == "warmed up":
        warmup(gru, inputs, generator=0)
    return gru, inputs


def added_megabytes(name: str, task: str) -> float:
    """Peak memory of the task above what was there before."""
    gru, inputs = network(name)
    # What a first, small call loads is not counted.
    attractors(gru, inputs[:, :2], horizon=128, generator=0)
    before = peak_megabytes()
    run(task, gru, inputs)
    return peak_megabytes() - before


def run(task: str, gru: nn.GRU, inputs: Tensor) -> Any:
    """One call of either function."""
    if task == "attractors":
        return attractors(gru, inputs, n=N, horizon=HORIZON, generator=0)
    return measure(gru, inputs, n=N, horizon=HORIZON, generator=0)


@torch.no_grad()
def all_steps(gru: nn.GRU) -> Tensor:
    """10,000 steps of all states under a constant input."""
    (layer,) = dynamics(gru)
    return layer.hold(torch.zeros(N, HIDDEN), torch.randn(1), HORIZON)


def row(name: str) -> dict[str, Any]:
    """Time and memory of both."""
    gru, inputs = network(name)
    found = run("attractors", gru, inputs)
    seconds = median_seconds(
        {
            "attractors": lambda _: run("attractors", gru, inputs),
            "measure": lambda _: run("measure", gru, inputs),
            "all steps": lambda _: all_steps(gru),
        },
        REPEATS,
    )
    return {
        "network": name,
        "certified": round(found.certified, 3),
        "shares": {kind: round(share, 3) for kind, share in found.shares.items() if share > 0},
        "median seconds": {task: round(value, 2) for task, value in seconds.items()},
        "attractors / measure": round(seconds["attractors"] / seconds["measure"], 3),
        "attractors / all steps": round(seconds["attractors"] / seconds["all steps"], 3),
        "peak megabytes added": {
            task: round(in_own_process(added_megabytes, name, task)) for task in ("attractors", "measure")
        },
    }


if __name__ == "__main__":
    write("attractors", [row(name) for name in NETWORKS])
