"""Complex states as real ones, and copies of modules in double precision."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from multistable._utils.copying import copied

__all__ = ["as_complex", "as_real", "in_double"]

Module = TypeVar("Module", bound=nn.Module)


def as_real(z: Tensor) -> Tensor:
    """A complex state as a flat real one: real and imaginary parts in turn, (B, S) -> (B, 2 S).

    Args:
        z: the state, complex.

    Examples:
        >>> import torch
        >>> from multistable.dynamics import as_real
        >>> as_real(torch.tensor([[1 + 2j, 3 - 1j]]))
        tensor([[ 1.,  2.,  3., -1.]])
    """
    return torch.view_as_real(z).flatten(-2)


def as_complex(s: Tensor) -> Tensor:
    """What `as_real` made, as it was, (B, 2 S) -> (B, S).

    Args:
        s: the state, real.

    Examples:
        >>> import torch
        >>> from multistable.dynamics import as_complex
        >>> as_complex(torch.tensor([[1.0, 2.0, 3.0, -1.0]]))
        tensor([[1.+2.j, 3.-1.j]])
    """
    return torch.view_as_complex(s.unflatten(-1, (-1, 2)).contiguous())


def in_double(module: Module) -> Module:
    """A copy whose real and complex parameters and buffers are in double precision.

    `nn.Module.double` leaves complex ones in single precision.
    """
    same = copied(module)
    same._apply(doubled)  # type: ignore[no-untyped-call]
    return same


def doubled(tensor: Tensor) -> Tensor:
    """The same numbers in double precision; integers as they are."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.double() if tensor.is_floating_point() else tensor
