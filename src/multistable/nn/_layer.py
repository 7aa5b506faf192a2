"""What the recurrent layers share: the interface of torch's layers around a recurrence."""

import numbers
import warnings
from itertools import chain
from typing import Any, ClassVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from multistable._utils.checks import check_not_negative
from multistable.nn._call import Call, State, TensorOrPacked
from multistable.nn._directions import Weights, suffixes
from multistable.nn.ops import Recurrence

__all__ = ["RecurrentLayer", "check_dropout", "check_flag", "check_size"]


class RecurrentLayer(nn.Module):
    """Layers of one type on top of each other, with the interface of `nn.GRU`; subclasses say what a layer computes."""

    recurrence: ClassVar[Recurrence]
    bias_names: ClassVar[tuple[str, ...]] = ("bias",)
    hardness: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        hardness: float = 0.0,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check_size(name, size)
        for name, flag in (("bias", bias), ("batch_first", batch_first), ("bidirectional", bidirectional)):
            check_flag(name, flag)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(f"dtype should be a floating-point type, got: {dtype}")
        check_dropout(dropout, num_layers)
        self._first_hardness = check_not_negative("hardness", hardness)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional

        self._suffixes = suffixes(num_layers, bidirectional)
        gates = self.recurrence.gates * hidden_size
        for k, of_layer in enumerate(self._suffixes):
            width = input_size if k == 0 else hidden_size * len(of_layer)
            for suffix in of_layer:
                self._add(f"weight_ih{suffix}", (gates, width), device, dtype)
                self._add(f"weight_hh{suffix}", self.recurrence.recurrent_shape(hidden_size), device, dtype)
                for name in self.bias_names if bias else ():
                    self._add(f"{name}{suffix}", (gates,), device, dtype)
        self.register_buffer("hardness", torch.empty((), device=device, dtype=dtype))
        self.reset_parameters()

    def _reset_recurrent(self, weight_hh: Tensor) -> None:
        """Draw `weight_hh` anew, in place: each gate's matrix Xavier-uniform."""
        _xavier_per_gate(weight_hh, self.hidden_size)

    def _add(
        self, name: str, shape: tuple[int, ...], device: torch.device | str | int | None, dtype: torch.dtype | None
    ) -> None:
        self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the parameters anew, and set `hardness` to what it was made with.

        Weights are Xavier-uniform for each gate, BRC's recurrent ones 1, biases zero; those of GRU and LSTM are drawn
        as torch draws them.
        """
        self.hardness.fill_(self._first_hardness)
        for suffix in chain(*self._suffixes):
            self._reset_direction(self.weights(suffix))

    def _reset_direction(self, weights: Weights) -> None:
        _xavier_per_gate(weights.ih, self.hidden_size)
        self._reset_recurrent(weights.hh)
        if weights.bias is not None:
            weights.bias.zero_()

    def flatten_parameters(self) -> None:
        """Do nothing: there is no layout of the parameters to restore. Kept for code that was written for `nn.GRU`."""

    def weights(self, suffix: str) -> Weights:
        """The weights of the layer and direction whose parameter names end in `suffix`, such as `"_l0_reverse"`."""
        names = "weight_ih", "weight_hh", *(self.bias_names if self.bias else ())
        return Weights(*(getattr(self, name + suffix) for name in names))

    @staticmethod
    def as_given(weights: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
        """`weight_ih`, `weight_hh` and `bias` as the recurrence takes them."""
        return weights.ih, weights.hh, weights.bias

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Without a hardness of zero, so that the state dict of an ordinary layer is torch's."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.hardness.is_meta or self.hardness == 0:
            del destination[f"{prefix}hardness"]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """A state dict with the layer's weights and no hardness is that of an ordinary layer."""
        key = f"{prefix}hardness"
        own = [value for name, value in state_dict.items() if name.startswith(prefix) and isinstance(value, Tensor)]
        if own:
            state_dict = {key: own[0].new_zeros(()), **state_dict}
        given = state_dict.get(key)
        if isinstance(given, Tensor) and not given.is_meta and not _is_hardness(given):
            _, _, _, _, errors = arguments
            errors.append(f"{key} must be finite and not negative, got {given.dtype} {given.tolist()}")
            state_dict = {**state_dict, key: self.hardness}
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def extra_repr(self) -> str:
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        given = [f", {name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        if not self.hardness.is_meta and self.hardness != 0:
            given.append(f", hardness={self.hardness.item():.4g}")
        return f"{self.input_size}, {self.hidden_size}{''.join(given)}"

    @overload
    def forward(self, input: Tensor, hx: State | None = None) -> tuple[Tensor, State]: ...
    @overload
    def forward(self, input: PackedSequence, hx: State | None = None) -> tuple[PackedSequence, State]: ...
    def forward(self, input: TensorOrPacked, hx: State | None = None) -> tuple[TensorOrPacked, State]:
        """Run the layers over sequences.

        Args:
            input: (T, B, I), (B, T, I) if `batch_first`, (T, I) for a single sequence, or a `PackedSequence`.
            hx: the states to start from, (num_layers * directions, B, H), or (num_layers * directions, H) for a single
                sequence; for an LSTM a pair of them, h and c; zeros by default.

        Returns:
            As torch's layers: what the top layer passes on, in the form of `input` with H (both directions: 2 H)
            features, and the last states in the form of `hx`.

        Raises:
            TypeError: `input` or `hx` is of another type, or nested.
            ValueError: `input` has the wrong number of dimensions, or a dtype or device other than the parameters'.
            RuntimeError: another size is wrong, or there are no steps.
        """
        call = Call(
            input,
            hx,
            kind=type(self).__name__,
            input_size=self.input_size,
            state_shape=(sum(map(len, self._suffixes)), self.hidden_size),
            state_parts=self.recurrence.parts,
            batch_first=self.batch_first,
            like=self.weights("_l0").ih,
        )
        data, states, lasts = call.data, iter(call.h), []
        for k, of_layer in enumerate(self._suffixes):
            if k > 0 and self.dropout > 0:
                data = F.dropout(data, self.dropout, self.training)
            outputs = []
            for suffix in of_layer:
                reverse = suffix.endswith("_reverse")
                seen = call.turn(data) if reverse else data
                weight_ih, weight_hh, bias = self.as_given(self.weights(suffix))
                output, last = self.recurrence(
                    seen, next(states), weight_ih, weight_hh, bias, call.batch_sizes, self.hardness
                )
                outputs.append(call.turn(output) if reverse else output)
                lasts.append(last)
            data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        # Return a copy of what the backward pass keeps: callers may write into the output, as into nn.GRU's.
        data = data.clone() if data.requires_grad and data is outputs[0] else data
        return call.pack(data), call.states(torch.stack(lasts))


def _is_hardness(value: Tensor) -> bool:
    return value.is_floating_point() and bool(((value >= 0) & value.isfinite()).all())


def check_size(name: str, size: int) -> None:
    """Raise unless `size` is an int above zero."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
    if size <= 0:
        raise ValueError(f"{name} must be greater than zero, got {size}")


def check_flag(name: str, flag: bool) -> None:
    """Raise unless `flag` is a bool."""
    if not isinstance(flag, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")


def check_dropout(dropout: float, num_layers: int) -> None:
    """Raise unless `dropout` is a probability; warn where there is no layer that it comes after."""
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Real) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got "
            f"{dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=3,
        )


def _xavier_per_gate(weight: Tensor, hidden_size: int) -> None:
    for gate in weight.split(hidden_size):
        nn.init.xavier_uniform_(gate)
