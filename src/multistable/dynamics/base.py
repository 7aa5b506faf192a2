"""`Dynamics`: a recurrent layer seen as a map on flat states."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from multistable.dynamics._device import chunk_length, few_calls_pay

__all__ = ["Dynamics"]

_DRIVE = 4  # how many times as wide as a state what drives the gates is, at most


class Dynamics(ABC):
    """One recurrent layer in one direction, or a stack of them, as the map s' = f(s, u).

    The state s is flat: all that the layer carries from step to step, the output first (for an LSTM h, then c). The
    parameters are the module's own, so gradients land where an optimiser looks for them.

    Subclasses define `step` and `parameters`; a type with a fast kernel overrides `scan`, `scan_constant`,
    `scan_packed` and `run_packed` too, as far as it has one for each.

    Attributes:
        name: where the layer stands in the module that was searched, as in `"encoder.rnn.l0"`.
        input_size: I, the features of an input.
        state_size: S, the length of the flat state.
        output_size: O, how many of the state's first entries the layer passes on.
        reverse: whether the layer's module runs it from the end of sequences. The map itself has no direction: it is
            `Stack.run` that turns sequences around.
        warm: whether `warmup` changes the layer unless told which layers to change; False for the second part of a
            `DoubleLayer`.
    """

    warm = True

    def __init__(
        self, name: str, input_size: int, state_size: int, output_size: int | None = None, *, reverse: bool = False
    ) -> None:
        self.name = name
        self.input_size = input_size
        self.state_size = state_size
        self.output_size = state_size if output_size is None else output_size
        self.reverse = reverse

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, input_size={self.input_size}, state_size={self.state_size})"

    @abstractmethod
    def parameters(self) -> Sequence[nn.Parameter]:
        """The parameters that f depends on."""

    @abstractmethod
    def step(self, s: Tensor, u: Tensor) -> Tensor:
        """One step, (B, S), (B, I) -> (B, S), in plain tensor operations: works under `torch.func` and in float64."""

    def jacobian(self, s: Tensor, u: Tensor) -> Tensor | None:
        """The derivatives of `step` by the state, (B, S), (I,) -> (B, S, S), for a type that has a fast way to them."""
        return None

    def output(self, s: Tensor) -> Tensor:
        """What the layer passes on in state `s`, (B, S) -> (B, O)."""
        return s[:, : self.output_size]

    def observe(self, s: Tensor) -> Tensor:
        """The part of state `s` by which VAA and VAA* tell it from others, (B, S) -> (B, P); by default all of it."""
        return s

    def cell_state(self, s: Tensor) -> Tensor | None:
        """The c of an LSTM's states, (B, S) -> (B, H), which outputs see through tanh; None for all other types."""
        return None

    def zero_state(self, batch_size: int) -> Tensor:
        """The state that torch's layers start from, (B, S), in the parameters' (real) dtype and on their device."""
        like = self.parameters()[0]
        return like.new_zeros(batch_size, self.state_size, dtype=like.dtype.to_real())

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """Go through sequences of equal length, (T, B, I), (B, S) -> outputs (T, B, O) and the last state (B, S)."""
        outputs = []
        for u in inputs.unbind():
            s = self.step(s, u)
            outputs.append(self.output(s))
        return torch.stack(outputs), s

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        """`scan` under one constant input, u (I,) -> outputs (steps, B, O) and the last state (B, S)."""
        return self.scan(u.expand(steps, len(s), -1), s)

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        """`scan` of sequences of different lengths, from the zero state.

        Args:
            rows: the data of a `PackedSequence`, (N, I).
            batch_sizes: its batch sizes, on the CPU.

        Returns:
            The outputs as such rows, (N, O). There is no second derivative of them.
        """
        if few_calls_pay(rows.device):
            return self.run_packed(rows, batch_sizes, self.zero_state(int(batch_sizes[0])))[0]
        # No kernel of torch's takes packed sequences as fast on a CPU as it does padded ones.
        inputs, lengths = pad_packed_sequence(PackedSequence(rows, batch_sizes))
        outputs, _ = self.scan(inputs, self.zero_state(inputs.shape[1]))
        return pack_padded_sequence(outputs, lengths).data

    def packs(self, device: torch.device) -> bool:
        """Whether sequences of different lengths are run by `run_packed`, and not in segments of equal length."""
        return few_calls_pay(device)

    def run_packed(self, rows: Tensor, batch_sizes: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """`scan` of sequences of different lengths in one call, and the state that each leads to.

        Args:
            rows: the data of a `PackedSequence`, (N, I).
            batch_sizes: its batch sizes, on the CPU.
            s: the states to start from, the longest sequence's first, (B, S).

        Returns:
            The outputs as such rows, (N, O), and the last states, (B, S). There is no second derivative of them.
        """
        outputs, ended = [], []
        for u in rows.split(batch_sizes.tolist()):
            ended.append(s[len(u) :])
            s = self.step(s[: len(u)], u)
            outputs.append(self.output(s))
        return torch.cat(outputs), torch.cat([s, *ended[::-1]])

    def run(self, inputs: Tensor, s: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """The state each sequence leads to after its own number of steps.

        Args:
            inputs: (T, B, I).
            s: the state to start from, (B, S); zeros by default.
            lengths: how many steps to take of each sequence, (B,), each in 1..T; all T by default.

        Returns:
            The states, (B, S), differentiable once.
        """
        if s is None:
            s = self.zero_state(inputs.shape[1])
        if lengths is None:
            return self.scan(inputs, s)[1]
        lengths = lengths.cpu()  # what follows from them is needed there
        check_lengths("lengths", lengths, *inputs.shape[:2])
        run = self._run_in_one_call if self.packs(inputs.device) else self._run_in_segments
        return run(inputs, s, lengths)

    def _run_in_one_call(self, inputs: Tensor, s: Tensor, lengths: Tensor) -> Tensor:
        """`run` with lengths by a single call of `run_packed`."""
        lengths, order = lengths.sort(descending=True, stable=True)
        running = torch.arange(int(lengths[0]), device="cpu")[:, None] < lengths
        time, place = running.nonzero(as_tuple=True)
        rows = time * inputs.shape[1] + order[place]
        # Copies to a GPU wait for what it has been given before: they all come first.
        rows, order, back = (index.to(inputs.device) for index in (rows, order, order.argsort()))
        _, ends = self.run_packed(inputs.flatten(0, 1).index_select(0, rows), running.sum(1), s[order])
        return ends[back]

    def _run_in_segments(self, inputs: Tensor, s: Tensor, lengths: Tensor) -> Tensor:
        """`run` with lengths by one call of `scan` for each of them that there is."""
        # Longest first, so that the sequences still running are always the first rows. Each segment ends where at least
        # one sequence does: no step behind a sequence's end is computed, and all of a segment's rows run equally long.
        lengths, order = lengths.sort(descending=True, stable=True)
        ends, ending = torch.unique(lengths, return_counts=True)
        durations = torch.diff(ends, prepend=ends.new_zeros(1)).tolist()
        inputs = inputs[: int(ends[-1]), order.to(inputs.device)]
        s = s[order.to(s.device)]
        ended = []
        for segment, count in zip(inputs.split(durations), ending.tolist(), strict=True):
            _, s = self.scan(segment[:, : len(s)], s)
            ended.append(s[len(s) - count :])
            s = s[: len(s) - count]
        return torch.cat(ended[::-1])[order.argsort().to(s.device)]

    def hold(self, s: Tensor, u: Tensor, steps: int) -> Tensor:
        """The state after `steps` steps under the constant input `u`, (B, S), (I,) -> (B, S)."""
        at_a_time = chunk_length(s.device, len(s) * _DRIVE * self.state_size * s.element_size())
        return self._hold_in_chunks(s, u, steps, at_a_time)

    def _hold_in_chunks(self, s: Tensor, u: Tensor, steps: int, at_a_time: int) -> Tensor:
        """`hold` by calls of at most so many steps each."""
        while steps > 0:
            chunk = min(at_a_time, steps)
            _, s = self.scan_constant(u, chunk, s)
            steps -= chunk
        return s


def check_lengths(name: str, lengths: Tensor, longest: int, batch_size: int) -> None:
    """Raise unless `lengths` is (batch_size,) with every entry in 1..longest."""
    if lengths.shape != (batch_size,):
        raise ValueError(f"{name} must have shape ({batch_size},), got {tuple(lengths.shape)}")
    if len(lengths) == 0 or int(lengths.min()) < 1 or int(lengths.max()) > longest:
        raise ValueError(f"{name} must lie in 1..{longest}, got {lengths.tolist()}")
