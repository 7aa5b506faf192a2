"""The arguments of `held` and `margin_loss`, read as layers and states."""

from typing import Any

import torch
from torch import Tensor, nn

from multistable._held.arithmetic import Arithmetic, Interval
from multistable._held.closure import Layer
from multistable._held.steps import STEPS, Box
from multistable._utils.checks import check_finite, check_ordinary
from multistable.nn._directions import Weights, directions_of
from multistable.nn._layer import RecurrentLayer

__all__ = ["States", "as_layer", "check_range", "layers_of", "states_of"]

States = Tensor | tuple[Tensor, Tensor]
"""What a layer returns as its last states: h, (L, B, H) or (L, H), or (h, c)."""


def layers_of(module: nn.Module, dtype: torch.dtype | None = None) -> list[Layer]:
    """The layers of a module, from the lowest up.

    Args:
        module: a layer of `multistable.nn` with hard gates.
        dtype: that of the bounds; by default the module's own, and with the weights' graph.

    Raises:
        TypeError: it is of another type, or its weights are not parameters.
        ValueError: it is bidirectional, its gates are soft, or it is on the meta device.
    """
    if not isinstance(module, RecurrentLayer) or module.recurrence.name not in STEPS:
        raise TypeError(f"module must be a layer of multistable.nn with hard gates, got {type(module).__name__}")
    if module.bidirectional:
        raise ValueError("module must go in one direction: what comes from the end of a sequence has no next input")
    check_ordinary("hardness of module", module.hardness)
    hardness = float(module.hardness)
    if not hardness > 0:
        raise ValueError(f"module must have hard gates, got hardness {hardness:g}: soft gates never reach their ends")
    layers = []
    for (direction,) in directions_of(module):
        layers.append(as_layer(module.recurrence.name, direction.weights(), hardness, dtype))
    return layers


def as_layer(recurrence: str, weights: Weights, hardness: float, dtype: torch.dtype | None = None) -> Layer:
    """A layer by what it computes with; `dtype` is that of the bounds, by default the weights' own."""
    own = weights.ih.dtype
    eps = torch.finfo(own).eps + torch.finfo(dtype or own).eps
    terms = weights.ih.shape[1] + weights.hh.shape[1] + 8
    if dtype is not None:
        cast: list[Any] = [None if value is None else value.detach().to(dtype) for value in weights]
        weights = Weights(*cast)
    return Layer(recurrence, weights, Arithmetic(eps, terms, hardness))


def states_of(name: str, states: States, module: nn.Module, dtype: torch.dtype | None = None) -> list[Box]:
    """The states of each layer, (B, H), as boxes of no size.

    Args:
        name: of the argument.
        states: as the module returns them.
        module: a layer of `multistable.nn`.
        dtype: that of the boxes; by default that of the states.

    Raises:
        TypeError: they are no tensor, or for an LSTM no pair.
        ValueError: their shape, dtype or device is not the module's, there are none, or they hold NaN or infinity.
    """
    pair = module.recurrence.name == "lstm"  # type: ignore[union-attr]
    form = "a pair (h, c) of tensors" if pair else "a tensor"
    given: tuple[Any, ...] = tuple(states) if pair and isinstance(states, tuple | list) else (states,)
    if len(given) != 1 + pair or not all(isinstance(state, Tensor) for state in given):
        raise TypeError(f"{name} of {type(module).__name__} must be {form}, got {type(states).__name__}")
    for state in given:
        _check_state(name, state, module)
    if given[0].shape != given[-1].shape:
        raise ValueError(f"{name}: h and c must have one shape, got {[tuple(state.shape) for state in given]}")
    points = [_points(state, dtype) for state in given]
    return [Box(memory, output) for memory, output in zip(points[-1], points[0], strict=True)]


def check_range(layers: list[Layer], starts: list[Box], bound: float, module: nn.Module) -> None:
    """Raise unless all that a step adds up stays far within the range of the module's dtype.

    Raises:
        ValueError: weights are not finite, or sums of them with states and inputs may overflow.
    """
    limit = torch.finfo(module.weight_ih_l0.dtype).max / 8  # type: ignore[arg-type]
    inputs = bound
    for k, (layer, start) in enumerate(zip(layers, starts, strict=True)):
        weights = [weight.detach().abs() for weight in layer.weights.flat()]
        for weight in weights:
            check_finite(f"weights of layer {k}", weight)
        states = max(1.0, float(start.output.size().detach().max()))  # h' lies between h and -1 or 1
        sums = [float(weight.double().flatten(1).sum(1).max()) for weight in weights[:2]]
        largest = sums[0] * inputs + sums[1] * states + sum(float(bias.max()) for bias in weights[2:])
        if largest > limit:
            raise ValueError(
                f"bound, states and weights of layer {k} must keep sums below {limit:.3g}, got up to {largest:.3g}"
            )
        inputs = states


def _points(state: Tensor, dtype: torch.dtype | None) -> list[Interval]:
    state = state if dtype is None else state.detach().to(dtype)
    return [Interval(of_layer, of_layer) for of_layer in (state.unsqueeze(1) if state.dim() == 2 else state)]


def _check_state(name: str, state: Tensor, module: nn.Module) -> None:
    like: Tensor = module.weight_ih_l0  # type: ignore[assignment]
    layers, hidden_size = module.num_layers, module.hidden_size
    if state.dim() not in (2, 3) or state.shape[0] != layers or state.shape[-1] != hidden_size or state.numel() == 0:
        raise ValueError(
            f"{name} must be ({layers}, B, {hidden_size}), or ({layers}, {hidden_size}) for one sequence, got shape "
            f"{tuple(state.shape)}"
        )
    if state.dtype != like.dtype or state.device != like.device:
        raise ValueError(
            f"{name} must have the module's dtype and device ({like.dtype}, {like.device}), got {state.dtype}, "
            f"{state.device}"
        )
    check_finite(name, state)
