"""The gated recurrent unit, in the form that `nn.GRU` computes (Cho et al. 2014, arXiv:1406.1078).

    r = sigmoid(U_r x + W_r h + b_r)
    z = sigmoid(U_z x + W_z h + b_z)
    m = U_m x + W_m h + b_m
    n = tanh(U_n x + r * m + b_n)
    h' = (1 - z) * n + z * h

The gates are stacked in the order r, z, m, n; `weight_hh` (3 H, H) holds W_r, W_z and W_m. In a GRU U_m is zero: its
weights in this form are what `gru_weights` gives.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["gru", "gru_reference", "gru_step", "gru_weights"]


def gru_step(drive: Tensor, h: Tensor, weight_hh: Tensor) -> Tensor:
    """One step, drive (B, 4 H), h (B, H), weight_hh (3 H, H) -> (B, H)."""
    drive_r, drive_z, drive_m, drive_n = drive.chunk(4, -1)
    by_h_r, by_h_z, by_h_m = F.linear(h, weight_hh).chunk(3, -1)
    r, z = (drive_r + by_h_r).sigmoid(), (drive_z + by_h_z).sigmoid()
    return (1 - z) * (drive_n + r * (drive_m + by_h_m)).tanh() + z * h


def gru_weights(weight_ih: Tensor, bias_ih: Tensor | None, bias_hh: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """`weight_ih` and `bias` for `gru`, made of those of an `nn.GRU`; its `weight_hh` serves as it is.

    Args:
        weight_ih: (3 H, I).
        bias_ih: (3 H,); None for a module without biases.
        bias_hh: the same.

    Returns:
        (4 H, I), and (4 H,) or None.
    """
    r_and_z = len(weight_ih) // 3 * 2
    weight = torch.cat([weight_ih[:r_and_z], torch.zeros_like(weight_ih[r_and_z:]), weight_ih[r_and_z:]])
    if bias_ih is None or bias_hh is None:
        return weight, None
    return weight, torch.cat([bias_ih[:r_and_z] + bias_hh[:r_and_z], bias_hh[r_and_z:], bias_ih[r_and_z:]])


def _forward(given: Given) -> Tensor:
    """Fill the states (N, H); the gates (N, 4, H): r, z, m and n."""
    inputs, h, weight_ih, weight_hh, bias, sizes, states = given
    hidden_size = h.shape[1]
    recurrent = weight_hh.t()
    gates = F.linear(inputs, weight_ih, bias)
    r, z, m, n = gates.chunk(4, 1)
    steps = (
        part.split(sizes) for part in (gates[:, : 3 * hidden_size], gates[:, : 2 * hidden_size], r, z, m, n, states)
    )
    for by_h, r_and_z, r, z, m, n, after in zip(*steps, strict=True):
        if len(h) != len(after):
            h = h[: len(after)]
        by_h.addmm_(h, recurrent)
        r_and_z.sigmoid_()
        n.addcmul_(r, m).tanh_()
        h = torch.lerp(n, h, z, out=after)
    return gates.view(-1, 4, hidden_size)


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, (r, z, m, n) = chunk.before, chunk.gates.unbind(1)
    grads, by_gates = torch.empty_like(chunk.gates), torch.empty_like(chunk.gates[:, :3])
    flat_grads = grads.flatten(1)[:, : len(weight_hh)]
    # Derivatives of h' by each of r, z and m before its nonlinearity, with h as it is, and by n.
    keep = 1 - z
    by_n = torch.addcmul(keep, keep, n.square(), value=-1)
    by_m = torch.mul(by_n, r, out=by_gates[:, 2])
    torch.mul(by_m, m, out=by_gates[:, 0]).mul_(1 - r)
    torch.mul(z * keep, h - n, out=by_gates[:, 1])
    for by_gates_now, z_now, grads_now, flat, after, earlier in chunk.split(by_gates, z, grads[:, :3], flat_grads):
        torch.mul(by_gates_now, after[:, None], out=grads_now)
        earlier.addcmul_(z_now, after).addmm_(flat, weight_hh)
    torch.mul(by_n, chunk.delta, out=grads[:, 3])
    return grads, flat_grads.t() @ h


gru = Recurrence("gru", 4, lambda hidden_size: (3 * hidden_size, hidden_size), gru_step, _forward, _backward)
gru_reference = gru.reference
