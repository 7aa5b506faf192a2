"""`quasi_periodic_`: pairs of units that rotate for ever."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from multistable._utils.checks import check_positive
from multistable.init._draw import Draw
from multistable.init._layers import GRU, RNN, Module, find_layers, with_biases, with_nonlinearity, zero

__all__ = ["quasi_periodic_"]

_OPEN_BIAS = 4.0  # of a gate that lets nearly all pass
_OPEN = 1 / (1 + math.exp(-_OPEN_BIAS))


def quasi_periodic_(
    module: Module,
    gain: float = 1.5,
    angles: tuple[float, float] = (math.pi / 21, math.pi / 3.8),
    *,
    generator: torch.Generator | int | None = None,
) -> Module:
    """Let pairs of units rotate for ever: a torus that attracts (Park, Sagodi and Sokol 2023, arXiv:2308.12585).

    The recurrent matrix is block-diagonal, each 2 x 2 block a rotation times `gain`, and biases are zero. The
    derivative at the origin has the eigenvalues gain exp(+-i angle), outside the unit circle, while tanh bounds the
    states: without input each pair settles on a closed curve and goes round it, by about its angle a step. Where on the
    curve it is, inputs decide, and it is not forgotten, unless the angle is so close to a simple fraction of the circle
    that the pair locks to it.

    In a GRU this is the candidate's recurrent matrix. The input and recurrent weights of the reset and update gates are
    zero, the reset gate's bias is 4 and the update gate's 0: h' = z h + (1 - z) tanh(r gain R h) with z = 0.5 and
    r = 0.98. The eigenvalues at the origin are then z + (1 - z) r gain exp(+-i angle). The candidate's input weights
    stay as they are.

    Args:
        module: an `nn.RNN` or `nn.RNNCell` with tanh, or a GRU, with an even number of hidden units.
        gain: what the rotations are multiplied by, above 1. The default and that of `angles` are those of the source's
            authors.
        angles: the smallest and the largest angle of a rotation, in radians, in (0, pi); drawn uniformly in between.
        generator: draws the angles.

    Raises:
        TypeError: `module` is no such network, or `gain` is no number.
        ValueError: the hidden units are odd in number, `gain` is not finite and above 1, or the angles are out of range
            or descending; for a GRU, the origin would not be unstable at the largest angle, or it has no biases.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> rnn = init.quasi_periodic_(torch.nn.RNN(3, 8), generator=0)
        >>> torch.linalg.eigvals(rnn.weight_hh_l0).abs().round(decimals=4).unique()
        tensor([1.5000], grad_fn=<Unique2Backward0>)
    """
    gain = check_positive("gain", gain)
    if gain <= 1:
        raise ValueError(f"gain must be above 1, got {gain}")
    if not isinstance(angles, Sequence) or len(angles) != 2:
        raise ValueError(f"angles must be two, the smallest and the largest, got {angles!r}")
    smallest, largest = (check_positive("angles", angle) for angle in angles)
    if not smallest <= largest < math.pi:
        raise ValueError(f"angles must ascend within (0, pi), got {angles}")
    layers = find_layers("quasi_periodic_", module, (*RNN, *GRU))
    with_nonlinearity("quasi_periodic_", [layer for layer in layers if isinstance(layer.module, RNN)], "tanh")
    for layer in layers:
        if layer.hidden_size % 2 != 0:
            raise ValueError(f"quasi_periodic_ needs an even number of hidden units, got {layer.hidden_size}")
    gated = with_biases("quasi_periodic_", [layer for layer in layers if isinstance(layer.module, GRU)])
    if gated and abs(0.5 + 0.5 * _OPEN * gain * complex(math.cos(largest), math.sin(largest))) <= 1:
        raise ValueError(f"gain must be large enough to make the origin of a GRU unstable at {largest}, got {gain}")
    draw = Draw(generator)
    for layer in layers:
        turn = torch.empty(layer.hidden_size // 2, dtype=torch.float64, device="cpu")
        draw.uniform([turn], smallest, largest)
        rotations = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], -1).view(-1, 2, 2)
        zero(layer.biases())
        layer.gates("weight_hh")[-1].copy_(gain * torch.block_diag(*rotations))
        if isinstance(layer.module, GRU):
            zero([*layer.gates("weight_hh")[:2], *layer.gates("weight_ih")[:2]])
            nn.init.constant_(layer.gates("bias_ih")[0], _OPEN_BIAS)
    return module
