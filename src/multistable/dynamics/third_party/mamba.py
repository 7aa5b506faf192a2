"""The Mamba block of `mambapy`: the state is that of the scan, followed by the inputs in the convolution's window.

Source: Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023, arXiv:2312.00752.
"""

from typing import Any

import torch
from torch import Tensor

from multistable.dynamics.custom import custom_adapter

__all__ = ["ADAPTERS"]


def _sizes(module: Any) -> tuple[int, int]:
    """Entries of the scan's state, and of the window."""
    config = module.config
    return config.d_inner * config.d_state, config.d_inner * (config.d_conv - 1)


def _step(module: Any, s: Tensor, u: Tensor) -> Tensor:
    config = module.config
    h, window = s.split(_sizes(module), -1)
    cache = (
        h.unflatten(-1, (config.d_inner, config.d_state)),
        window.unflatten(-1, (config.d_inner, config.d_conv - 1)),
    )
    _, after = module.step(u, cache)
    return torch.cat([part.flatten(1) for part in after], -1)


ADAPTERS = {
    "mambapy.mamba.MambaBlock": custom_adapter(
        _step,
        input_size=lambda module: int(module.config.d_model),
        state_size=lambda module: sum(_sizes(module)),
        layout=lambda _: "batch_first",
        arguments=lambda _, x: (x, None),
    )
}
