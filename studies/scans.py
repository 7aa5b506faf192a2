"""Scans over time, step by step forwards and backwards, for the networks in `sequence_models.py`."""

import math
from typing import Any

import torch
from torch import Tensor


def linear_scan(decay: Tensor, inputs: Tensor, first: Tensor | None) -> Tensor:
    """h_t = decay_t h_(t-1) + inputs_t over the second dimension, real or complex; (M, T, B, D), from `first` or 0."""
    first = torch.zeros_like(inputs[:, 0]) if first is None else first
    if torch.is_grad_enabled():
        return LinearScan.apply(decay, inputs, first)  # type: ignore[no-any-return, no-untyped-call]
    return _scan(decay, inputs, first)


def _scan(decay: Tensor, inputs: Tensor, first: Tensor) -> Tensor:
    states = inputs.clone(memory_format=torch.contiguous_format)
    before = first
    for kept, state in zip(decay.unbind(1), states.unbind(1), strict=True):
        before = state.addcmul_(kept, before)
    return states


class LinearScan(torch.autograd.Function):
    """`linear_scan` with its gradient."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, inputs: Tensor, first: Tensor) -> Tensor:
        states = _scan(decay, inputs, first)
        ctx.save_for_backward(decay, states, first)
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, states, first = ctx.saved_tensors
        turned = decay.conj().resolve_conj()
        total = grads[0].clone(memory_format=torch.contiguous_format)
        for t in range(total.shape[1] - 2, -1, -1):
            total[:, t].addcmul_(turned[:, t + 1], total[:, t + 1])
        before = torch.cat([first[:, None], states[:, :-1]], dim=1)
        return total * before.conj(), total, turned[:, 0] * total[:, 0]


def selective_scan(
    delta: Tensor, a: Tensor, read_in: Tensor, read_out: Tensor, u: Tensor, first: Tensor | None
) -> tuple[Tensor, Tensor]:
    """h_t = exp(delta_t a) h_(t-1) + delta_t u_t read_in_t and y_t = read_out_t h_t; all y, and the last h.

    delta and u: (M, T, B, E). a: (M, N, E). read_in and read_out: (M, T, B, N). h: (M, B, N, E), which has no gradient.
    """
    if first is None:
        first = u.new_zeros(u.shape[0], u.shape[2], *a.shape[1:])
    if torch.is_grad_enabled():
        return SelectiveScan.apply(delta, a, read_in, read_out, u, first)  # type: ignore[no-any-return, no-untyped-call]
    return _select(delta, a, read_in, read_out, u, first, None)


def _select(
    delta: Tensor, a: Tensor, read_in: Tensor, read_out: Tensor, u: Tensor, h: Tensor, kept: list[Tensor] | None
) -> tuple[Tensor, Tensor]:
    outputs = []
    binary = a[:, None] * (1 / math.log(2))  # torch computes powers of 2 faster
    slow, wide, given = delta.unsqueeze(3), (delta * u).unsqueeze(3), read_in.unsqueeze(4)
    for t in range(u.shape[1]):
        decay = (slow[:, t] * binary).exp2_()
        h = torch.addcmul(decay * h, wide[:, t], given[:, t])
        outputs.append(torch.matmul(read_out[:, t].unsqueeze(2), h).squeeze(2))
        if kept is not None:
            kept += [decay, h]
    return torch.stack(outputs, dim=1), h


class SelectiveScan(torch.autograd.Function):
    """`selective_scan` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, delta: Tensor, a: Tensor, read_in: Tensor, read_out: Tensor, u: Tensor, first: Tensor
    ) -> tuple[Tensor, Tensor]:
        kept: list[Tensor] = []
        outputs, h = _select(delta, a, read_in, read_out, u, first, kept)
        ctx.save_for_backward(delta, a, read_in, read_out, u, first, *kept)
        ctx.mark_non_differentiable(h)
        return outputs, h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, None]:
        delta, a, read_in, read_out, u, first, *kept = ctx.saved_tensors
        decays, states = kept[::2], [first, *kept[1::2]]
        wide = delta * u
        total = torch.zeros_like(first)
        of_delta, of_wide = torch.empty_like(delta), torch.empty_like(wide)
        of_in, of_out, of_a = torch.empty_like(read_in), torch.empty_like(read_out), torch.zeros_like(a)
        for t in range(u.shape[1] - 1, -1, -1):
            given = grads[0][:, t].unsqueeze(2)
            of_out[:, t] = (states[t + 1] * given).sum(-1)
            total = torch.addcmul(total, read_out[:, t].unsqueeze(3), given)
            of_wide[:, t] = torch.matmul(read_in[:, t].unsqueeze(2), total).squeeze(2)
            of_in[:, t] = (total * wide[:, t].unsqueeze(2)).sum(-1)
            total = total * decays[t]
            exponent = total * states[t]
            of_delta[:, t] = (exponent * a[:, None]).sum(2)
            of_a += (exponent * delta[:, t].unsqueeze(2)).sum(1)
        return of_delta + of_wide * u, of_a, of_in, of_out, of_wide * delta, None
