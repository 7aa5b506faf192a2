"""`DoubleLayer`: two layers side by side on the same input."""

import numbers
from typing import Any, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from multistable.nn._call import State, TensorOrPacked
from multistable.nn._layer import RecurrentLayer, check_dropout
from multistable.nn._module import check_flag, check_size
from multistable.nn.lstm import LSTM

__all__ = ["DoubleLayer"]


class DoubleLayer(nn.Module):
    """Layers made of two parts side by side, of which `multistable.warmup` changes only the first.

    The double layer of Lambrechts et al. 2023 (arXiv:2106.01001): both parts of a layer receive the same input, and
    their outputs and states are concatenated, the first part's before the second's. The first part remembers after a
    warmup; the second keeps the precision that a warmup can cost. Called as torch's layer types are.

    Args:
        layer_type: torch's `nn.RNN`, `nn.GRU` or `nn.LSTM`, or `GRU`, `LSTM`, `MGU`, `BRC` or `NBRC`.
        input_size: I, features of an input.
        hidden_size: H, hidden units of both parts together.
        num_layers: layers on top of each other.
        warm: the first part's share of the hidden units, in (0, 1); rounded to whole units, at least one in each part.
        **kwargs: any other argument of `layer_type` (`bias`, `batch_first`, `dropout`, `bidirectional`, `device`,
            `dtype`, `nonlinearity`, `hardness`), but for `proj_size`.

    Attributes:
        first: the first part of each layer, as single layers of `layer_type`.
        second: the second part of each layer.

    Raises:
        TypeError: `layer_type` is none of these, or an argument has the wrong type.
        ValueError: a size is too small, or `warm` or `dropout` out of its range.

    Examples:
        >>> import torch
        >>> from multistable.nn import DoubleLayer
        >>> double = DoubleLayer(torch.nn.LSTM, 3, 8, num_layers=2)
        >>> outputs, (h, c) = double(torch.randn(20, 5, 3))
        >>> outputs.shape, h.shape, double.first[1]
        (torch.Size([20, 5, 8]), torch.Size([2, 5, 8]), LSTM(8, 4))
    """

    def __init__(
        self,
        layer_type: type[nn.RNNBase] | type[RecurrentLayer],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        warm: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not (isinstance(layer_type, type) and issubclass(layer_type, (nn.RNN, nn.GRU, nn.LSTM, RecurrentLayer))):
            raise TypeError(f"layer_type should be a type of recurrent layer, such as nn.GRU, got: {layer_type!r}")
        if kwargs.get("proj_size", 0) != 0:
            raise ValueError("proj_size is not supported: a double layer splits the hidden units, not a projection")
        if layer_type is RecurrentLayer:
            raise TypeError(f"layer_type should be one of the layers themselves, got: {layer_type.__name__}")
        check_size("num_layers", num_layers)
        for name in ("bias", "batch_first", "bidirectional"):
            check_flag(name, kwargs.get(name, False))
        dropout = kwargs.pop("dropout", 0.0)
        check_dropout(dropout, num_layers)
        sizes = _part_sizes(hidden_size, warm)
        self.layer_type = layer_type
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.warm = warm
        self.dropout = float(dropout)
        widths = [input_size, *[hidden_size * (2 if kwargs.get("bidirectional") else 1)] * (num_layers - 1)]
        self.first, self.second = (
            nn.ModuleList(layer_type(width, size, **kwargs) for width in widths) for size in sizes
        )
        self.bias = bool(kwargs.get("bias", True))
        self.batch_first = bool(kwargs.get("batch_first", False))
        self.bidirectional = bool(kwargs.get("bidirectional", False))
        self._sizes = list(sizes)

    @property
    def layers(self) -> list[tuple[nn.Module, nn.Module]]:
        """The two parts of each layer, from the lowest up."""
        return list(zip(self.first, self.second, strict=True))

    def reset_parameters(self) -> None:
        """Draw the parameters of both parts anew."""
        for part in [*self.first, *self.second]:
            part.reset_parameters()

    def flatten_parameters(self) -> None:
        """Call it on each part: torch's layers lay out their parameters for cuDNN."""
        for part in [*self.first, *self.second]:
            part.flatten_parameters()

    def extra_repr(self) -> str:
        defaults = {"num_layers": 1, "warm": 0.5, "dropout": 0.0}
        given = [f", {name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return f"{self.layer_type.__name__}, {self.input_size}, {self.hidden_size}{''.join(given)}"

    @overload
    def forward(self, input: Tensor, hx: State | None = None) -> tuple[Tensor, State]: ...
    @overload
    def forward(self, input: PackedSequence, hx: State | None = None) -> tuple[PackedSequence, State]: ...
    def forward(self, input: TensorOrPacked, hx: State | None = None) -> tuple[TensorOrPacked, State]:
        """Run the layers over sequences.

        Args:
            input: as the layer type takes it: (T, B, I), (B, T, I) if `batch_first`, (T, I), or a `PackedSequence`.
            hx: the states to start from, as the layer type takes them; their last dimension holds both parts.

        Returns:
            As the layer type: outputs and last states, the first part's features before the second's (for both
            directions: within each direction).

        Raises:
            TypeError: `hx` is not what the layer type takes.
            RuntimeError: `hx` has the wrong shape. The parts raise what is wrong with `input`.
        """
        self._check_state(hx, input)
        states = self.split_state(hx)
        lasts = []
        for k, parts in enumerate(self.layers):
            if k > 0 and self.dropout > 0:
                input = self._drop(input)
            results = [part(input, state) for part, state in zip(parts, states[k], strict=True)]
            input = self._beside([output for output, _ in results])
            lasts.append(_concatenate([last for _, last in results], -1))
        return input, _concatenate(lasts, 0)

    def _check_state(self, hx: Any, input: TensorOrPacked) -> None:
        """Raise unless `hx` is what the layer type takes with `input`; a wrong `input` is left to the parts."""
        if hx is None or not isinstance(input, Tensor | PackedSequence):
            return
        count = 2 if issubclass(self.layer_type, (nn.LSTM, LSTM)) else 1
        given = [hx] if isinstance(hx, Tensor) else list(hx) if isinstance(hx, (tuple, list)) else []
        if (
            isinstance(hx, Tensor) != (count == 1)
            or len(given) != count
            or not all(isinstance(s, Tensor) for s in given)
        ):
            wanted = "a tensor" if count == 1 else "a tuple of two tensors"
            raise TypeError(f"DoubleLayer: Expected hx to be {wanted} for {self.layer_type.__name__}, got {_kinds(hx)}")
        if isinstance(input, PackedSequence):
            batch = [int(input.batch_sizes[0])]
        else:
            batch = [input.shape[0 if self.batch_first else 1]] if input.dim() == 3 else []
        expected = [self.num_layers * (2 if self.bidirectional else 1), *batch, self.hidden_size]
        for one in given:
            if list(one.shape) != expected:
                raise RuntimeError(f"DoubleLayer: Expected hidden size {tuple(expected)}, got {list(one.shape)}")

    def _drop(self, sequences: TensorOrPacked) -> TensorOrPacked:
        data = sequences.data if isinstance(sequences, PackedSequence) else sequences
        return _like(sequences, F.dropout(data, self.dropout, self.training))

    def split_state(self, hx: State | None) -> list[list[State | None]]:
        """What each part of each layer starts from."""
        if hx is None:
            return [[None, None] for _ in range(self.num_layers)]
        directions = 2 if self.bidirectional else 1
        if isinstance(hx, Tensor):
            return [list(layer.split(self._sizes, -1)) for layer in hx.split(directions)]
        parts = [[layer.split(self._sizes, -1) for layer in one.split(directions)] for one in hx]
        return [list(zip(*of_layer, strict=True)) for of_layer in zip(*parts, strict=True)]

    def _beside(self, outputs: list[TensorOrPacked]) -> TensorOrPacked:
        """The parts' outputs side by side, within each direction."""
        directions = 2 if self.bidirectional else 1
        data = [one.data if isinstance(one, PackedSequence) else one for one in outputs]
        beside = torch.cat([one.unflatten(-1, (directions, -1)) for one in data], -1).flatten(-2)
        return _like(outputs[0], beside)


def _like(sequences: TensorOrPacked, data: Tensor) -> TensorOrPacked:
    """`data` in the form of `sequences`."""
    if not isinstance(sequences, PackedSequence):
        return data
    # Not by _replace, which torch.compile does not get right.
    return PackedSequence(data, sequences.batch_sizes, sequences.sorted_indices, sequences.unsorted_indices)


def _kinds(hx: Any) -> str:
    """The type of `hx`, and of what it holds."""
    if not isinstance(hx, (tuple, list)):
        return type(hx).__name__
    return f"{type(hx).__name__} of {', '.join(type(one).__name__ for one in hx) or 'nothing'}"


def _part_sizes(hidden_size: int, warm: float) -> tuple[int, int]:
    check_size("hidden_size", hidden_size)
    if hidden_size < 2:
        raise ValueError(f"hidden_size must be at least 2, one unit for each part, got {hidden_size}")
    if isinstance(warm, bool) or not isinstance(warm, numbers.Real):
        raise TypeError(f"warm should be a number, got: {type(warm).__name__}")
    if not 0 < warm < 1:
        raise ValueError(f"warm must lie between 0 and 1, so that both parts have units, got {warm}")
    first = min(max(1, round(warm * hidden_size)), hidden_size - 1)
    return first, hidden_size - first


def _concatenate(states: list[Any], dim: int) -> State:
    if isinstance(states[0], tuple):
        return tuple(torch.cat(one, dim) for one in zip(*states, strict=True))
    return torch.cat(states, dim)
