"""Linear autoencoders in all layers of a network, from the lowest up."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch

from multistable._measure.selection import Selection
from multistable._pretrain.gram import LinearAutoencoder, linear_autoencoder
from multistable._pretrain.weights import set_weights
from multistable.dynamics import Dynamics, Sequences, Stack
from multistable.dynamics._of_direction import DirectionDynamics

__all__ = ["set_linear_autoencoders"]


def set_linear_autoencoders(
    selection: Selection, drawn: Iterator[list[Sequences]], count: int
) -> list[LinearAutoencoder]:
    """Set the weights of every layer of the selection, in their order, and return what was set.

    Args:
        selection: the layers.
        drawn: what each of the stacks receives, batch by batch.
        count: how many sequences to take, or all if there are fewer.

    Raises:
        ValueError: the sequences are all the same, or have too many features.
        RuntimeError: there is no batch.
    """
    batches, found = [], 0
    for batch in drawn:
        batches.append(batch)
        found += min(len(received) for received in batch)
        if found >= count:
            break
    if not batches:
        raise RuntimeError("inputs ran out before the layers were set: pass an iterable that can start over")
    codes = []
    for stack, of_stack in zip(selection.stacks, zip(*batches, strict=True), strict=True):
        codes += _climb(stack, of_stack, selection)
    return codes


def _climb(stack: Stack, sequences: Sequence[Sequences], selection: Selection) -> list[LinearAutoencoder]:
    codes = []
    given = list(sequences)
    for parts in stack.layers:
        for part in parts:
            if part in selection.layers:
                code = linear_autoencoder(given, part.output_size)
                set_weights(cast(DirectionDynamics, part), code)
                codes.append(code)
        if parts is not stack.layers[-1]:
            given = [replace(one, inputs=_outputs(parts, one)) for one in given]
    return codes


def _outputs(parts: Sequence[Dynamics], sequences: Sequences) -> torch.Tensor:
    """What a layer passes on, from the zero state."""
    scans = (part.scan(sequences.inputs, part.zero_state(len(sequences))) for part in parts)
    return torch.cat([outputs for outputs, _ in scans], -1)
