"""CfC and LTC of `ncps`: the state is that of the units, followed by the memory cell's where there is one.

Sources: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 2022,
arXiv:2106.13898; Hasani et al., "Liquid time-constant networks", AAAI 2021, arXiv:2006.04439.
"""

from typing import Any

import torch
from torch import Tensor

from multistable._utils.names import type_name
from multistable.dynamics.custom import Layout, custom_adapter

__all__ = ["ADAPTERS"]

_ELAPSED = 1.0  # between two steps, where a call says nothing else


def _state_size(module: Any) -> int:
    return int(module.state_size) * (2 if module.use_mixed else 1)


def _step(module: Any, s: Tensor, u: Tensor) -> Tensor:
    if not module.use_mixed:
        return _next(module, s, u)
    h, c = module.lstm(u, s.chunk(2, -1))
    return torch.cat([_next(module, h, u), c], -1)


def _next(module: Any, h: Tensor, u: Tensor) -> Tensor:
    _, after = module.rnn_cell(u, h, _ELAPSED)
    return after  # type: ignore[no-any-return]


def _layout(module: Any) -> Layout:
    return "batch_first" if module.batch_first else "time_first"


def _arguments(module: Any, input: Any, hx: Any = None, timespans: Any = None) -> tuple[Any, Any]:
    if timespans is not None:
        raise ValueError(
            f"timespans of {type_name(type(module))} must be None, got {type_name(type(timespans))}: under a constant "
            f"input, steps are {_ELAPSED} apart"
        )
    return input, hx


_ADAPTER = custom_adapter(
    _step,
    input_size=lambda module: int(module.input_size),
    state_size=_state_size,
    layout=_layout,
    arguments=_arguments,
)

ADAPTERS = {"ncps.torch.cfc.CfC": _ADAPTER, "ncps.torch.ltc.LTC": _ADAPTER}
