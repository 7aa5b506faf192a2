"""`Cell`: the kernels of a recurrence."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Cell", "Kernels"]

Kernels = tuple[Any, Any]
"""Forwards and backwards. Each is given what its arguments' names say."""


class Cell(NamedTuple):
    """The kernels of a recurrence.

    Attributes:
        of_weight_hh: (gradients of the gates before their nonlinearity, the gates, h before each step) -> that of
            `weight_hh`.
        elementwise: for units that see themselves alone.
        resident: with the recurrent weights in registers and shared memory throughout.
        streamed: with the recurrent weights read from the cache in each step.
    """

    of_weight_hh: Callable[[Tensor, Tensor, Tensor], Tensor]
    elementwise: Kernels | None = None
    resident: Kernels | None = None
    streamed: Kernels | None = None

    def kernels(self, path: str) -> Kernels:
        """Those of a path, such as "triton resident tf32"."""
        kernels: Kernels = getattr(self, path.split()[1])
        return kernels
