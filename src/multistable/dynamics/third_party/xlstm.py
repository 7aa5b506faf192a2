"""The sLSTM of `xlstm`, as a layer and as the cell in it.

The cell's state is y, c, n, m: what it passes on, its memory, and the normaliser and stabiliser of that. A layer's
state is its cell's, followed by the inputs in its convolution's window. States are told apart by y. The other parts are
of another size (n comes to 1 / (1 - f), thousands where the forget gate f is nearly open) and say no more in the end:
under a constant input, where y is at rest the gates are, and by them c, n and m go where they go.

Source: Beck et al., "xLSTM: extended long short-term memory", NeurIPS 2024, arXiv:2405.04517.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.dynamics.custom import custom_adapter

__all__ = ["ADAPTERS"]


def _cell_step(cell: Any, s: Tensor, gates: Tensor) -> Tensor:
    """A step, given what the inputs contribute to the gates, (B, 4 H), (B, 4 H) -> (B, 4 H)."""
    heads, width = cell.config.num_heads, cell.config.head_dim
    y, c, n, m = s.chunk(4, -1)
    weight = cell._recurrent_kernel_int2ext(cell._recurrent_kernel)  # (heads, width, gates, width)
    by_state = torch.einsum("bhi,higo->bgho", y.unflatten(-1, (heads, width)), weight)
    bias = cell._bias_int2ext(cell._bias).transpose(0, 1)  # (gates, heads, width)
    drive = gates.unflatten(-1, (4, heads, width)) + by_state + bias
    i, f, z, o = drive.flatten(2).unbind(1)
    kept = m + F.logsigmoid(f)
    stabiliser = torch.where(n == 0, i, torch.maximum(i, kept))  # nothing is kept of a state that is none yet
    input_gate, forget_gate = (i - stabiliser).exp().clamp(max=1), (kept - stabiliser).exp().clamp(max=1)
    memory = forget_gate * c + input_gate * z.tanh()
    normaliser = forget_gate * n + input_gate
    return torch.cat([o.sigmoid() * memory / normaliser, memory, normaliser, stabiliser], -1)


def _cell_state(state: Any) -> Tensor | None:
    """(4, B, H) -> (B, 4 H)."""
    return None if state is None else state.transpose(0, 1).flatten(1)


def _window_size(layer: Any) -> int:
    """Inputs that the convolution looks back on, times their features."""
    return max(0, int(layer.config.conv1d_kernel_size) - 1) * int(layer.config.embedding_dim)


def _layer_step(layer: Any, s: Tensor, u: Tensor) -> Tensor:
    window = s[:, 4 * layer.config.hidden_size :]
    smooth = u
    if layer.config.conv1d_kernel_size > 0:
        seen = torch.cat([window.unflatten(-1, (-1, u.shape[1])), u[:, None]], 1)
        conv = layer.conv1d.conv
        smooth = F.silu(F.conv1d(seen.mT, conv.weight, conv.bias, groups=conv.groups)[..., 0])
        window = seen[:, 1:].flatten(1)
    # The layer calls the gate that it makes with `fgate` the input gate, and the other way round.
    gates = torch.cat([layer.fgate(smooth), layer.igate(smooth), layer.zgate(u), layer.ogate(u)], -1)
    return torch.cat([_cell_step(layer.slstm_cell, s[:, : 4 * layer.config.hidden_size], gates), window], -1)


def _layer_arguments(
    layer: Any, x: Any, conv_state: Any = None, slstm_state: Any = None, *_: Any, **__: Any
) -> tuple[Any, Any]:
    if slstm_state is None and conv_state is None:
        return x, None
    state = x.new_zeros(4, len(x), layer.config.hidden_size) if slstm_state is None else slstm_state
    window = x.new_zeros(len(x), _window_size(layer)) if conv_state is None else conv_state
    return x, (state, window)


def _layer_state(state: Any) -> Tensor | None:
    return None if state is None else torch.cat([state[0].transpose(0, 1).flatten(1), state[1].flatten(1)], -1)


_CELL = custom_adapter(
    _cell_step,
    input_size=lambda cell: 4 * int(cell.config.hidden_size),
    state_size=lambda cell: 4 * int(cell.config.hidden_size),
    output_size=lambda cell: int(cell.config.hidden_size),
    layout=lambda _: "batch_first",
    observe=lambda cell, s: s[:, : cell.config.hidden_size],
    flatten=_cell_state,
)
_LAYER = custom_adapter(
    _layer_step,
    input_size=lambda layer: int(layer.config.embedding_dim),
    state_size=lambda layer: 4 * int(layer.config.hidden_size) + _window_size(layer),
    output_size=lambda layer: int(layer.config.hidden_size),
    layout=lambda _: "batch_first",
    observe=lambda layer, s: s[:, : layer.config.hidden_size],
    arguments=_layer_arguments,
    flatten=_layer_state,
)

ADAPTERS = {
    "xlstm.blocks.slstm.layer.sLSTMLayer": _LAYER,
    "xlstm.blocks.slstm.cell.sLSTMCell_vanilla": _CELL,
    "xlstm.blocks.slstm.cell.sLSTMCell_cuda": _CELL,
}
