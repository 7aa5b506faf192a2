"""VAA of every cell, plain and doubled, as the paper starts it and after a warmup, at a long horizon.

Run: python studies/multistability.py
"""

from typing import Any

import torch
from rows import Row, complete
from torch import nn

from multistable import Multistability, init, measure, warmup
from multistable.nn import BRC, MGU, NBRC, DoubleLayer
from multistable.tasks import copy_first_input

HIDDEN, LAYERS, LENGTH, SEQUENCES, SEEDS = 64, 2, 100, 1000, 3
HORIZON, SHORT = 10_000, 240
CELLS: dict[str, type[nn.Module]] = {
    "LSTM": nn.LSTM,
    "chrono LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "MGU": MGU,
    "BRC": BRC,
    "nBRC": NBRC,
}
CASES = [
    {"cell": cell, "doubled": doubled, "seed": seed}
    for cell in CELLS
    for doubled in (False, True)
    for seed in range(SEEDS)
]


def network(cell: str, doubled: bool, seed: int) -> nn.Module:
    """The network as the paper starts it."""
    kind: Any = CELLS[cell]
    module = DoubleLayer(kind, 1, HIDDEN, LAYERS) if doubled else kind(1, HIDDEN, LAYERS)
    init.paper_(module, generator=seed)
    if cell == "chrono LSTM":
        init.chrono_(module, t_max=LENGTH, generator=seed)
    return module


def figures(measured: Multistability) -> dict[str, Any]:
    """VAA and residual at the horizon, and VAA just above the horizons that a warmup trains on."""
    short = measured.trace.horizons.index(SHORT)
    return {
        "vaa": measured.vaa,
        "vaa at 240 steps": measured.trace.vaa[short],
        "residual": measured.residual,
        "layers": {
            layer.name: {"vaa": layer.vaa, "vaa at 240 steps": layer.trace.vaa[short], "residual": layer.residual}
            for layer in measured.per_layer
        },
    }


def before_and_after(cell: str, doubled: bool, seed: int) -> Row:
    """A network as the paper starts it, and after a warmup."""
    module = network(cell, doubled, seed)
    sequences, _ = copy_first_input(LENGTH, SEQUENCES, generator=seed).tensors
    inputs = sequences.transpose(0, 1)
    before = measure(module, inputs, horizon=HORIZON, generator=seed)
    result = warmup(module, inputs, generator=seed)
    after = measure(module, inputs, horizon=HORIZON, generator=seed)
    return {
        "before": figures(before),
        "after": figures(after),
        "warmup": {"status": result.status, "seconds": round(result.seconds, 1)},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("multistability", CASES, before_and_after)
