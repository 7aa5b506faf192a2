"""Single steps of MGUCell, BRCCell and NBRCCell beside `nn.GRUCell` of the same size, forward and with backward.

Run: python benchmarks/cells.py
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from side_by_side import median_seconds, write
from torch import Tensor, nn

from multistable.nn import BRCCell, MGUCell, NBRCCell

BATCH, HIDDEN, HARDNESS = (1, 32), (64, 256), 0.3
REPEATS = 401  # of single calls in turns: blocks of one kind would meet the machine in different moods
OURS: dict[str, Any] = {"MGU": MGUCell, "BRC": BRCCell, "nBRC": NBRCCell}


@torch.no_grad()
def infer(cell: nn.Module, x: Tensor, h: Tensor, turn: int) -> None:
    """A step without a graph, as in a rollout."""
    cell(x, h)


def forward(cell: nn.Module, x: Tensor, h: Tensor, turn: int) -> None:
    """A step, with its graph."""
    cell(x, h)


def train(cell: nn.Module, x: Tensor, h: Tensor, turn: int) -> None:
    """A step, and backward to all parameters, the input and the state."""
    cell(x, h).sum().backward()


def compare(batch: int, hidden: int) -> list[dict[str, Any]]:
    """All cells of one size, each kind of call in turns."""
    x, h = (torch.randn(batch, hidden, requires_grad=True) for _ in range(2))
    cells: dict[str, nn.Module] = {"GRU, torch": nn.GRUCell(hidden, hidden)}
    for name, kind in OURS.items():
        cells |= {f"{name}, {hardness}": kind(hidden, hidden, hardness=hardness) for hardness in (0, HARDNESS)}
    rows: list[dict[str, Any]] = [{"cell": name, "batch": batch, "hidden": hidden} for name in cells]
    calls: list[Callable[..., None]] = [infer, forward, train]
    for call in calls:
        seconds = median_seconds({name: partial(call, cell, x, h) for name, cell in cells.items()}, REPEATS)
        for row in rows:
            of_cell, of_torch = seconds[row["cell"]], seconds["GRU, torch"]
            row[f"microseconds, {call.__name__}"] = round(1e6 * of_cell, 1)
            row[f"ratio, {call.__name__}"] = round(of_cell / of_torch, 3)
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write("cells", [row for batch in BATCH for hidden in HIDDEN for row in compare(batch, hidden)])
