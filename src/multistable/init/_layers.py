"""The layers and directions of a recurrent module, and their parameters gate by gate."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from multistable.nn import DoubleLayer
from multistable.nn._layer import RecurrentLayer
from multistable.nn._parameters import parameter_of

__all__ = ["GRU", "LSTM", "RNN", "Layer", "Module", "find_layers", "with_biases", "with_nonlinearity", "zero"]

Module = TypeVar("Module", bound=nn.Module)

LSTM = (nn.LSTM, nn.LSTMCell)
GRU = (nn.GRU, nn.GRUCell)
RNN = (nn.RNN, nn.RNNCell)


class Layer(NamedTuple):
    """One layer and direction of a recurrent module."""

    module: nn.Module
    suffix: str

    @property
    def hidden_size(self) -> int:
        return int(self.module.hidden_size)  # type: ignore[arg-type]

    def parameter(self, kind: str) -> Tensor:
        """The parameter whose name begins with `kind`, without its graph."""
        return parameter_of(self.module, f"{kind}{self.suffix}").detach()

    def gates(self, kind: str) -> tuple[Tensor, ...]:
        """The same, gate by gate; changes reach the parameter."""
        gates: tuple[Tensor, ...] = self.parameter(kind).split(self.hidden_size)
        return gates

    def biases(self) -> list[Tensor]:
        """The biases, if there are any."""
        if not self.module.bias:
            return []
        kinds = ("bias",) if isinstance(self.module, RecurrentLayer) else ("bias_ih", "bias_hh")
        return [self.parameter(kind) for kind in kinds]

    def parameters(self) -> list[Tensor]:
        """All parameters."""
        projection = ["weight_hr"] if getattr(self.module, "proj_size", 0) else []
        return [*(self.parameter(kind) for kind in ("weight_ih", "weight_hh", *projection)), *self.biases()]


def find_layers(function: str, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[Layer]:
    """The layers and directions of a module, which must be of one of `kinds`."""
    layers = list(_search(function, module, kinds))
    for layer in layers:
        layer.parameters()  # raises for those that are computed from others, before anything has changed
    return layers


def _search(function: str, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[Layer]:
    if isinstance(module, DoubleLayer):
        for part in [*module.first, *module.second]:
            yield from _search(function, part, kinds)
        return
    if not isinstance(module, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{function} takes {names} or a DoubleLayer of them, got {type(module).__name__}")
    if isinstance(module, nn.RNNCellBase):
        yield Layer(module, "")
        return
    directions = ("", "_reverse") if module.bidirectional else ("",)
    for k in range(int(module.num_layers)):  # type: ignore[arg-type]
        for direction in directions:
            yield Layer(module, f"_l{k}{direction}")


def with_biases(function: str, layers: list[Layer]) -> list[Layer]:
    """The layers given; raise unless all have biases."""
    for layer in layers:
        if not layer.module.bias:
            raise ValueError(f"{function} sets biases, got {type(layer.module).__name__} with bias=False")
    return layers


def with_nonlinearity(function: str, layers: list[Layer], nonlinearity: str) -> None:
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
