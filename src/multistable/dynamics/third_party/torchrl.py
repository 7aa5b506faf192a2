"""GRU and LSTM of `torchrl` in plain Python, which its `GRUModule` and `LSTMModule` hold with `python_based=True`.

Without it they hold torch's own.
"""

from typing import Any

from torch.nn.utils.rnn import pack_padded_sequence

from multistable.dynamics._direction_adapter import direction_adapter
from multistable.dynamics.calls import read_cell_call, read_layer_call
from multistable.dynamics.torch_layers import GRUDynamics, LSTMDynamics

__all__ = ["ADAPTERS"]


def _arguments(module: Any, input: Any, hx: Any = None, mask: Any = None) -> tuple[Any, Any]:
    if mask is None:
        return input, hx
    lengths = mask.sum(int(module.batch_first)).cpu()  # steps that count come first
    return pack_padded_sequence(input, lengths, module.batch_first, enforce_sorted=False), hx


_FILE = "torchrl.modules.tensordict_module.rnn"

ADAPTERS = {
    f"{_FILE}.GRU": direction_adapter(GRUDynamics, read_layer_call, is_cell=False, arguments=_arguments),
    f"{_FILE}.LSTM": direction_adapter(LSTMDynamics, read_layer_call, is_cell=False, arguments=_arguments),
    f"{_FILE}.GRUCell": direction_adapter(GRUDynamics, read_cell_call, is_cell=True),
    f"{_FILE}.LSTMCell": direction_adapter(LSTMDynamics, read_cell_call, is_cell=True),
}
