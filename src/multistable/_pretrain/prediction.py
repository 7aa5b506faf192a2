"""Sequences told again, or told in advance: the losses of Dai and Le 2015 (arXiv:1511.01432)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistable._pretrain.results import Objective
from multistable.dynamics import Sequences, Stack

__all__ = ["Readout", "prediction_loss"]


class Readout:
    """A linear map of a stack's outputs to its inputs that is trained along and dropped; zero at first."""

    def __init__(self, stack: Stack) -> None:
        like = stack.parameters()[0]
        self.weight = nn.Parameter(like.new_zeros(stack.input_size, stack.output_size))
        self.bias = nn.Parameter(like.new_zeros(stack.input_size))

    def __call__(self, outputs: Tensor) -> Tensor:
        return F.linear(outputs, self.weight, self.bias)


def prediction_loss(objective: Objective, stack: Stack, readout: Readout, sequences: Sequences) -> Tensor:
    """The mean squared error of what a stack says of the sequences that it receives.

    As an autoencoder the stack reads a sequence, and from the state that this leads to says it from the beginning: at
    each step it receives what came before, at the first one zeros. For the next step it reads along.

    Args:
        objective: `"autoencoder"` or `"next_step"`.
        stack: the stack.
        readout: what makes predictions of its outputs.
        sequences: the sequences.

    Raises:
        ValueError: there is no next step in any sequence.
    """
    inputs, lengths = sequences.inputs, sequences.lengths
    start = stack.zero_state(len(sequences)) if sequences.state is None else sequences.state
    if objective == "autoencoder":
        start = stack.run(inputs, start, lengths)
        given, wanted = torch.cat([torch.zeros_like(inputs[:1]), inputs[:-1]]), inputs
    else:
        given, wanted, lengths = inputs[:-1], inputs[1:], lengths - 1
        if int(lengths.max()) < 1:
            raise ValueError("next_step needs a sequence of at least two steps in each batch, got none")
    outputs, _ = stack.scan(given, start)
    inside = (torch.arange(len(wanted), device="cpu")[:, None] < lengths).to(wanted.device)
    errors: Tensor = (readout(outputs) - wanted)[inside]
    return errors.square().mean()
