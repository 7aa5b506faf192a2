"""What tests make lies on the device that the fixture `device` is at: every one that there is, in turn."""

from typing import TypeVar, cast

import torch
from torch import Tensor, nn

__all__ = ["DEVICES", "current", "here", "move_to", "randn", "random"]

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
_at = DEVICES[:1]

Movable = TypeVar("Movable", bound=Tensor | nn.Module)


def current() -> torch.device:
    return _at[0]


def move_to(device: torch.device) -> None:
    _at[0] = device


def here(value: Movable) -> Movable:
    """By `to`, and not by torch's default device, under which what the library forgets to place would be there too."""
    return cast("Movable", value.to(_at[0]))


def randn(*shape: int, dtype: torch.dtype | None = None, seed: int | None = None) -> Tensor:
    """Drawn on the CPU, so that all devices see the same numbers."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return here(torch.randn(*shape, dtype=dtype, generator=generator))


def random(*shape: int, seed: int | None = None) -> Tensor:
    return randn(*shape, dtype=torch.float64, seed=seed)
