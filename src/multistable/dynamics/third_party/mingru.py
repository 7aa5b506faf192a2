"""The minGRU of `minGRU-pytorch`: h' = (1 - z) h + z g, where z and g depend on the input alone.

Source: Feng et al., "Were RNNs all we needed?", 2024, arXiv:2410.01201.
"""

from typing import Any

from torch import Tensor

from multistable.dynamics.custom import custom_adapter

__all__ = ["ADAPTERS"]


def _step(module: Any, s: Tensor, u: Tensor) -> Tensor:
    _, after = module(u[:, None], s[:, None], return_next_prev_hidden=True)
    return after[:, 0]  # type: ignore[no-any-return]


def _arguments(module: Any, x: Any, prev_hidden: Any = None, *_: Any, **__: Any) -> tuple[Any, Any]:
    return x, prev_hidden


ADAPTERS = {
    "minGRU_pytorch.minGRU.minGRU": custom_adapter(
        _step,
        input_size=lambda module: int(module.to_hidden_and_gate.in_features),
        state_size=lambda module: module.to_hidden_and_gate.out_features // 2,
        layout=lambda _: "batch_first",
        arguments=_arguments,
        flatten=lambda prev_hidden: None if prev_hidden is None else prev_hidden[:, 0],
    )
}
