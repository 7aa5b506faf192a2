"""Sizes that ask for more memory than there is, told before any work, or at the moment at which it is refused."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from multistable.experiments.config import Config

__all__ = ["asking", "check_memory", "of_config", "of_network"]

_BYTES = 4  # of a float32
# Weights, their gradients and the two averages that Adam keeps.
_COPIES = 4
_REFUSED = ("can't allocate memory", "out of memory", "not enough memory", "size calculation overflowed")


def of_network(hidden: int, layers: int) -> int:
    """The bytes that recurrent layers take in training, at the least."""
    return layers * hidden * hidden * _BYTES * _COPIES


def of_config(config: Config) -> dict[str, int]:
    """The bytes that a run takes at the least, by the keys that say so."""
    key, longest = config.of_task.horizon_key, max(config.horizon, *config.evaluation_lengths, 1)
    return {
        "hidden and layers": of_network(config.hidden, config.layers),
        f"samples and {key}": _BYTES * (config.samples or 1) * config.horizon,
        f"test_samples, {key} and evaluation_lengths": _BYTES * (config.test_samples or 1) * longest,
    }


def check_memory(needs: Mapping[str, int]) -> None:
    """Raise if something needs more than all the memory of this machine.

    Args:
        needs: the bytes that are needed at the least, by the names of the arguments that say so.

    Raises:
        ValueError: there is not as much.
    """
    there = _there()
    for names, need in needs.items():
        if need > there:
            raise ValueError(f"{names}: at least {_shown(need)} of memory are asked for, and there are {_shown(there)}")


@contextmanager
def asking(names: str) -> Iterator[None]:
    """Say of memory that is refused in the block which arguments ask for it.

    Raises:
        MemoryError: there is not enough memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or any(one in str(error) for one in _REFUSED)):
            raise
        raise MemoryError(f"there is too little memory: {names} decide how much is needed") from error


def _there() -> int:
    """The bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # not on Windows, where it is refused at the moment it is asked for
        return 2**63


def _shown(size: int) -> str:
    return f"{size / 1e9:,.0f} GB" if size < 1e21 else "over 1e12 GB"
