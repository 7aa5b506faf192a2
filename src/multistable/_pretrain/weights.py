"""A linear autoencoder as the weights of a recurrent layer."""

from typing import NamedTuple

import torch
from torch import nn

from multistable._pretrain.gram import LinearAutoencoder
from multistable.dynamics import Dynamics
from multistable.dynamics._of_direction import DirectionDynamics
from multistable.init._layers import GRU, LSTM, RNN
from multistable.nn import MGU
from multistable.nn.ops._gates import gate

__all__ = ["check_layer", "set_weights"]

_OPEN_BIAS = 2.0  # of a gate that lets most pass, and still has a gradient; its negative is that of one that is shut


def check_layer(layer: Dynamics) -> None:
    """Raise unless a linear autoencoder can be set into the layer.

    Raises:
        TypeError: it is of a type whose state sees no matrix, or not known.
        ValueError: it has no biases, a projection, or frozen parameters.
    """
    module = layer.module if isinstance(layer, DirectionDynamics) else None
    kind = type(layer).__name__ if module is None else type(module).__name__
    if not isinstance(module, (*RNN, *GRU, *LSTM, MGU)):
        raise TypeError(f"linear_autoencoder takes RNN, GRU, LSTM and MGU, got {kind} in {layer.name!r}")
    if getattr(module, "nonlinearity", "tanh") != "tanh":
        raise TypeError(f"linear_autoencoder takes {kind} with nonlinearity='tanh', got 'relu' in {layer.name!r}")
    if not module.bias:
        raise ValueError(f"linear_autoencoder sets biases, got {kind} with bias=False in {layer.name!r}")
    if getattr(module, "proj_size", 0):
        raise ValueError(f"linear_autoencoder needs states that are not projected, got {kind} in {layer.name!r}")
    if not all(parameter.requires_grad for parameter in layer.parameters()):
        raise ValueError(f"linear_autoencoder sets all parameters of a layer, got some of {layer.name!r} frozen")


class _Gates(NamedTuple):
    """Where the candidate is, what the gates do, and the biases that make them do so, by their places.

    Attributes:
        candidate: the candidate's place.
        keep: how much of the state is kept.
        take: how much of the candidate is taken.
        seen: how much of the state the candidate sees.
        biases: those of the gates.
    """

    candidate: int
    keep: float
    take: float
    seen: float
    biases: dict[int, float]


def set_weights(layer: DirectionDynamics, code: LinearAutoencoder) -> None:
    """Let h_t = A (x_t - mean) + B h_{t-1} as long as tanh is linear; units above the rank stay at 0.

    The gates see nothing, and are what their biases make them. With h' = keep h + take tanh(W x + b + M seen h) the
    weights are W = A / take, b = -W mean and M = (B - keep) / (take seen), for the gates

    - GRU: z shut and r open; keep = z, take = 1 - z, seen = r;
    - MGU: f open; keep = 1 - f, take = f, seen = f;
    - LSTM: f shut, i and o open; c carries h / o, so that keep = f, take = i o, seen = 1.
    """
    weights, gates = layer.weights(), _gates(layer.module)
    size, rank = weights.hh.shape[1], len(code.b)
    ih, hh, bias, *others = (weight.detach() for weight in weights.flat())
    for weight in (ih, hh, bias, *others):
        weight.zero_()
    for place, value in gates.biases.items():
        bias.split(size)[place].fill_(value)
    by_input = code.a / gates.take
    kept = gates.keep * torch.eye(rank, dtype=torch.float64, device="cpu")
    ih.split(size)[gates.candidate][:rank].copy_(by_input)
    hh.split(size)[gates.candidate][:rank, :rank].copy_((code.b - kept) / (gates.take * gates.seen))
    bias.split(size)[gates.candidate][:rank].copy_(-by_input @ code.mean)


def _gates(module: nn.Module) -> _Gates:
    hardness = float(getattr(module, "hardness", 0.0))
    bias = torch.tensor(_OPEN_BIAS, dtype=torch.float64, device="cpu")
    opened, shut, soft = gate(bias, hardness).item(), gate(-bias, hardness).item(), bias.sigmoid().item()
    if isinstance(module, GRU):
        return _Gates(2, shut, 1 - shut, soft, {0: _OPEN_BIAS, 1: -_OPEN_BIAS})
    if isinstance(module, MGU):
        return _Gates(1, 1 - opened, opened, opened, {0: _OPEN_BIAS})
    if isinstance(module, LSTM):
        return _Gates(2, shut, opened * soft, 1.0, {0: _OPEN_BIAS, 1: -_OPEN_BIAS, 3: _OPEN_BIAS})
    return _Gates(0, 0.0, 1.0, 1.0, {})
