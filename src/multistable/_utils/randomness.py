"""Randomness from explicit generators; the global random state is left as it was."""

import numbers
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["as_generator", "draw_seed", "forked_rng"]


def as_generator(generator: torch.Generator | int | None) -> torch.Generator:
    """The generator given, a new one seeded with the integer given, or a new one with torch's initial seed.

    Raises:
        TypeError: `generator` is none of these.
        ValueError: the seed is negative or too large.
    """
    if isinstance(generator, torch.Generator):
        return generator
    if generator is None:
        return torch.Generator().manual_seed(torch.initial_seed())
    if isinstance(generator, bool) or not isinstance(generator, numbers.Integral):
        raise TypeError(f"generator must be a torch.Generator, an int or None, got {type(generator).__name__}")
    if not 0 <= generator < 2**63:
        raise ValueError(f"generator must be a seed in 0..2^63 - 1, got {generator}")
    return torch.Generator().manual_seed(int(generator))


def draw_seed(generator: torch.Generator) -> int:
    """A seed drawn from `generator`."""
    return int(torch.randint(2**62, (), generator=generator, device=generator.device))


@contextmanager
def forked_rng(devices: Iterable[torch.device], generator: torch.Generator) -> Iterator[None]:
    """Seed all global generators from `generator` for a block of foreign code, and restore them after it.

    They are those of torch, NumPy and Python.
    """
    cuda = [device for device in devices if device.type == "cuda"]
    seed = draw_seed(generator)
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for device in cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
