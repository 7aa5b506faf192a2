"""The call of a recurrent layer, read and answered as torch's layers do."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

__all__ = ["Call", "State", "TensorOrPacked", "match"]

State = Tensor | tuple[Tensor, ...]
TensorOrPacked = Tensor | PackedSequence


class Call:
    """The arguments of a call as the recurrence takes them, and its results as the caller expects them.

    Args:
        input: what was passed.
        hx: the states that were passed, if any.
        kind: the layer's name in messages.
        input_size: I, features of an input.
        state_shape: (num_layers * directions, H).
        state_parts: how many tensors make up the states: two for an LSTM.
        batch_first: as of the layer.
        like: a weight, whose dtype and device inputs and states must have.

    Attributes:
        data: (T, B, I), or the rows of a `PackedSequence`, (N, I).
        batch_sizes: how many rows each step has, for a `PackedSequence`.
        h: the states to start from, one (B, parts * H) for each layer and direction, sorted as the sequences.
    """

    def __init__(
        self,
        input: TensorOrPacked,
        hx: State | None,
        *,
        kind: str,
        input_size: int,
        state_shape: tuple[int, int],
        state_parts: int = 1,
        batch_first: bool,
        like: Tensor,
    ) -> None:
        if not isinstance(input, Tensor | PackedSequence):
            raise TypeError(f"{kind}: Expected input to be a tensor or a PackedSequence, got {type(input).__name__}")
        if isinstance(input, Tensor) and input.is_nested:
            raise TypeError(f"{kind}: Expected input to be a dense tensor or a PackedSequence, got a nested tensor")
        self.packed = input if isinstance(input, PackedSequence) else None
        self.batch_first = batch_first
        self.is_batched = True
        if isinstance(input, PackedSequence):
            data, batch = input.data, int(input.batch_sizes[0])
            if data.dim() != 2:
                raise RuntimeError(f"{kind}: Expected packed input to hold 2-D data, got {data.dim()}-D")
        else:
            if input.dim() not in (2, 3):
                raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {input.dim()}D instead")
            self.is_batched = input.dim() == 3
            data = input if self.is_batched else input.unsqueeze(1)
            if self.is_batched and self.batch_first:
                data = data.transpose(0, 1)
            batch = data.shape[1]
            if data.shape[0] == 0:  # not len, which would fix the length in an exported program
                raise RuntimeError(f"{kind}: Expected sequence length to be larger than 0")
        if data.shape[-1] != input_size:
            raise RuntimeError(
                f"{kind}: input.size(-1) must be equal to input_size. Expected {input_size}, got {data.shape[-1]}"
            )
        self.data = match("input", data, like)
        self.batch_sizes = None if self.packed is None else self.packed.batch_sizes
        self.state_parts = state_parts
        self.h = self._first_states(hx, (state_shape[0], batch, state_shape[1]), kind, like)

    def _first_states(
        self, hx: State | None, expected: tuple[int, int, int], kind: str, like: Tensor
    ) -> tuple[Tensor, ...]:
        if hx is None:
            return like.new_zeros(*expected[:2], self.state_parts * expected[2]).unbind()
        if self.state_parts == 1:
            return self._first_state(hx, expected, kind, like).unbind()
        if not isinstance(hx, (tuple, list)) or len(hx) != self.state_parts:
            given = f"{len(hx)} values" if isinstance(hx, (tuple, list)) else type(hx).__name__
            raise TypeError(f"{kind}: Expected hx to be a tuple of {self.state_parts} tensors, got {given}")
        return torch.cat([self._first_state(one, expected, kind, like) for one in hx], -1).unbind()

    def _first_state(self, hx: State, expected: tuple[int, int, int], kind: str, like: Tensor) -> Tensor:
        if not isinstance(hx, Tensor):
            raise TypeError(f"{kind}: Expected hx to be a tensor, got {type(hx).__name__}")
        rank = 3 if self.is_batched else 2
        form = "packed" if self.packed is not None else "batched 3-D" if self.is_batched else "unbatched 2-D"
        if hx.dim() != rank:
            raise RuntimeError(f"For {form} input, hx should also be {rank}-D but got {hx.dim()}-D tensor")
        hx = hx if self.is_batched else hx.unsqueeze(1)
        if hx.shape != expected:
            raise RuntimeError(f"{kind}: Expected hidden size {expected}, got {list(hx.shape)}")
        if self.packed is not None and self.packed.sorted_indices is not None:
            hx = hx.index_select(1, self.packed.sorted_indices)
        return match("hx", hx, like)

    def turn(self, data: Tensor) -> Tensor:
        """Reverse each sequence."""
        if self.batch_sizes is None:
            return data.flip(0)
        return data.index_select(0, _turned_rows(self.batch_sizes).to(data.device))

    def pack(self, data: Tensor) -> TensorOrPacked:
        """Sequences in the form in which they came."""
        if self.packed is not None:
            return PackedSequence(
                data, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices
            )
        if not self.is_batched:
            return data.squeeze(1)
        return data.transpose(0, 1) if self.batch_first else data

    def states(self, lasts: Tensor) -> State:
        """Last states (num_layers * directions, B, parts * H) in the form and the order in which they are expected."""
        if self.state_parts == 1:
            return self._unsort(lasts)
        return tuple(self._unsort(one).contiguous() for one in lasts.chunk(self.state_parts, -1))

    def _unsort(self, h: Tensor) -> Tensor:
        if self.packed is not None and self.packed.unsorted_indices is not None:
            return h.index_select(1, self.packed.unsorted_indices)
        return h if self.is_batched else h.squeeze(1)


def _turned_rows(batch_sizes: Tensor) -> Tensor:
    """For each row of packed sequences, the row it swaps places with when every sequence is reversed."""
    sequences = torch.arange(int(batch_sizes[0]), device="cpu")
    position = torch.cat([sequences[:size] for size in batch_sizes.tolist()])
    step = torch.arange(len(batch_sizes), device="cpu").repeat_interleave(batch_sizes)
    lengths = (batch_sizes[:, None] > sequences).sum(0)
    first_rows = batch_sizes.cumsum(0) - batch_sizes
    return first_rows[lengths[position] - 1 - step] + position


def match(name: str, value: Tensor, like: Tensor) -> Tensor:
    """`value` in the dtype of the weights where autocast has changed it; raise unless it is otherwise like them."""
    if value.device != like.device:
        raise ValueError(f"RNN {name} device ({value.device}) does not match weight device ({like.device})")
    if value.dtype == like.dtype:
        return value
    if torch.is_autocast_enabled(value.device.type) and value.is_floating_point():
        # States that last keep their precision: eight bits can't hold a memory that builds up in small steps.
        return value.to(like.dtype)
    raise ValueError(
        f"RNN {name} dtype ({value.dtype}) does not match weight dtype ({like.dtype}). Convert {name}: "
        f"{name}.to({like.dtype}), or convert model: model.to({value.dtype})"
    )
