"""Nonlinearities, and gates that reach their ends: clamp((1 + 2 hardness) sigmoid(x) - hardness, 0, 1).

At hardness 0 that is the sigmoid. Above it the gate is exactly 0 and 1 from a finite x on, where its derivative is 0.
"""

import numbers
from typing import Any

import torch
from torch import Tensor

from multistable._utils.checks import check_not_negative

__all__ = ["Hardness", "as_hardness", "gate", "harden_", "slope", "tanh", "tanh_", "value_of"]

Hardness = float | Tensor


def gate(drive: Tensor, hardness: Hardness) -> Tensor:
    """The gate of what drives it, in plain operations."""
    soft = drive.sigmoid()
    if isinstance(hardness, numbers.Real) and hardness == 0:
        return soft
    return ((1 + 2 * hardness) * soft - hardness).clamp(0, 1)


def harden_(soft: Tensor, hardness: Hardness | None) -> Tensor:
    """The gate of its sigmoid, in place; None is no hardness."""
    return soft if hardness is None else soft.mul_(1 + 2 * hardness).sub_(hardness).clamp_(0, 1)


def tanh(x: Tensor, out: Tensor) -> Tensor:
    """The hyperbolic tangent as 2 sigmoid(2 x) - 1, in `out`: to within a rounding of 1, and in a third of the time."""
    return torch.mul(x, 2, out=out).sigmoid_().mul_(2).sub_(1)


def tanh_(x: Tensor) -> Tensor:
    """The same in place."""
    return tanh(x, x)


def slope(gate: Tensor, hardness: Hardness | None) -> Tensor:
    """The gate's derivative by what drives it, from the gate itself; 0 at both ends."""
    inside = gate * (1 - gate)
    if hardness is None:
        return inside
    # (gate + hardness) (1 + hardness - gate) / (1 + 2 hardness), and 0 where `inside` is
    return inside.add_(inside.sign().mul_(hardness * (1 + hardness))).div_(1 + 2 * hardness)


def as_hardness(hardness: Any) -> Tensor | None:
    """What an operator is handed: a tensor of one number, or None for no hardness.

    Raises:
        TypeError: it is neither a number nor a floating-point tensor.
        ValueError: it is a negative, NaN or infinite number, or a tensor of another shape than ().
    """
    if not isinstance(hardness, Tensor):
        value = check_not_negative("hardness", hardness)
        return None if value == 0 else torch.tensor(value, dtype=torch.float64, device="cpu")
    if not hardness.is_floating_point():
        raise TypeError(f"hardness must be of a floating-point type, got {hardness.dtype}")
    if hardness.dim() > 0:
        raise ValueError(f"hardness must be a single number, got shape {tuple(hardness.shape)}")
    return hardness.detach().clone()  # which may change before the way back


def value_of(hardness: Tensor | None) -> Hardness | None:
    """What a pass computes with: None for no hardness; on a GPU the tensor itself, as reading it would wait for it."""
    if hardness is None or hardness.device.type != "cpu":
        return hardness
    value = check_not_negative("hardness", hardness.item())
    return None if value == 0 else value
