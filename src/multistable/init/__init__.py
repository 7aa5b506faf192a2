"""Closed-form initialisers of recurrent modules, in place, in the style of `torch.nn.init`.

Each takes a recurrent module, a `multistable.nn.DoubleLayer`, whose parts it treats alike, or a whole model, in which
it finds all recurrent modules of torch's and of `multistable.nn`; it changes all layers and directions of these and
returns what it was given. It raises, and changes nothing, where there is none, or where it has no meaning for the type
of one: then call it on the others, one by one. Recurrent modules of other makes are passed over. As in torch,
`generator=None` draws from torch's global generator; a `torch.Generator` or a seed draws from that.

Examples:
    >>> import torch
    >>> from multistable import init
    >>> lstm = init.chrono_(torch.nn.LSTM(3, 8), t_max=100)
    >>> bool((lstm.bias_ih_l0[8:16] >= 0).all())  # the forget gates
    True
"""

from multistable.init.bistable import bistable_
from multistable.init.chrono import chrono_
from multistable.init.critical import critical_
from multistable.init.forget_bias import forget_bias_
from multistable.init.identity import identity_
from multistable.init.orthogonal import orthogonal_
from multistable.init.paper import paper_
from multistable.init.quasi_periodic import quasi_periodic_
from multistable.init.uniform_gates import uniform_gates_

__all__ = [
    "bistable_",
    "chrono_",
    "critical_",
    "forget_bias_",
    "identity_",
    "orthogonal_",
    "paper_",
    "quasi_periodic_",
    "uniform_gates_",
]
