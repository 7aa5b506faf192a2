"""The gated recurrent unit, in the form that `nn.GRU` computes (Cho et al. 2014, arXiv:1406.1078).

    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    r = sigmoid(W_ir x + W_hr h + b_r)
    z = sigmoid(W_iz x + W_hz h + b_z)
    h' = (1 - z) * n + z * h

The gates are stacked in the order n, r, z in `weight_ih` (3 H, I), n, r, z, m in the bias (4 H,), where b_m is b_hn,
and r, z, n in `weight_hh` (3 H, H): `gru_weights` makes them of an `nn.GRU`'s. Where z is 1, a unit is kept: z is the
gate that can be hard.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._gates import Hardness, gate, harden_, slope, tanh_
from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["gru", "gru_reference", "gru_step", "gru_weights"]


def gru_step(drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Hardness = 0.0) -> Tensor:
    """One step, drive (B, 4 H) in the order n, r, z, m, h (B, H), weight_hh (3 H, H) -> (B, H)."""
    drive_n, drive_r, drive_z, drive_m = drive.chunk(4, -1)
    by_h_r, by_h_z, by_h_m = F.linear(h, weight_hh).chunk(3, -1)
    r, z = (drive_r + by_h_r).sigmoid(), gate(drive_z + by_h_z, hardness)
    return (1 - z) * (drive_n + r * (drive_m + by_h_m)).tanh() + z * h


def gru_weights(weight_ih: Tensor, bias_ih: Tensor | None, bias_hh: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """`weight_ih` and `bias` for `gru`, made of those of an `nn.GRU`; its `weight_hh` serves as it is.

    Args:
        weight_ih: (3 H, I), in the order r, z, n.
        bias_ih: (3 H,); None for a module without biases.
        bias_hh: the same.

    Returns:
        (3 H, I), and (4 H,) or None.
    """
    r_and_z = len(weight_ih) // 3 * 2
    weight = torch.cat([weight_ih[r_and_z:], weight_ih[:r_and_z]])
    if bias_ih is None or bias_hh is None:
        return weight, None
    return weight, torch.cat([bias_ih[r_and_z:], bias_ih[:r_and_z] + bias_hh[:r_and_z], bias_hh[r_and_z:]])


def _forward(given: Given) -> Tensor:
    """Fill the states (N, H); the gates (N, 4, H): n, r, z and m."""
    inputs, h, _, weight_ih, weight_hh, bias, hardness, sizes, states, _ = given
    hidden_size = h.shape[1]
    recurrent = weight_hh.t().contiguous()
    gates = inputs.new_empty(len(inputs), 4 * hidden_size)
    by_input, of_m = gates.split(3 * hidden_size, 1)
    if bias is None:
        torch.mm(inputs, weight_ih.t(), out=by_input)
        of_m.zero_()
    else:
        torch.addmm(bias[: 3 * hidden_size], inputs, weight_ih.t(), out=by_input)
        of_m.copy_(bias[3 * hidden_size :])
    n, r, z, m = gates.chunk(4, 1)
    parts = gates[:, hidden_size:], gates[:, hidden_size : 3 * hidden_size], n, r, z, m, states
    for by_h, r_and_z, n, r, z, m, after in zip(*(part.split(sizes) for part in parts), strict=True):
        if len(h) != len(after):
            h = h[: len(after)]
        by_h.addmm_(h, recurrent)
        r_and_z.sigmoid_()
        harden_(z, hardness)
        tanh_(n.addcmul_(r, m))
        h = torch.lerp(n, h, z, out=after)
    return gates.view(-1, 4, hidden_size)


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, (n, r, z, m) = chunk.before, chunk.gates.unbind(1)
    grads, by_gates = torch.empty_like(chunk.gates), torch.empty_like(chunk.gates[:, 1:])
    flat_grads = grads.flatten(1)[:, h.shape[1] :]
    # Derivatives of h' by each of r, z and m before its nonlinearity, with h as it is, and by n.
    keep = 1 - z
    by_n = torch.addcmul(keep, keep, n.square(), value=-1)
    by_m = torch.mul(by_n, r, out=by_gates[:, 2])
    torch.mul(by_m, m, out=by_gates[:, 0]).mul_(1 - r)
    torch.mul(slope(z, chunk.hardness), h - n, out=by_gates[:, 1])
    for by_gates_now, z_now, grads_now, flat, after, earlier in chunk.split(by_gates, z, grads[:, 1:], flat_grads):
        torch.mul(by_gates_now, after[:, None], out=grads_now)
        earlier.addcmul_(z_now, after).addmm_(flat, weight_hh)
    torch.mul(by_n, chunk.delta, out=grads[:, 0])
    return grads, flat_grads.t() @ h


gru = Recurrence(
    "gru", 3, lambda hidden_size: (3 * hidden_size, hidden_size), gru_step, _forward, _backward, bias_gates=4
)
gru_reference = gru.reference
