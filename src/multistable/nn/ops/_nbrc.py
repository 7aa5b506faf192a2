"""The neuromodulated bistable recurrent cell (Vecoven et al. 2021, arXiv:2006.05252).

    c = sigmoid(U_c x + W_c h + b_c)
    a = 1 + tanh(U_a x + W_a h + b_a)
    h' = c * h + (1 - c) * tanh(U_h x + a * h + b_h)

The gates are stacked in the order c, a, h; `weight_hh` (2 H, H) holds W_c and W_a. Where c is 1, a unit is kept:
c is the gate that can be hard.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._gates import Hardness, gate, harden_, slope, tanh_
from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["nbrc", "nbrc_reference", "nbrc_step"]


def nbrc_step(drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Hardness = 0.0) -> Tensor:
    """One step, drive (B, 3 H), h (B, H), weight_hh (2 H, H) -> (B, H)."""
    drive_c, drive_a, drive_h = drive.chunk(3, -1)
    by_h_c, by_h_a = F.linear(h, weight_hh).chunk(2, -1)
    c = gate(drive_c + by_h_c, hardness)
    a = 1 + (drive_a + by_h_a).tanh()
    return torch.lerp(torch.addcmul(drive_h, a, h).tanh(), h, c)


def _forward(given: Given) -> Tensor:
    """Fill the states (N, H); the gates (N, 3, H): c, a / 2 and the candidate."""
    inputs, h, _, weight_ih, weight_hh, bias, hardness, sizes, states, _ = given
    hidden_size = h.shape[1]
    # a = 1 + tanh(z) = 2 sigmoid(2 z), so that with z doubled one sigmoid serves both gates.
    twice_a = weight_ih.new_tensor([1, 2, 1]).repeat_interleave(hidden_size)[:, None]
    recurrent = (weight_hh * twice_a[: 2 * hidden_size]).t()
    bias = None if bias is None else bias * twice_a[:, 0]
    gates = F.linear(inputs, weight_ih * twice_a, bias)
    c, half_a, candidate = gates.chunk(3, 1)
    steps = (part.split(sizes) for part in (gates[:, : 2 * hidden_size], c, half_a, candidate, states))
    for c_and_a, c, half_a, candidate, after in zip(*steps, strict=True):
        if len(h) != len(after):
            h = h[: len(after)]
        c_and_a.addmm_(h, recurrent).sigmoid_()
        harden_(c, hardness)
        tanh_(candidate.addcmul_(half_a, h, value=2))
        h = torch.lerp(candidate, h, c, out=after)
    return gates.view(-1, 3, hidden_size)


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, (c, half_a, candidate) = chunk.before, chunk.gates.unbind(1)
    grads, by_gates = torch.empty_like(chunk.gates), torch.empty_like(chunk.gates[:, :2])
    flat_grads = grads.flatten(1)[:, : len(weight_hh)]
    # Derivatives of h' by each gate before its nonlinearity, and by h with the gates c and a as they are.
    keep = 1 - c
    by_candidate = torch.addcmul(keep, keep, candidate.square(), value=-1)
    torch.mul(slope(c, chunk.hardness), h - candidate, out=by_gates[:, 0])
    torch.mul(half_a - half_a.square(), h, out=by_gates[:, 1]).mul_(by_candidate).mul_(4)
    by_h = torch.addcmul(c, by_candidate, half_a, value=2)
    for by_gates_now, by_h_now, grads_now, flat, after, earlier in chunk.split(
        by_gates, by_h, grads[:, :2], flat_grads
    ):
        torch.mul(by_gates_now, after[:, None], out=grads_now)
        earlier.addcmul_(by_h_now, after).addmm_(flat, weight_hh)
    torch.mul(by_candidate, chunk.delta, out=grads[:, 2])
    return grads, flat_grads.t() @ h


nbrc = Recurrence("nbrc", 3, lambda hidden_size: (2 * hidden_size, hidden_size), nbrc_step, _forward, _backward)
nbrc_reference = nbrc.reference
