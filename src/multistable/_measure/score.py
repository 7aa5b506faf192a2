"""States held under constant inputs, and scored."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from multistable._measure.constants import Constants
from multistable._measure.results import LayerMultistability, Multistability, Trace
from multistable._measure.selection import Selection
from multistable._measure.settling import at_rest, growing
from multistable.dynamics import CHUNK, Dynamics, states_at
from multistable.functional import vaa

__all__ = ["score"]


@torch.no_grad()
def score(selection: Selection, reached: Sequence[Tensor], horizon: int, tol: float, held: Constants) -> Multistability:
    """Hold constant inputs, starting from the reached states, and score where they lead.

    Args:
        selection: the layers to score one by one, and the stacks that hold them.
        reached: for each stack the states to start from, (n, S).
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        held: the constant inputs.

    Raises:
        FloatingPointError: states grow beyond what the dtype can hold.
    """
    horizons = _log_spaced(horizon)
    walks = [
        _walk(stack, start, u, horizons) for stack, start, u in zip(selection.stacks, reached, held.stacks, strict=True)
    ]
    layers = []
    for stack, start, walk in zip(selection.stacks, reached, walks, strict=True):
        for k, part in enumerate(stack.parts):
            if part not in selection.layers:
                continue
            if part in stack.layers[0]:
                # Alone under the same constant input, the lowest layer does what it does in the stack.
                alone = [_seen(part, stack.split(at.state)[k], stack.split(at.moved)[k]) for at in walk]
            else:
                alone = _walk(part, stack.split(start)[k], held.alone[part], horizons)
            trace = _trace(part.name, horizons, alone, tol)
            layers.append(LayerMultistability(part.name, trace.vaa[-1], trace.residual[-1], trace))
    whole = [
        _At(*(torch.cat(side_by_side, -1) for side_by_side in zip(*at_horizon, strict=True)))
        for at_horizon in zip(*walks, strict=True)
    ]
    trace = _trace("the network", horizons, whole, tol)
    last, states = whole[-1], [at.state for at in whole]

    def go_on(rows: Tensor) -> Tensor:
        ends = (
            stack.hold(walk[-1].state[rows], u, horizon)
            for stack, walk, u in zip(selection.stacks, walks, held.stacks, strict=True)
        )
        return torch.cat([end.abs() for end in ends], -1).amax(1)

    return Multistability(
        vaa=trace.vaa[-1],
        residual=trace.residual[-1],
        at_rest=at_rest(horizons, states, last.moved, tol).float().mean().item(),
        growing=growing(horizons, states, go_on),
        per_layer=tuple(layers),
        trace=trace,
        states=last.state,
        n=len(last.state),
        horizon=horizon,
        tol=tol,
    )


def _log_spaced(horizon: int) -> list[int]:
    """Horizons about a factor of two apart that divide a chunk or are multiples of it, and `horizon` itself."""
    spaced = [1, 2, 4, 8, 15, 30, 60]
    while spaced[-1] < horizon:
        spaced.append(max(CHUNK, 2 * spaced[-1]))
    return [step for step in spaced if step < horizon] + [horizon]


class _At(NamedTuple):
    """At a horizon the states, by how much the next step moves them, and what of them is observed."""

    state: Tensor
    moved: Tensor
    observed: Tensor


def _seen(layer: Dynamics, state: Tensor, moved: Tensor) -> _At:
    return _At(state, moved, layer.observe(state))


def _walk(layer: Dynamics, s: Tensor, u: Tensor, horizons: list[int]) -> list[_At]:
    return [_seen(layer, state, layer.hold(state, u, 1) - state) for state in states_at(layer, s, u, horizons)]


def _trace(name: str, horizons: list[int], walk: list[_At], tol: float) -> Trace:
    residuals = torch.stack([at.moved.norm(dim=1).max() for at in walk])
    finite = torch.stack([torch.isfinite(at.state).all() for at in walk]) & residuals.isfinite()
    for step, is_finite in zip(horizons, finite.tolist(), strict=True):
        if not is_finite:
            raise FloatingPointError(f"states of {name} are no longer finite after {step} steps under a constant input")
    scores = torch.stack([vaa(at.observed, tol) for at in walk])
    return Trace(tuple(horizons), tuple(scores.tolist()), tuple(residuals.tolist()))
