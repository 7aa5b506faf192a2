"""Jacobians of a map at many states at once."""

import torch
from torch import Tensor

from multistable.dynamics.base import Dynamics

__all__ = ["jacobians"]

# Entries of the Jacobians made at a time: the way back holds a few times as many.
_ENTRIES_AT_A_TIME = 2**19
_BESIDE = 1e-3  # how far from a state to look whether it matters


def jacobians(layer: Dynamics, s: Tensor, u: Tensor) -> Tensor:
    """The derivatives of `layer.step` by the state, at each of many states.

    Args:
        layer: the layer or stack.
        s: the states, (B, S).
        u: the constant input, (I,).

    Returns:
        Row i, column j of the b-th matrix is the derivative of the i-th entry of s' by the j-th of s, (B, S, S).

    Examples:
        >>> import torch
        >>> from multistable.dynamics import dynamics, jacobians
        >>> (layer,) = dynamics(torch.nn.RNN(1, 8))
        >>> at_origin = jacobians(layer, torch.zeros(1, 8), torch.zeros(1))
        >>> at_origin.shape
        torch.Size([1, 8, 8])
    """
    size = s.shape[1]
    made = s.new_empty(len(s), size, size)
    rows = max(1, _ENTRIES_AT_A_TIME // size**2)
    for block, place in zip(s.detach().split(rows), made.split(rows), strict=True):
        place.copy_(_of_block(layer, block, u.detach()))
    return made


@torch.no_grad()
def _check_forgets(layer: Dynamics, s: Tensor, u: Tensor, after: Tensor) -> None:
    """Raise unless a step that autograd does not follow is the same from states beside these."""
    beside = layer.step(s + _BESIDE * (1 + s.abs()), u[None])
    if not torch.equal(beside, after):
        raise TypeError(
            f"step of {layer.name!r} must have a derivative by the state, got one that autograd can't follow"
        )


@torch.enable_grad()
def _of_block(layer: Dynamics, s: Tensor, u: Tensor) -> Tensor:
    """In the layer's own way, or by one pass forward, and one back for all entries of s' together."""
    known = layer.jacobian(s, u)
    if known is not None:
        return known
    s = s.requires_grad_()
    after = layer.step(s, u[None])
    entries = torch.eye(s.shape[1], dtype=s.dtype, device=s.device)[:, None].expand(-1, len(s), -1)
    if not after.requires_grad:
        _check_forgets(layer, s.detach(), u, after)
        return torch.zeros_like(entries).transpose(0, 1)
    (by_state,) = torch.autograd.grad(after, s, entries, is_grads_batched=True, materialize_grads=True)
    jacobian: Tensor = by_state.transpose(0, 1)
    return jacobian
