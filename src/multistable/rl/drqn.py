"""The deep recurrent Q-network: values of actions, given all that has been seen and done."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from multistable._utils.checks import check_int
from multistable.dynamics import Stack, adapter_of, stacks

__all__ = ["DRQN", "as_inputs"]


class DRQN(nn.Module):
    """A deep recurrent Q-network (Hausknecht and Stone 2015, arXiv:1507.06527): recurrent layers and a linear head.

    At each step it receives the last action, one-hot, the last reward and the observation (see `input_size`), and
    returns a value for each action. What it carries from step to step is the flat state of `multistable.dynamics`.

    To measure or warm up its memory, pass `drqn.recurrent`.

    Args:
        recurrent: `nn.RNN`, `nn.GRU`, `nn.LSTM`, a layer of `multistable.nn`, a `DoubleLayer`, a cell, or a registered
            type; in one direction and without dropout.
        num_actions: A, the number of actions.

    Attributes:
        recurrent: the module given.
        head: the linear layer on its outputs.
        input_size: I, the features of an input.
        num_actions: A.

    Raises:
        TypeError: `recurrent` is not an `nn.Module`, or `num_actions` not an int.
        ValueError: `recurrent` is not recurrent, has dropout or is bidirectional, or `num_actions` is below 1.

    Examples:
        >>> import torch
        >>> from multistable.rl import DRQN
        >>> drqn = DRQN(torch.nn.GRU(9, 32, num_layers=2), num_actions=4)
        >>> values, state = drqn(torch.randn(20, 5, 9))
        >>> values.shape, state.shape
        (torch.Size([20, 5, 4]), torch.Size([5, 64]))
    """

    def __init__(self, recurrent: nn.Module, num_actions: int) -> None:
        super().__init__()
        self._stack = _stack_of(recurrent)
        self.num_actions = check_int("num_actions", num_actions)
        self.input_size = self._stack.input_size
        self.recurrent = recurrent
        like = self._stack.parameters()[0]
        self.head = nn.Linear(self._stack.output_size, self.num_actions, device=like.device, dtype=like.dtype)

    def zero_state(self, batch_size: int) -> Tensor:
        """The state at the beginning of an episode, (B, S)."""
        return self._stack.zero_state(batch_size)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The values of actions after each step of sequences.

        Args:
            inputs: (T, B, I).
            state: the state to start from, (B, S); zeros by default.

        Returns:
            Values (T, B, A), and the last state (B, S).
        """
        outputs, state = self._stack.scan(inputs, self.zero_state(inputs.shape[1]) if state is None else state)
        return self.head(outputs), state

    def step(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: inputs (B, I) and the state (B, S) -> values (B, A) and the next state (B, S)."""
        state = self._stack.step(state, inputs)
        return self.head(self._stack.output(state)), state

    def last_values(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """The values of actions at the end of each sequence.

        Args:
            inputs: (T, B, I).
            lengths: the sequences' lengths, (B,), on the CPU, each in 1..T.

        Returns:
            Values (B, A).
        """
        order = lengths.argsort(descending=True)
        packed = pack_padded_sequence(inputs[:, order.to(inputs.device)], lengths[order])
        outputs = self._stack.scan_packed(packed.data, packed.batch_sizes)
        first_rows = packed.batch_sizes.cumsum(0) - packed.batch_sizes
        last_rows = first_rows[lengths - 1] + order.argsort()
        values: Tensor = self.head(outputs[last_rows.to(outputs.device)])
        return values


def as_inputs(inputs: NDArray[np.float32], network: DRQN) -> Tensor:
    """Inputs in the network's dtype and on its device."""
    return torch.from_numpy(inputs).to(network.head.weight)


def _stack_of(recurrent: nn.Module) -> Stack:
    """The module as one map from state to state; raise unless an agent can take steps with it."""
    if not isinstance(recurrent, nn.Module):
        raise TypeError(f"recurrent must be an nn.Module, got {type(recurrent).__name__}")
    kind = type(recurrent).__name__
    if adapter_of(recurrent) is None:
        raise ValueError(f"recurrent must be a recurrent module, such as nn.GRU, got {kind}")
    if getattr(recurrent, "dropout", 0) != 0:
        raise ValueError(f"recurrent must have no dropout, got {kind} with dropout {recurrent.dropout}")
    (stack,) = stacks(recurrent)
    if any(part.reverse for part in stack.parts):
        raise ValueError(f"recurrent must run forwards alone, got a bidirectional {kind}: an agent knows no future")
    return stack
