"""What our operators do under `torch.func.vmap`."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["one_by_one"]

T = TypeVar("T")


def one_by_one(
    operator: Callable[..., T], info: Any, dims: tuple[int | None, ...], arguments: tuple[Any, ...]
) -> list[T]:
    """Its result for each entry of the dimension that is mapped over, one after the other."""
    return [
        operator(*(one if dim is None else one.select(dim, k) for one, dim in zip(arguments, dims, strict=True)))
        for k in range(info.batch_size)
    ]
