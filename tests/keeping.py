"""Layers whose held units are known by hand, and random ones of which some are."""

import math

import torch
from devices import here
from torch import Tensor, nn

from multistable.nn import BRC, GRU, LSTM, MGU, NBRC
from multistable.nn._layer import RecurrentLayer

__all__ = ["HARDNESS", "KEEPING", "LAYERS", "THRESHOLD", "blank", "followed", "memory", "partly_held", "set_keeping"]

HARDNESS = 0.25
THRESHOLD = math.log((1 + HARDNESS) / HARDNESS)  # (1 + 2 hardness) sigmoid(x) - hardness is 1
LAYERS: dict[str, type[RecurrentLayer]] = {"gru": GRU, "lstm": LSTM, "mgu": MGU, "brc": BRC, "nbrc": NBRC}
# Which gates keep a unit, by their place in weight_ih, and on which side.
KEEPING = {"gru": {1: 1}, "lstm": {0: -1, 1: 1}, "mgu": {0: -1}, "brc": {0: 1}, "nbrc": {0: 1}}


def blank(
    name: str, hidden_size: int = 1, num_layers: int = 1, hardness: float = HARDNESS, dtype: torch.dtype = torch.float32
) -> RecurrentLayer:
    """A layer of one input with all weights zero."""
    layer = here(LAYERS[name](1, hidden_size, num_layers, dtype=dtype, hardness=hardness))
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


@torch.no_grad()
def set_keeping(
    layer: RecurrentLayer, unit: int, bias: float, weight: float = 0.0, by: dict[int, float] | None = None
) -> None:
    """The gates that keep a unit of layer 0 see `bias + weight x + sum of by[k] h_k`."""
    weights = layer.weights("_l0")
    assert weights.bias is not None
    for gate, sign in KEEPING[layer.recurrence.name].items():
        row = gate * layer.hidden_size + unit
        weights.bias[row], weights.ih[row] = sign * bias, sign * weight
        for other, value in (by or {}).items():
            weights.hh[row, other] = sign * value


@torch.no_grad()
def partly_held(name: str, seed: int, dtype: torch.dtype = torch.float32) -> RecurrentLayer:
    """Two layers of 12 units, of two inputs, whose gates are biased towards keeping by more or less."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = LAYERS[name](2, 12, 2, dtype=dtype, hardness=HARDNESS)
        for suffix in ("_l0", "_l1"):
            weights = layer.weights(suffix)
            assert weights.bias is not None
            for weight in (weights.ih, weights.hh):
                weight.copy_(torch.randn_like(weight) * 0.3)
            # Half of the units are meant to move.
            towards = torch.where(torch.arange(12) % 2 == 0, 3 + 6 * torch.rand(12), torch.randn(12)).to(dtype)
            for gate, sign in KEEPING[name].items():
                weights.bias[gate * 12 : (gate + 1) * 12] = sign * towards
    return here(layer)


def memory(states: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """What a held unit keeps: h, of an LSTM c."""
    return states if isinstance(states, Tensor) else states[1]


def followed(
    layer: RecurrentLayer, states: Tensor | tuple[Tensor, Tensor], bound: float, steps: int, seed: int
) -> list[Tensor]:
    """Inputs (T, B, I) of three sorts, all within the bound: uniform, at its corners, and slow."""
    shape = (steps, memory(states).shape[1], layer.input_size)
    generator = torch.Generator().manual_seed(seed)
    uniform = (2 * torch.rand(shape, generator=generator) - 1) * bound
    corners = torch.randn(shape, generator=generator).sign() * bound
    slow = torch.randn(shape, generator=generator).cumsum(0).div(30).sin() * bound
    like = next(layer.parameters())
    return [inputs.clamp(-bound, bound).to(like) for inputs in (uniform, corners, slow)]
