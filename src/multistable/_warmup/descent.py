"""The steps of a warmup."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from multistable._measure.constants import draw_constant
from multistable._measure.reach import reach
from multistable._measure.selection import Selection
from multistable._warmup.contraction import excess_growth, growth_rate
from multistable.dynamics import Dynamics, Sequences
from multistable.functional import vaa_star

__all__ = ["Descent", "StepRecord"]


@dataclass(frozen=True)
class StepRecord:
    """What one step saw: VAA* and steps held for each layer, the loss, the norm of its gradient, and growth."""

    vaa_star: tuple[float, ...]
    horizon: tuple[int, ...]
    loss: float
    grad_norm: float
    growth: tuple[float, ...]


@dataclass
class Descent:
    """Gradient descent on the mean over layers of (VAA* - target)^2, and of the excess growth if `contract`.

    Several processes take VAA* over the states of all of them. Each has the gradient by its own states, and the sum of
    these is the gradient by all.
    """

    selection: Selection
    target: float
    tol: float
    max_prefix: int | None
    batch_size: int
    generator: torch.Generator
    contract: bool = False
    collapsed_in_a_row: int = 0

    def step(
        self,
        sequences: Sequence[Sequences],
        horizon: int,
        parameters: Sequence[nn.Parameter],
        optimizer: torch.optim.Optimizer,
    ) -> StepRecord:
        """Take a step on a batch of all processes, with constant inputs held for `horizon` steps.

        Raises:
            ValueError: no parameter has any influence on the states.
            FloatingPointError: states, the loss or its gradient are no longer finite.
        """
        # States that coincide after one step may have seen the same inputs: the next batch is run to the end.
        max_prefix = None if self.collapsed_in_a_row else self.max_prefix
        stacks, processes = self.selection.stacks, self.selection.processes
        reached = reach(stacks, sequences, self.batch_size, max_prefix, self.generator, processes)
        starts = {
            part: (start, share)
            for stack, states, share in zip(stacks, reached.states, reached.shares, strict=True)
            for part, start in zip(stack.parts, stack.split(states), strict=True)
        }
        held, rates = [], []
        for layer in self.selection.layers:
            start, share = starts[layer]
            u = draw_constant(layer, self.generator)
            held.append(_hold_apart(layer, start, u, horizon, self.tol, partial(processes.gathered, share=share)))
            if self.contract:
                rate = growth_rate(layer, held[-1].states, u, self.generator, share)
                rates.append(processes.gathered(rate, share))
        losses = [(one.vaa_star - self.target) ** 2 for one in held] + [excess_growth(rate) for rate in rates]
        loss = torch.stack(losses).sum() / len(self.selection.layers)
        gradients: Sequence[Tensor]
        reaching = torch.autograd.grad(loss, parameters, allow_unused=True) if loss.requires_grad else [None]
        if any(gradient is not None for gradient in reaching):
            pairs = zip(reaching, parameters, strict=True)
            gradients = [torch.zeros_like(one) if gradient is None else gradient for gradient, one in pairs]
        elif any(len(start) > 0 for start, _ in starts.values()):
            raise ValueError("the states of a layer to warm up must depend on a parameter that requires a gradient")
        else:  # all of the batch is in other processes
            gradients = [torch.zeros_like(parameter) for parameter in parameters]
        gradients = processes.summed(gradients)
        value, norm = torch.stack([loss.detach(), torch.nn.utils.get_total_norm(gradients)]).tolist()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise FloatingPointError(f"loss and gradient must be finite, got loss {value} and gradient norm {norm}")
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        self.collapsed_in_a_row = 0 if norm > 0 else self.collapsed_in_a_row + 1
        return StepRecord(
            vaa_star=tuple(torch.stack([one.vaa_star.detach() for one in held]).tolist()),
            horizon=tuple(one.steps for one in held),
            loss=value,
            grad_norm=norm,
            growth=tuple(rate.detach().exp().mean().item() for rate in rates),
        )


class _Held(NamedTuple):
    """VAA* of the states of all processes after `steps` steps under a constant input, and this one's states then."""

    vaa_star: Tensor
    states: Tensor
    steps: int


def _hold_apart(
    layer: Dynamics,
    s: Tensor,
    u: Tensor,
    steps: int,
    tol: float,
    gather: Callable[[Tensor], Tensor] = lambda states: states,
) -> _Held:
    """Hold the input for `steps` steps, halved again and again while all states that `gather` finds coincide."""
    while True:
        states = layer.hold(s, u, steps) if len(s) > 0 else s
        if not torch.isfinite(states).all():
            raise FloatingPointError(f"states of {layer.name!r} are no longer finite after {steps} steps")
        everywhere = gather(states)
        value = vaa_star(layer.observe(everywhere), tol)
        coincide = value.item() * len(everywhere) < 1 + 1e-5
        if steps == 1 or not coincide:
            return _Held(value, states, steps)
        steps //= 2
