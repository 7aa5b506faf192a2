"""The passes of a recurrence by its kernels: what they are given, and the products before and after."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from multistable.nn.ops.triton._brc import brc
from multistable.nn.ops.triton._cell import Cell
from multistable.nn.ops.triton._gru import gru
from multistable.nn.ops.triton._launch import launch
from multistable.nn.ops.triton._lstm import lstm
from multistable.nn.ops.triton._mgu import mgu
from multistable.nn.ops.triton._nbrc import nbrc
from multistable.nn.ops.triton._rows import Rows

__all__ = ["hold", "scan", "scan_backward"]

_CELLS: Mapping[str, Cell] = {"brc": brc, "gru": gru, "lstm": lstm, "mgu": mgu, "nbrc": nbrc}


def scan(
    name: str,
    path: str,
    bias_gates: int,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None,
    batch_sizes: Tensor | None,
    hardness: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """h after each step, the last state of each sequence, the gates, and the rest of the state after each step."""
    size, rows, driven = weight_hh.shape[1], inputs.flatten(0, -2), len(weight_ih)
    # What drives the gates lies where they will: a kernel reads a row of it before it writes one.
    gates = inputs.new_empty(len(rows), bias_gates * size)
    if bias is None:
        torch.mm(rows, weight_ih.t(), out=gates[:, :driven])
    else:
        torch.addmm(bias[:driven], rows, weight_ih.t(), out=gates[:, :driven])
    states = inputs.new_empty(*inputs.shape[:-1], size)
    inners = inputs.new_empty(len(rows), h.shape[1] - size)
    at = Rows.of(inputs, batch_sizes)
    given = {
        "gates": gates,
        "bias_m": weight_hh.new_zeros(size) if bias is None else bias[driven:].contiguous(),
        "states": states,
        "inners": inners,
        "first_rows": at.first_rows,
        "lengths": at.lengths,
        "hold": False,
    }
    last = _forward(name, path, h, weight_hh, hardness, given)
    return states, last, gates.view(-1, bias_gates, size), inners


def scan_backward(
    name: str,
    path: str,
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    gates: Tensor,
    states: Tensor,
    inners: Tensor,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    batch_sizes: Tensor | None,
    hardness: Tensor | None,
    of_inputs: bool,
    of_weight_ih: bool,
) -> tuple[Tensor, ...]:
    """The gradients of inputs, h, weight_ih, weight_hh and bias; empty where they are not asked for."""
    size, at = weight_hh.shape[1], Rows.of(inputs, batch_sizes)
    before = at.before(h[:, :size], states.flatten(0, -2))
    of_gates, of_state = torch.empty_like(gates), h.new_zeros(h.shape)
    if grad_last is not None:
        of_state.copy_(grad_last)
    given = {
        "of_states": None if grad_states is None else grad_states.contiguous(),
        "direct": grad_states is not None,
        "of_state": of_state,
        "gates": gates.contiguous(),
        "inners": inners.contiguous(),
        "before": before,
        "inner_before": at.before(h[:, size:], inners),
        "of_gates": of_gates,
        "first_rows": at.first_rows,
        "lengths": at.lengths,
    }
    _, backward = _CELLS[name].kernels(path)
    launch(backward, name, path, h, weight_hh, hardness, given)
    flat = of_gates.flatten(1)
    of_drive = flat[:, : len(weight_ih)]
    nothing = inputs.new_empty(0)
    return (
        (of_drive @ weight_ih).view(inputs.shape) if of_inputs else nothing,
        of_state,
        of_drive.t() @ inputs.flatten(0, -2) if of_weight_ih else torch.empty_like(nothing),
        _CELLS[name].of_weight_hh(of_gates, gates, before),
        flat.sum(0),
    )


def hold(
    name: str, path: str, drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Tensor | None, steps: int
) -> Tensor:
    """The state after `steps` steps under one drive; nothing is kept of those between."""
    given = {
        "gates": drive.contiguous(),
        "bias_m": drive[-weight_hh.shape[1] :].contiguous(),
        "states": None,
        "inners": None,
        "first_rows": None,
        "lengths": torch.full((len(h),), steps, dtype=torch.int32, device=h.device),
        "hold": True,
    }
    return _forward(name, path, h, weight_hh, hardness, given)


def _forward(
    name: str, path: str, h: Tensor, weight_hh: Tensor, hardness: Tensor | None, given: dict[str, Any]
) -> Tensor:
    """Launch, and return the last state of each sequence."""
    size, (kernel, _) = weight_hh.shape[1], _CELLS[name].kernels(path)
    if "streamed" not in path:
        last = h.new_empty(h.shape)
        launch(kernel, name, path, h, weight_hh, hardness, given | {"start": h.contiguous(), "last": last})
        return last
    # Steps take turns between two states, as all of one is read while the other is written.
    state, inner = h.new_empty(2, len(h), size), h.new_empty(len(h), h.shape[1] - size)
    state[0], inner[:] = h[:, :size], h[:, size:]
    scratch = {"state": state, "inner": inner, "opening": torch.empty_like(state[0])}
    launch(kernel, name, path, h, weight_hh, hardness, given | scratch)
    at_end = state[given["lengths"].long() % 2, torch.arange(len(h), device=h.device)]
    return torch.cat([at_end, inner], 1)
