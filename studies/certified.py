"""What is certified in every cell beside VAA: as the paper starts it, after warmups, and with bistable units.

Run: python studies/certified.py
"""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from multistability import CELLS, network
from rows import Row, complete
from torch import Tensor, nn

from multistable import Attractors, attractors, init, measure, warmup
from multistable.tasks import copy_first_input

LENGTH, SEQUENCES, SEEDS, N, HORIZON = 100, 1000, 3, 64, 2_000
BISTABLE_BY_INIT = ("LSTM", "GRU", "MGU")


def contraction(module: nn.Module, inputs: Tensor, seed: int) -> None:
    """A warmup that keeps wells."""
    warmup(module, inputs, objective="contraction", lr=1e-3, generator=seed)


def bistable_contraction(module: nn.Module, inputs: Tensor, seed: int) -> None:
    """Bistable units, and a warmup that keeps their wells."""
    contraction(init.bistable_(module), inputs, seed)


def variants(cell: str) -> dict[str, Callable[[nn.Module, Tensor, int], object]]:
    """What is done to a new network."""
    done: dict[str, Callable[[nn.Module, Tensor, int], object]] = {
        "new": lambda module, inputs, seed: None,
        "warmup": lambda module, inputs, seed: warmup(module, inputs, generator=seed),
    }
    if cell in BISTABLE_BY_INIT:
        done["bistable_"] = lambda module, inputs, seed: init.bistable_(module)
        done["bistable_, contraction"] = bistable_contraction
    else:
        done["contraction"] = contraction
    return done


def figures(found: Attractors) -> dict[str, Any]:
    """How many attractors are certified, how long they take to come to, and what else there is."""
    constants = [one.time_constant for one in found.attractors if one.time_constant is not None]
    exponents = [(one.exponent, one.exponent_error) for one in found.attractors if one.exponent is not None]
    return {
        "certified": found.certified,
        "count": found.count,
        "shares": {kind: share for kind, share in found.shares.items() if share > 0},
        "time constant, median": round(statistics.median(constants), 1) if constants else None,
        "exponent": [float(f"{value:.3g}") for value in exponents[0]] if exponents else None,
    }


CASES = [
    {"cell": cell, "variant": variant, "seed": seed}
    for seed in range(SEEDS)
    for cell in CELLS
    for variant in variants(cell)
]


def certify(cell: str, variant: str, seed: int) -> Row:
    """What is certified in one network."""
    sequences, _ = copy_first_input(LENGTH, SEQUENCES, generator=seed).tensors
    inputs = sequences.transpose(0, 1)
    module = network(cell, doubled=False, seed=seed)
    variants(cell)[variant](module, inputs, seed)
    measured = measure(module, inputs, horizon=HORIZON, n=N, generator=seed)
    found = attractors(module, inputs, n=N, generator=seed)
    return {
        "vaa at 2,000 steps": round(measured.vaa, 4),
        **figures(found),
        "layers": {layer.name: figures(layer) for layer in found.per_layer},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("certified", CASES, certify)
