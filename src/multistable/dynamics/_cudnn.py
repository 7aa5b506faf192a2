"""What cuDNN says about weights that do not lie in one block of memory."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

__all__ = ["unflattened_weights_allowed"]


@contextmanager
def unflattened_weights_allowed(states: Tensor) -> Iterator[None]:
    """Silence cuDNN's advice to flatten the weights: one layer of a module is a part of the module's block."""
    if not states.is_cuda:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        yield
