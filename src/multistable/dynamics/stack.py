"""`Stack`: the recurrent layers of one module as one map."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from multistable._utils.names import type_name
from multistable.dynamics._column import column_of
from multistable.dynamics._device import few_calls_pay
from multistable.dynamics.adapter import Adapter
from multistable.dynamics.base import Dynamics, check_lengths
from multistable.dynamics.calls import Sequences, without_autocast
from multistable.dynamics.precision import doubled, in_double

__all__ = ["Stack"]


class Stack(Dynamics):
    """Layers on top of each other, each of one or more parts side by side (directions, or halves).

    The parts of a layer receive the same input and pass on their outputs side by side. The flat state is that of all
    parts, one after the other from the lowest layer up.

    As a map, (s, u) -> s', the stack takes one step everywhere: each layer receives the new output of the one below.
    `run` goes through sequences as the module does, so that in a bidirectional stack the reverse parts read from the
    end; `step`, `scan` and `hold` drive both directions forwards in their own time.

    Args:
        name: the module's name in the model that was searched.
        module: the module.
        adapter: how modules of its type are seen.

    Attributes:
        layers: the parts of each layer, from the lowest layer up.
        parts: all of them.
    """

    def __init__(self, name: str, module: nn.Module, adapter: Adapter) -> None:
        self.module = module
        self.adapter = adapter
        self.layers = tuple(tuple(parts) for parts in adapter.layers(module, name))
        self.parts = tuple(part for parts in self.layers for part in parts)
        self._column = column_of(self.layers)
        super().__init__(
            name,
            input_size=self.parts[0].input_size,
            state_size=sum(part.state_size for part in self.parts),
            output_size=sum(part.output_size for part in self.layers[-1]),
        )

    def parameters(self) -> Sequence[nn.Parameter]:
        return [parameter for part in self.parts for parameter in part.parameters()]

    def read(self, inputs: Any, state: Any = None) -> Sequences:
        """What a call of the module receives, given its first two arguments."""
        return self.adapter.read(self.module, *(without_autocast(self.module, one) for one in (inputs, state)))

    def in_float64(self) -> "Stack":
        """The same of a copy of the module in double precision, whose parameters are not the module's own.

        Raises:
            TypeError: a parameter is not copied with the module.
        """
        copied = Stack(self.name, in_double(self.module), self.adapter)
        for own, other in zip(self.parameters(), copied.parameters(), strict=True):
            if own is other:
                raise TypeError(
                    f"parameters of {self.name or type_name(type(self.module))!r} must be copied with the module, got "
                    "one that is not: keep what holds it in an attribute, such as a list"
                )
            other.data = doubled(other.data)  # of one that lives elsewhere
        return copied

    def split(self, s: Tensor) -> tuple[Tensor, ...]:
        """The states of the parts, (B, S) -> one (B, S_k) for each."""
        states: tuple[Tensor, ...] = s.split([part.state_size for part in self.parts], dim=1)
        return states

    def output(self, s: Tensor) -> Tensor:
        top = self.split(s)[-len(self.layers[-1]) :]
        return torch.cat([part.output(state) for part, state in zip(self.layers[-1], top, strict=True)], -1)

    def observe(self, s: Tensor) -> Tensor:
        return torch.cat([part.observe(state) for part, state in zip(self.parts, self.split(s), strict=True)], -1)

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        states = []
        for parts, befores in self._with_states(s):
            afters = [part.step(before, u) for part, before in zip(parts, befores, strict=True)]
            u = torch.cat([part.output(after) for part, after in zip(parts, afters, strict=True)], -1)
            states += afters
        return torch.cat(states, -1)

    def jacobian(self, s: Tensor, u: Tensor) -> Tensor | None:
        return self.parts[0].jacobian(s, u) if len(self.parts) == 1 else None

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        if self._column is not None and few_calls_pay(inputs.device):
            return self._column.scan(inputs, s)
        return self._climb(self._with_states(s), inputs, [])

    def packs(self, device: torch.device) -> bool:
        return all(part.packs(device) for part in self.parts)

    def run_packed(self, rows: Tensor, batch_sizes: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        if self._column is not None and few_calls_pay(rows.device):
            return self._column.scan(rows, s, batch_sizes)
        states = []
        for parts, befores in self._with_states(s):
            runs = [part.run_packed(rows, batch_sizes, before) for part, before in zip(parts, befores, strict=True)]
            rows = torch.cat([outputs for outputs, _ in runs], -1)
            states += [last for _, last in runs]
        return rows, torch.cat(states, -1)

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        if few_calls_pay(rows.device):
            return super().scan_packed(rows, batch_sizes)
        for parts in self.layers:
            rows = torch.cat([part.scan_packed(rows, batch_sizes) for part in parts], -1)
        return rows

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        if self._column is not None and few_calls_pay(s.device):
            return self._column.scan_constant(u, steps, s)
        layers = self._with_states(s)
        parts, befores = next(layers)
        lowest = [part.scan_constant(u, steps, before) for part, before in zip(parts, befores, strict=True)]
        outputs = torch.cat([out for out, _ in lowest], -1)
        return self._climb(layers, outputs, [state for _, state in lowest])

    def run(self, inputs: Tensor, s: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        if not any(part.reverse for part in self.parts):
            return super().run(inputs, s, lengths)
        if lengths is None:
            lengths = torch.full((inputs.shape[1],), len(inputs), device="cpu")
        return self.reach(inputs, lengths, lengths, s)

    def reach(self, inputs: Tensor, lengths: Tensor, prefixes: Tensor, s: Tensor | None = None) -> Tensor:
        """The states that prefixes of whole sequences lead to.

        Without reverse parts this is `run` to the prefixes' ends. A reverse part's prefix is the sequence's end, and
        the layers above it receive what it makes of the whole sequence.

        Args:
            inputs: (T, B, I).
            lengths: the sequences' own lengths, (B,), each in 1..T.
            prefixes: how many steps each part takes, (B,), each at most the sequence's length.
            s: the state to start from, (B, S); zeros by default.

        Returns:
            The states, (B, S).

        Raises:
            ValueError: lengths or prefixes do not fit the sequences.
        """
        check_lengths("lengths", lengths, *inputs.shape[:2])
        check_lengths("prefixes", prefixes, *inputs.shape[:2])
        if bool((prefixes > lengths).any()):
            raise ValueError(f"prefixes must not exceed lengths {lengths.tolist()}, got {prefixes.tolist()}")
        if not any(part.reverse for part in self.parts):
            return self.run(inputs, s, prefixes)
        s = self.zero_state(inputs.shape[1]) if s is None else s
        states = []
        for parts, befores in self._with_states(s):
            outputs = []
            for part, before in zip(parts, befores, strict=True):
                seen = _flip(inputs, lengths) if part.reverse else inputs
                states.append(part.run(seen, before, prefixes))
                if parts is not self.layers[-1]:
                    made, _ = part.scan(seen, before)
                    outputs.append(_flip(made, lengths) if part.reverse else made)
            inputs = torch.cat(outputs, -1) if outputs else inputs
        return torch.cat(states, -1)

    def _with_states(self, s: Tensor) -> Iterator[tuple[tuple[Dynamics, ...], tuple[Tensor, ...]]]:
        states = self.split(s)
        for parts in self.layers:
            yield parts, states[: len(parts)]
            states = states[len(parts) :]

    @staticmethod
    def _climb(
        layers: Iterator[tuple[tuple[Dynamics, ...], tuple[Tensor, ...]]], inputs: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Scan each layer over the outputs of the one below."""
        for parts, befores in layers:
            scans = [part.scan(inputs, before) for part, before in zip(parts, befores, strict=True)]
            inputs = torch.cat([outputs for outputs, _ in scans], -1)
            states += [state for _, state in scans]
        return inputs, torch.cat(states, -1)


def _flip(sequences: Tensor, lengths: Tensor) -> Tensor:
    """Turn each sequence of (T, B, F) around within its own length; what lies behind it stays."""
    time = torch.arange(len(sequences), device=sequences.device)[:, None]
    lengths = lengths.to(sequences.device)
    source = torch.where(time < lengths, lengths - 1 - time, time)
    return sequences.gather(0, source[:, :, None].expand_as(sequences))
