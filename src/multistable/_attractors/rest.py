"""States that hard gates hold: proven never to move again under their constant input."""

import torch
from torch import Tensor

from multistable._held.arithmetic import Interval
from multistable._held.closure import close, drive_of
from multistable._held.read import as_layer
from multistable._held.steps import STEPS, Box
from multistable.dynamics import Dynamics, Stack
from multistable.dynamics.layers import LayerDynamics

__all__ = ["held_at_rest"]


@torch.no_grad()
def held_at_rest(layer: Dynamics, s: Tensor, u: Tensor, tol: float) -> Tensor:
    """Which states are held by hard gates: some units keep their value to the bit, and all stay within `tol`, for ever.

    Proven as `multistable.held` proves it, but of the one constant input.

    Args:
        layer: one layer, or layers on top of each other.
        s: states, (n, S), in float64.
        u: the constant input, (I,).
        tol: the width of the boxes that the states never leave.

    Returns:
        (n,); False where layers are of another type, read from the end, or all have soft gates.
    """
    held, still = torch.zeros(len(s), dtype=torch.bool, device=s.device), torch.ones_like(s[:, 0], dtype=torch.bool)
    parts = _parts_of(layer)
    inputs = Interval(u.view(1, 1, -1), u.view(1, 1, -1))
    for part, state in zip(parts, s.split([part.state_size for part in parts], -1) if parts else (), strict=True):
        one = as_layer(part.module.recurrence.name, part.weights(), float(part.module.hardness))
        output = Interval(*2 * (state[:, : part.output_size],))
        memory = Interval(*2 * (state[:, part.state_size - part.output_size :],))
        start = Box(memory, output) if part.state_size > part.output_size else Box(output, output)
        closed = close(one, drive_of(one, inputs), start)
        for now, later in zip(start, closed.box, strict=True):
            around = now.hull(later.over(1))
            still &= (around.upper - around.lower <= tol).all(1)
        held |= closed.held.any(1)
        inputs = closed.box.output
    return held & still


def _parts_of(layer: Dynamics) -> list[LayerDynamics]:
    """The layers from the lowest up, if all of them are ours and go forwards, and some can hold; otherwise none."""
    of_layers = layer.layers if isinstance(layer, Stack) else ((layer,),)
    parts = [part for parts in of_layers for part in parts if isinstance(part, LayerDynamics) and not part.reverse]
    whole = len(parts) == len(of_layers) == sum(map(len, of_layers))
    known = all(part.module.recurrence.name in STEPS for part in parts)
    return parts if whole and known and any(part.module.hardness > 0 for part in parts) else []
