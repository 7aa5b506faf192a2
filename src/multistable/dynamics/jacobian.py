"""Jacobians of a map at many states at once."""

import torch
from torch import Tensor
from torch.func import jacfwd, vmap

from multistable.dynamics.base import Dynamics

__all__ = ["jacobians"]

# Entries of the Jacobians made at a time: forward mode holds a few times as many on the way.
_ENTRIES_AT_A_TIME = 2**19


@torch.no_grad()
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

    def step(one: Tensor) -> Tensor:
        return layer.step(one[None], u[None])[0]

    size = s.shape[1]
    blocks = s.split(max(1, _ENTRIES_AT_A_TIME // size**2))
    made = s.new_empty(len(s), size, size)
    for block, place in zip(blocks, made.split(len(blocks[0])), strict=True):
        place.copy_(vmap(jacfwd(step))(block))
    return made
