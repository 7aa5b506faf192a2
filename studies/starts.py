"""Which starts make a network multistable: every initialiser, every pretraining, and the warmup, in every cell.

Run: python studies/starts.py
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from rows import Row, complete
from torch import Tensor, nn

from multistable import attractors, init, measure, pretrain, warmup
from multistable.nn import BRC, MGU, NBRC, DoubleLayer
from multistable.tasks import copy_first_input

HIDDEN, LAYERS, LENGTH, SEQUENCES, SEEDS = 32, 2, 100, 1000, 2
N, HORIZON, FOLLOWED = 64, 2_000, 4_096
GAIN = 1.05  # of critical_: just above
CELLS: dict[str, type[nn.Module]] = {
    "RNN": nn.RNN,
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
    "MGU": MGU,
    "BRC": BRC,
    "nBRC": NBRC,
}
GATED = ("GRU", "LSTM", "MGU", "BRC", "nBRC")
WITH_MATRIX = ("RNN", "GRU", "LSTM", "MGU")


class Start(NamedTuple):
    """What is done to a new network.

    Attributes:
        cells: the cells for which it has a meaning.
        steps: functions (module, sequences, seed), one after the other; a result says how many seconds it took.
        doubled: whether the network is made of double layers.
        readout_first: whether training begins with the readout alone.
    """

    cells: tuple[str, ...]
    steps: tuple[Callable[[nn.Module, Tensor, int], Any], ...] = ()
    doubled: bool = False
    readout_first: bool = False


def chrono(module: nn.Module, inputs: Tensor, seed: int) -> None:
    """For memories as long as the sequences."""
    init.chrono_(module, t_max=len(inputs), generator=seed)


def drawn(initialiser: Callable[..., Any], module: nn.Module, inputs: Tensor, seed: int) -> None:
    """An initialiser that draws."""
    initialiser(module, generator=seed)


def fixed(initialiser: Callable[..., Any], module: nn.Module, inputs: Tensor, seed: int) -> None:
    """An initialiser that does not."""
    initialiser(module)


def pretrained(objective: Any, module: nn.Module, inputs: Tensor, seed: int) -> Any:
    """One of the objectives."""
    return pretrain(module, inputs, objective=objective, generator=seed)


def warmed_up(module: nn.Module, inputs: Tensor, seed: int) -> Any:
    """The paper's procedure."""
    return warmup(module, inputs, generator=seed)


STARTS = {
    "new": Start(tuple(CELLS)),
    "chrono_": Start(GATED, (chrono,)),
    "uniform_gates_": Start(GATED, (partial(drawn, init.uniform_gates_),)),
    "forget_bias_": Start(("LSTM",), (partial(fixed, init.forget_bias_),)),
    "orthogonal_": Start(("RNN", "GRU", "LSTM", "MGU", "nBRC"), (partial(drawn, init.orthogonal_),)),
    "identity_": Start(("RNN",), (partial(drawn, init.identity_),)),
    "quasi_periodic_": Start(("RNN", "GRU"), (partial(drawn, init.quasi_periodic_),)),
    "bistable_": Start(WITH_MATRIX, (partial(fixed, init.bistable_),)),
    "critical_": Start(tuple(CELLS), (partial(drawn, partial(init.critical_, gain=GAIN)),)),
    "autoencoder": Start(tuple(CELLS), (partial(pretrained, "autoencoder"),)),
    "next step": Start(tuple(CELLS), (partial(pretrained, "next_step"),)),
    "linear autoencoder": Start(WITH_MATRIX, (partial(pretrained, "linear_autoencoder"),)),
    "warmup": Start(tuple(CELLS), (warmed_up,)),
    "chrono_, warmup": Start(GATED, (chrono, warmed_up)),
    "warmup, doubled": Start(tuple(CELLS), (warmed_up,), doubled=True),
    "chrono_, warmup, doubled": Start(GATED, (chrono, warmed_up), doubled=True),
    "uniform_gates_, warmup": Start(GATED, (partial(drawn, init.uniform_gates_), warmed_up)),
    "warmup, readout first": Start(GATED, (warmed_up,), readout_first=True),
}


def started(cell: str, start: str, inputs: Tensor, seed: int, layers: int = LAYERS) -> tuple[nn.Module, float]:
    """A network, and the seconds of the processor that the start took; measures of VAA are not among them."""
    kind: Any = CELLS[cell]
    options: dict[str, Any] = {"nonlinearity": "relu"} if start == "identity_" else {}
    torch.manual_seed(seed)
    features = inputs.shape[2]
    if STARTS[start].doubled:
        module: nn.Module = DoubleLayer(kind, features, HIDDEN, layers, **options)
    else:
        module = kind(features, HIDDEN, layers, **options)
    if cell != "RNN":
        init.paper_(module, generator=seed)
    seconds = 0.0
    for step in STARTS[start].steps:
        wall, processor = time.perf_counter(), time.process_time()
        result = step(module, inputs, seed)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        seconds += processor * (1.0 if result is None else result.seconds / wall)
    return module, seconds


def found(cell: str, start: str, seed: int) -> Row:
    """VAA, and what is certified of it."""
    inputs = copy_first_input(LENGTH, SEQUENCES, generator=seed).tensors[0].transpose(0, 1)
    module, seconds = started(cell, start, inputs, seed)
    measured = measure(module, inputs, n=N, horizon=HORIZON, generator=seed)
    reached = attractors(module, inputs, n=N, horizon=FOLLOWED, generator=seed)
    return {
        "vaa": round(measured.vaa, 4),
        "residual": float(f"{measured.residual:.2g}"),
        "certified": round(reached.certified, 4),
        "shares": {kind: round(share, 4) for kind, share in reached.shares.items() if share > 0},
        "seconds": round(seconds, 2),
    }


CASES = [
    {"cell": cell, "start": name, "seed": seed}
    for seed in range(SEEDS)
    for name, start in STARTS.items()
    for cell in start.cells
    if not start.readout_first
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("starts", CASES, found)
