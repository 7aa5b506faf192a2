"""`margin_loss`: what trains a layer towards units that are held for ever."""

import torch
from torch import Tensor

from multistable._held.closure import Layer, cells, close, drive_of
from multistable._held.steps import Box

__all__ = ["loss_of"]

# In training boxes need no precision: a coarse grid, and one cell, are enough.
_GRID = 2.0**-8


def loss_of(layers: list[Layer], starts: list[Box], bound: float, margin: float, steps: int = 2) -> Tensor:
    """The mean hinge of how far the gates of held units are beyond their threshold, in the worst case.

    Args:
        layers: from the lowest up.
        starts: their states, (B, H).
        bound: of the inputs.
        margin: from where on a unit no longer counts.
        steps: how many of the steps within the closed box have gradients.

    Returns:
        A scalar; 0 if no unit holds.
    """
    inputs, seen = cells(layers[0], bound, 1), None
    hinges, holding = [], []
    for layer, start in zip(layers, starts, strict=True):
        at = start.map(lambda state: state.unsqueeze(1))
        quiet = inputs.map(torch.zeros_like) if seen is None else seen
        held = layer.step(drive_of(layer, quiet), at)[1].detach() >= 0
        drive = drive_of(layer, inputs)
        with torch.no_grad():
            box = close(layer, drive.map(Tensor.detach), start.map(Tensor.detach), held, _GRID).box
        # Held units are where they are, with their gradient.
        kept = held[:, None]
        memory = at.memory.where(kept, box.memory)
        output = memory if box.output is box.memory else box.output
        for _ in range(steps):
            after, beyond = layer.step(drive, Box(memory, output), held)
            memory, output = after
        hinges.append(torch.where(held, torch.relu(margin - beyond), 0.0).sum())
        holding.append(held.sum())
        seen, inputs = start.output.map(lambda h: h.unsqueeze(1)), output
    return torch.stack(hinges).sum() / torch.stack(holding).sum().clamp_min(1)
