"""Recurrent modules as maps s' = f(s, u).

`dynamics(module)` lists the recurrent layers in any module, `stacks(module)` groups them by the module they belong to,
and `register` adds types of your own.

Examples:
    >>> import torch
    >>> from multistable.dynamics import dynamics
    >>> (layer,) = dynamics(torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.GRU(3, 8)))
    >>> layer.name
    '1.l0'
    >>> layer.step(torch.zeros(4, 8), torch.ones(4, 3)).shape
    torch.Size([4, 8])
"""

from multistable.dynamics._device import CHUNK
from multistable.dynamics._model_call import Forward
from multistable.dynamics._record import record
from multistable.dynamics.adapter import Adapter
from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences
from multistable.dynamics.jacobian import jacobians
from multistable.dynamics.precision import as_complex, as_real
from multistable.dynamics.product import Product
from multistable.dynamics.registry import adapter_of, dynamics, recurrent_modules, register, stacks
from multistable.dynamics.stack import Stack
from multistable.dynamics.trajectory import states_at

__all__ = [
    "CHUNK",
    "Adapter",
    "Dynamics",
    "Forward",
    "Product",
    "Sequences",
    "Stack",
    "adapter_of",
    "as_complex",
    "as_real",
    "dynamics",
    "jacobians",
    "record",
    "recurrent_modules",
    "register",
    "stacks",
    "states_at",
]
