"""The reference networks of tests/data/cells.npz, as torch modules."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

DATA = Path(__file__).parent / "data"


def load(cell: str) -> dict[str, Tensor]:
    """All arrays of one reference network, in float64."""
    with np.load(DATA / "cells.npz") as arrays:
        prefix = f"{cell}/"
        return {key.removeprefix(prefix): torch.from_numpy(arrays[key]) for key in arrays if key.startswith(prefix)}


def assert_matches(ours: Tensor, theirs: Tensor) -> None:
    """max |ours - theirs| <= 1e-10 * max(1, |theirs|), the definition of a match in tests/data/README.md."""
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs() / theirs.abs().clamp(min=1)
    assert error.max() <= 1e-10, f"off by {error.max():.1e}"


def torch_module(kind: type[nn.GRU | nn.LSTM], reference: dict[str, Tensor]) -> nn.RNNBase:
    """The reference network's recurrent part as one module of torch's."""
    module = kind(reference["x"].shape[-1], reference["hn"].shape[-1], num_layers=2, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(reference[reference_name(name)])
    return module


def reference_name(name: str) -> str:
    """`weight_ih_l1` is `param/cells.1.weight_ih_l0`: the reference has one module a layer."""
    stem, layer = name.rsplit("_l", 1)
    return f"param/cells.{layer}.{stem}_l0"
