"""The layers and directions that an initialiser takes, and what it asks of them."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch import Tensor, nn

import multistable.nn
from multistable.nn._directions import Direction, directions_of
from multistable.nn._layer import RecurrentLayer

__all__ = [
    "BRC",
    "GRU",
    "LSTM",
    "MGU",
    "NBRC",
    "RNN",
    "Module",
    "find_layers",
    "with_biases",
    "with_nonlinearity",
    "without_projection",
    "zero",
]

Module = TypeVar("Module", bound=nn.Module)

LSTM = (nn.LSTM, nn.LSTMCell, multistable.nn.LSTM)
GRU = (nn.GRU, nn.GRUCell, multistable.nn.GRU)
RNN = (nn.RNN, nn.RNNCell)
MGU = (multistable.nn.MGU, multistable.nn.MGUCell)
BRC = (multistable.nn.BRC, multistable.nn.BRCCell)
NBRC = (multistable.nn.NBRC, multistable.nn.NBRCCell)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase, RecurrentLayer)


def find_layers(function: str, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[Direction]:
    """The layers and directions of all recurrent modules in a module, each of which must be of one of `kinds`.

    Recurrent are torch's modules and those of `multistable.nn`; any others are passed over.

    Raises:
        TypeError: one of them is of another kind, there is none, or its weights are computed from others.
    """
    found = list(_recurrent_modules(module)) if isinstance(module, nn.Module) else []
    takes = f"{function} takes {', '.join(kind.__name__ for kind in kinds)}, a DoubleLayer of them or a model with some"
    if not found:
        raise TypeError(f"{takes}, got {type(module).__name__}")
    for name, one in found:
        if not isinstance(one, kinds):
            raise TypeError(f"{takes}, got {type(one).__name__}{f' ({name!r})' if name else ''}")
    layers = [layer for _, one in found for of_layer in directions_of(one) for layer in of_layer]
    for layer in layers:
        layer.own_weights()  # raises for those that are computed from others, before anything has changed
    return layers


def _recurrent_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Those in a module, each once, by the names that they have in it; of a `DoubleLayer` its parts."""
    return ((name, one) for name, one in module.named_modules() if isinstance(one, _RECURRENT))


def with_biases(function: str, layers: list[Direction]) -> list[Direction]:
    """The layers given; raise unless all have biases."""
    for layer in layers:
        if not layer.bias_names:
            raise ValueError(f"{function} sets biases, got {type(layer.module).__name__} with bias=False")
    return layers


def with_nonlinearity(function: str, layers: list[Direction], nonlinearity: str) -> None:
    """Raise unless all layers have the nonlinearity."""
    for layer in layers:
        given: Any = layer.module.nonlinearity
        if given != nonlinearity:
            kind = type(layer.module).__name__
            raise TypeError(f"{function} takes {kind} with nonlinearity={nonlinearity!r}, got {given!r}")


def without_projection(function: str, layers: list[Direction]) -> None:
    """Raise if the states of a layer are projected, which mixes its units."""
    for layer in layers:
        size = getattr(layer.module, "proj_size", 0)
        if size != 0:
            raise ValueError(f"{function} needs states that are not projected, got LSTM with proj_size={size}")


def zero(tensors: Iterable[Tensor]) -> None:
    """Set all to zero, in place."""
    for tensor in tensors:
        tensor.zero_()
