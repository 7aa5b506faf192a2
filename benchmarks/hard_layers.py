"""GRU and LSTM beside torch's, with ordinary and with hard gates; and what `Hardening` and the margin add to a step.

Run: python benchmarks/hard_layers.py
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from side_by_side import median_seconds, write
from torch import nn

from multistable import margin_loss
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, Hardening

LENGTH, BATCH, REPEATS = 300, 32, 15
HIDDEN, HARDNESS = (128, 256), 0.3
OURS: dict[str, Any] = {"GRU": GRU, "LSTM": LSTM, "MGU": MGU, "BRC": BRC, "nBRC": NBRC}
TORCHS: dict[str, Any] = {"GRU": nn.GRU, "LSTM": nn.LSTM}
STEP = {"hidden": 64, "layers": 2, "length": 100}  # as in studies/hard_gates.py


def train(module: nn.Module, inputs: torch.Tensor, turn: int) -> None:
    """Forward, and backward to all parameters and the inputs."""
    outputs, _ = module(inputs)
    outputs.sum().backward()


def layers(hidden: int) -> list[dict[str, Any]]:
    """One layer of each kind, on inputs as a layer above another receives them."""
    inputs = torch.randn(LENGTH, BATCH, hidden, requires_grad=True)
    modules = {f"{cell}, torch": kind(hidden, hidden) for cell, kind in TORCHS.items()}
    for cell, kind in OURS.items():
        modules[f"{cell}, 0"] = kind(hidden, hidden)
        modules[f"{cell}, {HARDNESS}"] = kind(hidden, hidden, hardness=HARDNESS)
    seconds = median_seconds({name: partial(train, module, inputs) for name, module in modules.items()}, REPEATS)
    rows = []
    for cell in OURS:
        beside = cell if cell in TORCHS else "GRU"
        row: dict[str, Any] = {"cell": cell, "hidden": hidden, "beside": beside}
        for hardness in (0, HARDNESS):
            row[f"ratio, hardness {hardness}"] = round(seconds[f"{cell}, {hardness}"] / seconds[f"{beside}, torch"], 3)
        rows.append(row | {"milliseconds, torch": round(1e3 * seconds[f"{beside}, torch"], 1)})
    return rows


def steps() -> list[dict[str, Any]]:
    """A training step as in the study, and what it takes beside."""
    rows = []
    for cell in ("GRU", "LSTM"):
        module = OURS[cell](1, STEP["hidden"], STEP["layers"], hardness=HARDNESS)
        inputs = torch.randn(STEP["length"], BATCH, 1)
        hardening = Hardening(module, 10**9, start=0, end=1, to=0.3)
        _, hx = module(inputs)
        state = hx.detach() if isinstance(hx, torch.Tensor) else tuple(one.detach() for one in hx)

        def margin(turn: int, module: nn.Module = module, state: Any = state) -> None:
            margin_loss(module, state, 5.0).backward()

        def harden(turn: int, hardening: Hardening = hardening) -> None:
            for _ in range(100):
                hardening.step()

        tasks: dict[str, Callable[[int], object]] = {
            "training step": partial(train, module, inputs),
            "margin": margin,
            "hardening": harden,
        }
        seconds = median_seconds(tasks, REPEATS)
        rows.append(
            {
                "cell": cell,
                "milliseconds, training step": round(1e3 * seconds["training step"], 2),
                "margin_loss / training step": round(seconds["margin"] / seconds["training step"], 3),
                "Hardening.step / training step": round(seconds["hardening"] / 100 / seconds["training step"], 5),
            }
        )
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write("hard_layers", [row for hidden in HIDDEN for row in layers(hidden)] + steps())
