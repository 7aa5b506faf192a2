"""The bistable recurrent cell (Vecoven et al. 2021, arXiv:2006.05252).

    c = sigmoid(U_c x + w_c * h + b_c)
    a = 1 + tanh(U_a x + w_a * h + b_a)
    h' = c * h + (1 - c) * tanh(U_h x + a * h + b_h)

The gates are stacked in the order c, a, h; `weight_hh` (2, H) holds w_c and w_a. Where c is 1, a unit is kept: c is
the gate that can be hard.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._gates import Hardness, gate, harden_, slope, tanh_
from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["brc", "brc_reference", "brc_step"]


def brc_step(drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Hardness = 0.0) -> Tensor:
    """One step, drive (B, 3 H), h (B, H), weight_hh (2, H) -> (B, H)."""
    drive_c, drive_a, drive_h = drive.chunk(3, -1)
    w_c, w_a = weight_hh.unbind()
    c = gate(torch.addcmul(drive_c, w_c, h), hardness)
    a = 1 + torch.addcmul(drive_a, w_a, h).tanh()
    return torch.lerp(torch.addcmul(drive_h, a, h).tanh(), h, c)


def _forward(given: Given) -> Tensor:
    """Fill the states (N, H); the gates (N, 3, H): c, a / 2 and the candidate."""
    inputs, h, _, weight_ih, weight_hh, bias, hardness, sizes, states, _ = given
    # a = 1 + tanh(z) = 2 sigmoid(2 z), so that with z doubled one sigmoid serves both gates.
    twice_a = weight_ih.new_tensor([1, 2, 1])[:, None].expand(3, h.shape[1])
    weight_hh = weight_hh * twice_a[:2]
    bias = None if bias is None else bias * twice_a.flatten()
    gates = F.linear(inputs, weight_ih * twice_a.reshape(-1, 1), bias).view(-1, 3, h.shape[1])
    steps = (part.split(sizes) for part in (gates[:, :2], gates[:, 0], gates[:, 1], gates[:, 2], states))
    for c_and_a, c, half_a, candidate, after in zip(*steps, strict=True):
        if len(h) != len(after):
            h = h[: len(after)]
        c_and_a.addcmul_(weight_hh, h[:, None]).sigmoid_()
        harden_(c, hardness)
        tanh_(candidate.addcmul_(half_a, h, value=2))
        h = torch.lerp(candidate, h, c, out=after)
    return gates


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, (c, half_a, candidate) = chunk.before, chunk.gates.unbind(1)
    grads = torch.empty_like(chunk.gates)
    by_c, by_a, by_candidate = grads.unbind(1)
    # Derivatives of h' by each gate before its nonlinearity, and from these by h.
    keep = 1 - c
    torch.addcmul(keep, keep, candidate.square(), value=-1, out=by_candidate)
    torch.mul(slope(c, chunk.hardness), h - candidate, out=by_c)
    torch.mul(half_a - half_a.square(), h, out=by_a).mul_(by_candidate).mul_(4)
    by_h = torch.addcmul(c, by_candidate, half_a, value=2)
    by_h.addcmul_(by_c, weight_hh[0]).addcmul_(by_a, weight_hh[1])
    for by_h_now, after, earlier in chunk.split(by_h):
        earlier.addcmul_(by_h_now, after)
    grads.mul_(chunk.delta[:, None])
    return grads, (grads[:, :2] * h[:, None]).sum(0)


brc = Recurrence("brc", 3, lambda hidden_size: (2, hidden_size), brc_step, _forward, _backward)
brc_reference = brc.reference
