"""The calls of a recurrent module, read as sequences."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from multistable._utils.names import type_name
from multistable.nn import DoubleLayer

__all__ = [
    "Sequences",
    "check_inputs",
    "flat_state",
    "full_lengths",
    "merge",
    "read_cell_call",
    "read_double_call",
    "read_layer_call",
    "without_autocast",
]


@dataclass(frozen=True)
class Sequences:
    """What a recurrent module received: sequences, and the states that they start from.

    Attributes:
        inputs: (T, B, I); what lies behind a sequence's end is padding.
        lengths: the sequences' lengths, (B,), on the CPU.
        state: the flat state the module started from, (B, S); None for zeros.
        numbers: the places of the sequences among those that they were chosen from, (B,); None where all were taken.
        places: their places in the batch of all processes, (B,), -1 for what is in none; None where it is not known.
        fed_back: whether the module's inputs are known to depend on what it returned before.
    """

    inputs: Tensor
    lengths: Tensor
    state: Tensor | None = None
    numbers: Tensor | None = None
    places: Tensor | None = None
    fed_back: bool = False

    def __len__(self) -> int:
        return len(self.lengths)

    def clone(self) -> "Sequences":
        """The same in memory of its own."""
        state = None if self.state is None else self.state.clone()
        return replace(self, inputs=self.inputs.clone(), state=state)

    def detach(self) -> "Sequences":
        """The same without the graph that made it."""
        state = None if self.state is None else self.state.detach()
        return replace(self, inputs=self.inputs.detach(), state=state)

    def rows(self, index: Tensor) -> "Sequences":
        """The sequences that `index` (k,) names."""
        lengths = self.lengths[index]
        on_device = index.to(self.inputs.device)
        state = None if self.state is None else self.state[on_device]
        numbers = index.cpu() if self.numbers is None else self.numbers[index.cpu()]
        return Sequences(self.inputs[: int(lengths.max()), on_device], lengths, state, numbers)


def merge(calls: list[Sequences]) -> Sequences:
    """All sequences of several calls, padded to the longest."""
    if len(calls) == 1:
        return calls[0]
    longest = max(len(call.inputs) for call in calls)
    inputs = [nn.functional.pad(call.inputs, (0, 0, 0, 0, 0, longest - len(call.inputs))) for call in calls]
    states = None
    known = next((call.state for call in calls if call.state is not None), None)
    if known is not None:
        zeros = [known.new_zeros(len(call), known.shape[1]) for call in calls]
        states = torch.cat(
            [zero if call.state is None else call.state for call, zero in zip(calls, zeros, strict=True)]
        )
    return Sequences(torch.cat(inputs, 1), torch.cat([call.lengths for call in calls]), states)


def read_layer_call(module: Any, inputs: Any, state: Any = None) -> Sequences:
    """Read a call of `nn.RNN`, `nn.GRU`, `nn.LSTM` or a module that is called like them.

    Args:
        module: the module, with torch's `input_size` and `batch_first`.
        inputs: (T, B, I), (B, T, I) if `batch_first`, (T, I), or a `PackedSequence`.
        state: (layers * directions, B, H), a tuple of them, or None.

    Raises:
        TypeError: `inputs` is neither a floating-point tensor nor a `PackedSequence`.
        ValueError: the inputs' rank, feature size, batch or length is wrong.
    """
    if isinstance(inputs, PackedSequence):
        padded, lengths = pad_packed_sequence(inputs)
        check_inputs(module, padded, (3,), module.input_size)
        return Sequences(padded, lengths, _flat_layer_state(state, padded.dim()))
    check_inputs(module, inputs, (2, 3), module.input_size)
    rank = inputs.dim()
    if rank == 2:
        inputs = inputs[:, None]
    elif module.batch_first:
        inputs = inputs.transpose(0, 1)
    return Sequences(inputs, full_lengths(inputs), _flat_layer_state(state, rank))


def read_double_call(module: DoubleLayer, inputs: Any, state: Any = None) -> Sequences:
    """Read a call of a `DoubleLayer`, as `read_layer_call` does; the parts of a layer have a state each."""
    sequences = read_layer_call(module, inputs)
    if state is None:
        return sequences
    unbatched = isinstance(inputs, Tensor) and inputs.dim() == 2
    flat = []
    for parts in module.split_state(state):
        by_direction = [zip(*(one.unbind() for one in _as_tuple(part)), strict=True) for part in parts]
        flat += [torch.cat(one, -1) for pair in zip(*by_direction, strict=True) for one in pair]
    whole = torch.cat(flat, -1)
    return Sequences(sequences.inputs, sequences.lengths, whole[None] if unbatched else whole)


def read_cell_call(module: nn.RNNCellBase, inputs: Any, state: Any = None) -> Sequences:
    """Read a call of a single-step cell as sequences of length one.

    Args:
        module: the cell, with torch's `input_size`.
        inputs: (B, I) or (I,).
        state: (B, H), (H,), a tuple of them, or None.

    Raises:
        TypeError: `inputs` is not a floating-point tensor.
        ValueError: the inputs' rank, feature size or batch is wrong.
    """
    check_inputs(module, inputs, (1, 2), module.input_size)
    inputs = inputs[None, None] if inputs.dim() == 1 else inputs[None]
    return Sequences(inputs, full_lengths(inputs), flat_state(state))


def flat_state(state: Any) -> Tensor | None:
    """(B, S) of a tensor or a tuple of tensors side by side, each (B, H) or, for a single sequence, (H,)."""
    if state is None:
        return None
    return torch.cat([part[None] if part.dim() == 1 else part for part in _as_tuple(state)], -1)


def _flat_layer_state(state: Any, rank: int) -> Tensor | None:
    """torch's (layers * directions, B, H) tensors as one (B, S), layer by layer, direction by direction, h before c."""
    if state is None:
        return None
    parts = [part[:, None] if rank == 2 else part for part in _as_tuple(state)]
    return torch.cat([torch.cat(layer, -1) for layer in zip(*(part.unbind() for part in parts), strict=True)], -1)


def _as_tuple(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def without_autocast(module: nn.Module, value: Any) -> Any:
    """The tensors in `value` in the dtype of the module's parameters, where autocast may have changed it.

    Args:
        module: the module that received them.
        value: a tensor, a `PackedSequence`, or tuples and lists of tensors; anything else is left alone.
    """
    if isinstance(value, PackedSequence):
        return value._replace(data=without_autocast(module, value.data))
    if type(value) in (tuple, list):
        return type(value)(without_autocast(module, one) for one in value)
    if isinstance(value, Tensor) and value.is_floating_point() and torch.is_autocast_enabled(value.device.type):
        return value.to(next(module.parameters(), value).dtype.to_real())
    return value


def full_lengths(inputs: Tensor) -> Tensor:
    """The lengths (B,) of sequences (T, B, I) without padding."""
    return torch.full((inputs.shape[1],), len(inputs), device="cpu")


def check_inputs(module: nn.Module, inputs: Any, ranks: tuple[int, ...], input_size: int) -> None:
    """Raise unless `inputs` is a tensor that `module` can read: one of `ranks`, `input_size` features, not empty."""
    kind = type_name(type(module))
    if not isinstance(inputs, Tensor):
        raise TypeError(f"inputs of {kind} must be a tensor or a PackedSequence, got {type_name(type(inputs))}")
    if inputs.layout != torch.strided:
        raise TypeError(f"inputs of {kind} must be a dense tensor, got layout {inputs.layout}")
    if inputs.dim() not in ranks:
        expected = " or ".join(f"{rank}-D" for rank in ranks)
        raise ValueError(f"inputs of {kind} must be {expected}, got {inputs.dim()}-D of shape {tuple(inputs.shape)}")
    if inputs.shape[-1] != input_size:
        raise ValueError(f"inputs of {kind} must have {input_size} features, got {inputs.shape[-1]}")
    if inputs.numel() == 0:
        raise ValueError(
            f"inputs of {kind} must hold at least one sequence of at least one step, got shape {tuple(inputs.shape)}"
        )
    first = next(module.parameters(), None)
    dtype = inputs.dtype if first is None else first.dtype.to_real()
    if inputs.dtype != dtype:
        raise TypeError(f"inputs of {kind} must have its parameters' dtype {dtype}, got {inputs.dtype}")
