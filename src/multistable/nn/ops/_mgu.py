"""The minimal gated unit (Zhou et al. 2016, arXiv:1603.09420).

    f = sigmoid(W_f x + U_f h + b_f)
    h~ = tanh(W_h x + U_h (f * h) + b_h)
    h' = (1 - f) * h + f * h~

The gates are stacked in the order f, h; `weight_hh` (2 H, H) holds U_f and U_h. Where f is 0, a unit is kept: f is the
gate that can be hard.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._gates import Hardness, gate, harden_, slope, tanh_
from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["mgu", "mgu_reference", "mgu_step"]


def mgu_step(drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Hardness = 0.0) -> Tensor:
    """One step, drive (B, 2 H), h (B, H), weight_hh (2 H, H) -> (B, H)."""
    drive_f, drive_h = drive.chunk(2, -1)
    u_f, u_h = weight_hh.chunk(2)
    f = gate(drive_f + F.linear(h, u_f), hardness)
    return torch.lerp(h, (drive_h + F.linear(f * h, u_h)).tanh(), f)


def _forward(given: Given) -> Tensor:
    """Fill the states (N, H); the gates (N, 2, H): f and the candidate."""
    inputs, h, _, weight_ih, weight_hh, bias, hardness, sizes, states, _ = given
    gates = F.linear(inputs, weight_ih, bias)
    u_f, u_h = weight_hh.t().chunk(2, 1)
    steps = (part.split(sizes) for part in (*gates.chunk(2, 1), states))
    for f, candidate, after in zip(*steps, strict=True):
        if len(h) != len(after):
            h = h[: len(after)]
        harden_(f.addmm_(h, u_f).sigmoid_(), hardness)
        tanh_(candidate.addmm_(f * h, u_h))
        h = torch.lerp(h, candidate, f, out=after)
    return gates.view(-1, 2, h.shape[1])


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, (f, candidate) = chunk.before, chunk.gates.unbind(1)
    grads = torch.empty_like(chunk.gates)
    grad_f, grad_candidate = grads.unbind(1)
    u_f, u_h = weight_hh.chunk(2)
    # Derivatives of h' by the candidate before its nonlinearity, and by f before its own directly and through f * h.
    keep = 1 - f
    by_candidate = torch.addcmul(f, f, candidate.square(), value=-1)
    steepness = slope(f, chunk.hardness)
    by_f, through_f = steepness * (candidate - h), steepness * h
    parts = chunk.split(f, keep, by_candidate, by_f, through_f, grad_f, grad_candidate)
    for (
        f_now,
        keep_now,
        by_candidate_now,
        by_f_now,
        through_f_now,
        grad_f_now,
        grad_candidate_now,
        after,
        earlier,
    ) in parts:
        of_product = torch.mul(after, by_candidate_now, out=grad_candidate_now) @ u_h
        torch.mul(after, by_f_now, out=grad_f_now).addcmul_(of_product, through_f_now)
        earlier.addcmul_(after, keep_now).addcmul_(of_product, f_now).addmm_(grad_f_now, u_f)
    return grads, torch.cat([grad_f.t() @ h, grad_candidate.t() @ (f * h)])


mgu = Recurrence("mgu", 2, lambda hidden_size: (2 * hidden_size, hidden_size), mgu_step, _forward, _backward)
mgu_reference = mgu.reference
