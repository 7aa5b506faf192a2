"""The long short-term memory with forget gates, as `nn.LSTM` computes it (Gers et al. 2000).

    i = sigmoid(W_ii x + W_hi h + b_i)
    f = sigmoid(W_if x + W_hf h + b_f)
    o = sigmoid(W_io x + W_ho h + b_o)
    g = tanh(W_ig x + W_hg h + b_g)
    c' = f * c + i * g
    h' = o * tanh(c')

A state is h and c side by side, (B, 2 H). The gates are stacked in the order i, f, o, g, in `weight_ih` (4 H, I), the
bias and `weight_hh` (4 H, H): `lstm_weights` puts an `nn.LSTM`'s in it. Where f is 1 and i is 0, a unit's c is kept: f
and i are the gates that can be hard.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.nn.ops._gates import Hardness, gate, harden_, slope, tanh
from multistable.nn.ops._recurrence import Recurrence
from multistable.nn.ops._steps import Given, Steps

__all__ = ["lstm", "lstm_reference", "lstm_step", "lstm_weights"]


def lstm_step(drive: Tensor, s: Tensor, weight_hh: Tensor, hardness: Hardness = 0.0) -> Tensor:
    """One step, drive (B, 4 H), s = (h, c) (B, 2 H), weight_hh (4 H, H) -> (B, 2 H)."""
    h, c = s.chunk(2, -1)
    of_i, of_f, of_o, of_g = (drive + F.linear(h, weight_hh)).chunk(4, -1)
    c = gate(of_f, hardness) * c + gate(of_i, hardness) * of_g.tanh()
    return torch.cat([of_o.sigmoid() * c.tanh(), c], -1)


def lstm_weights(
    weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor | None, bias_hh: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`weight_ih`, `weight_hh` and `bias` for `lstm`, made of those of an `nn.LSTM` without projection.

    Args:
        weight_ih: (4 H, I), in the order i, f, g, o.
        weight_hh: (4 H, H).
        bias_ih: (4 H,); None for a module without biases.
        bias_hh: the same.

    Returns:
        (4 H, I), (4 H, H), and (4 H,) or None.
    """
    bias = None if bias_ih is None or bias_hh is None else _o_before_g(bias_ih + bias_hh)
    return _o_before_g(weight_ih), _o_before_g(weight_hh), bias


def _o_before_g(stacked: Tensor) -> Tensor:
    i, f, g, o = stacked.chunk(4)
    return torch.cat([i, f, o, g])


def _forward(given: Given) -> Tensor:
    """Fill h and c (N, H); the gates (N, 4, H): i, f, o and (1 + g) / 2."""
    inputs, h, c, weight_ih, weight_hh, bias, hardness, sizes, states, inners = given
    hidden_size = h.shape[1]
    # tanh(x) = 2 sigmoid(2 x) - 1, so that with g's x doubled one sigmoid serves all gates.
    twice_g = weight_ih.new_tensor([1, 1, 1, 2]).repeat_interleave(hidden_size)[:, None]
    recurrent = (weight_hh * twice_g).t().contiguous()
    bias = None if bias is None else bias * twice_g[:, 0]
    gates = F.linear(inputs, weight_ih * twice_g, bias)
    parts = gates, gates[:, : 2 * hidden_size], *gates.chunk(4, 1), states, inners
    for every, hard, i, f, o, half_g, h_after, c_after in zip(*(part.split(sizes) for part in parts), strict=True):
        if len(h) != len(h_after):
            h, c = h[: len(h_after)], c[: len(h_after)]
        every.addmm_(h, recurrent).sigmoid_()
        harden_(hard, hardness)
        c = torch.mul(f, c, out=c_after).addcmul_(i, half_g, value=2).sub_(i)
        h = tanh(c, h_after).mul_(o)
    return gates.view(-1, 4, hidden_size)


def _backward(chunk: Steps, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    h, c, (i, f, o, half_g) = chunk.before, chunk.inner_before, chunk.gates.unbind(1)
    grads, by_gates = torch.empty_like(chunk.gates), torch.empty_like(chunk.gates)
    # Derivatives of c' by i, f and g, of h' by o, each gate before its nonlinearity, and of h' by c'.
    read = tanh(chunk.inners, torch.empty_like(chunk.inners))
    torch.mul(slope(i, chunk.hardness), 2 * half_g - 1, out=by_gates[:, 0])
    torch.mul(slope(f, chunk.hardness), c, out=by_gates[:, 1])
    torch.mul(slope(o, None), read, out=by_gates[:, 2])
    torch.mul(slope(half_g, None), i, out=by_gates[:, 3]).mul_(4)
    by_c = torch.addcmul(o, o, read.square_(), value=-1)
    parts = chunk.split(by_gates, by_gates[:, 2], by_c, f, grads, grads[:, 2], grads.flatten(1))
    for by_gates_now, by_o_now, by_c_now, f_now, grads_now, grad_o_now, flat, after, earlier in parts:
        of_c = chunk.of_inner[: len(after)].addcmul_(after, by_c_now)
        torch.mul(by_gates_now, of_c[:, None], out=grads_now)
        torch.mul(by_o_now, after, out=grad_o_now)
        of_c.mul_(f_now)
        earlier.addmm_(flat, weight_hh)
    return grads, grads.flatten(1).t() @ h


lstm = Recurrence(
    "lstm", 4, lambda hidden_size: (4 * hidden_size, hidden_size), lstm_step, _forward, _backward, parts=2
)
lstm_reference = lstm.reference
