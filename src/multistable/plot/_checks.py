"""Whether what is drawn together belongs together."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from multistable._attractors import Attractors

__all__ = ["check_fits"]


def check_fits(name: str, size: int, u: Tensor, found: "Attractors") -> None:
    """Raise unless `found` has states of a size, and was found under the constant input `u`."""
    of_found = found.trajectory.shape[2]
    if size != of_found:
        raise ValueError(f"{name} has states of {size} units, but found has states of {of_found}")
    given, used = (one.detach().cpu().double() for one in (u, found.u))
    # What was drawn in single precision may have been turned into double precision, and back.
    if given.shape != used.shape or not torch.allclose(given, used, rtol=1e-5, atol=1e-7):
        raise ValueError(
            f"{name} and found must have the same constant input, got {given.tolist()} and {used.tolist()}"
        )
