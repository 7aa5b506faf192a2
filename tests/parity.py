"""The reference networks of tests/data/cells.npz, as modules."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multistable.nn import BRC, MGU, NBRC, DoubleLayer

DATA = Path(__file__).parent / "data"

# For each cell its type, and what the reference calls the gates of each parameter, as they are stacked.
Gates = dict[str, tuple[str, ...]]
_TORCH: Gates = {name: (f"{name}_l0",) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
_BRC: Gates = {"weight_ih": ("U_c", "U_a", "U_h"), "weight_hh": ("w_c", "w_a"), "bias": ("b_c", "b_a", "b_h")}
CELLS: dict[str, tuple[Any, Gates]] = {
    "lstm": (nn.LSTM, _TORCH),
    "gru": (nn.GRU, _TORCH),
    "mgu": (MGU, {"weight_ih": ("Wx_f", "Wx_h"), "weight_hh": ("Wh_f", "Wh_h"), "bias": ("b_f", "b_h")}),
    "brc": (BRC, _BRC),
    "nbrc": (NBRC, {**_BRC, "weight_hh": ("W_c", "W_a")}),
}
NETWORKS = [f"{cell}{suffix}" for suffix in ("", "_double") for cell in CELLS]


def load(network: str) -> dict[str, Tensor]:
    """All arrays of one reference network, in float64."""
    with np.load(DATA / "cells.npz") as arrays:
        prefix = f"{network}/"
        return {key.removeprefix(prefix): torch.from_numpy(arrays[key]) for key in arrays if key.startswith(prefix)}


def assert_matches(ours: Tensor, theirs: Tensor) -> None:
    """max |ours - theirs| <= 1e-10 * max(1, |theirs|), the definition of a match in tests/data/README.md."""
    assert ours.shape == theirs.shape
    error = (ours.cpu() - theirs).abs() / theirs.abs().clamp(min=1)
    assert error.max() <= 1e-10, f"off by {error.max():.1e}"


def reference_module(network: str, reference: dict[str, Tensor]) -> Any:
    """The reference network's recurrent part as one module of two layers."""
    kind, _ = CELLS[network.removesuffix("_double")]
    sizes = reference["x"].shape[-1], reference["hn"].shape[-1]
    if network.endswith("_double"):
        module = DoubleLayer(kind, *sizes, num_layers=2, dtype=torch.float64)
    else:
        module = kind(*sizes, num_layers=2, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(reference_value(network, reference, name, "param").view_as(parameter))
    return module


def reference_value(network: str, reference: dict[str, Tensor], name: str, what: str) -> Tensor:
    """The reference's values (`what` is "param" or "grad") of a parameter of `reference_module`, gate by gate.

    The reference has one module for each layer: `weight_ih_l1` is `cells.1.weight_ih_l0`. Of a double layer it has two:
    `second.1.weight_ih_l0` is `cells.1.cell_2.weight_ih_l0`.
    """
    *path, last = name.split(".")
    kind, layer = last.rsplit("_l", 1)
    if path:
        layer = f"{path[1]}.cell_{1 if path[0] == 'first' else 2}"
    gates = CELLS[network.removesuffix("_double")][1][kind]
    return torch.cat([reference[f"{what}/cells.{layer}.{gate}"] for gate in gates])
