"""What the recurrent layers share: the interface of torch's layers around a recurrence."""

import numbers
import warnings
from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from multistable.nn._call import Call, State, TensorOrPacked
from multistable.nn._directions import suffixes
from multistable.nn._module import RecurrentModule, check_flag, check_size
from multistable.nn.ops._plain import is_traced, untraced

__all__ = ["RecurrentLayer", "check_dropout"]


class RecurrentLayer(RecurrentModule):
    """Layers of one type on top of each other, with the interface of `nn.GRU`; subclasses say what a layer computes."""

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
        check_size("num_layers", num_layers)
        for name, flag in (("batch_first", batch_first), ("bidirectional", bidirectional)):
            check_flag(name, flag)
        check_dropout(dropout, num_layers)
        super().__init__(input_size, hidden_size, suffixes(num_layers, bidirectional), bias, device, dtype, hardness)
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.reset_parameters()

    def flatten_parameters(self) -> None:
        """Do nothing: there is no layout of the parameters to restore. Kept for code that was written for `nn.GRU`."""

    def extra_repr(self) -> str:
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        given = {name: getattr(self, name) for name in defaults}
        return self._described({name: value for name, value in given.items() if value != defaults[name]})

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
        with untraced():
            return self._run(input, hx)

    def _run(self, input: TensorOrPacked, hx: State | None) -> tuple[TensorOrPacked, State]:
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
        # Return a copy of what the backward pass keeps: callers may write into the output, as into nn.GRU's. A trace is
        # one and the same with gradients and without, as torch checks.
        kept = data is outputs[0] and (data.requires_grad or is_traced())
        data = data.clone() if kept else data
        return call.pack(data), call.states(torch.stack(lasts))


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
