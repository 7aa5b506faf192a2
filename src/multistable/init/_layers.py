"""The layers and directions that an initialiser takes, and what it asks of them."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch import Tensor, nn

import multistable.nn
from multistable.nn import DoubleLayer
from multistable.nn._directions import Direction, directions_of

__all__ = ["GRU", "LSTM", "RNN", "Module", "find_layers", "with_biases", "with_nonlinearity", "zero"]

Module = TypeVar("Module", bound=nn.Module)

LSTM = (nn.LSTM, nn.LSTMCell, multistable.nn.LSTM)
GRU = (nn.GRU, nn.GRUCell, multistable.nn.GRU)
RNN = (nn.RNN, nn.RNNCell)


def find_layers(function: str, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[Direction]:
    """The layers and directions of a module, which must be of one of `kinds`."""
    layers = list(_search(function, module, kinds))
    for layer in layers:
        layer.own_weights()  # raises for those that are computed from others, before anything has changed
    return layers


def _search(function: str, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[Direction]:
    if isinstance(module, DoubleLayer):
        for part in [*module.first, *module.second]:
            yield from _search(function, part, kinds)
        return
    if not isinstance(module, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{function} takes {names} or a DoubleLayer of them, got {type(module).__name__}")
    for of_layer in directions_of(module):
        yield from of_layer


def with_biases(function: str, layers: list[Direction]) -> list[Direction]:
    """The layers given; raise unless all have biases."""
    for layer in layers:
        if not layer.module.bias:
            raise ValueError(f"{function} sets biases, got {type(layer.module).__name__} with bias=False")
    return layers


def with_nonlinearity(function: str, layers: list[Direction], nonlinearity: str) -> None:
    """Raise unless all layers have the nonlinearity."""
    for layer in layers:
        given: Any = layer.module.nonlinearity
        if given != nonlinearity:
            kind = type(layer.module).__name__
            raise TypeError(f"{function} takes {kind} with nonlinearity={nonlinearity!r}, got {given!r}")


def zero(tensors: Iterable[Tensor]) -> None:
    """Set all to zero, in place."""
    for tensor in tensors:
        tensor.zero_()
