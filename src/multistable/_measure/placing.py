"""A batch's tensors on a model's device, and NumPy's arrays as tensors."""

import copy
from collections import UserDict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multistable._utils.checks import check_ordinary
from multistable.dynamics._model_call import is_mapping, is_named_tuple

__all__ = ["as_tensor", "placed"]

_NUMBERS = "biufc"  # booleans, integers, floating-point and complex numbers, as NumPy calls them


def as_tensor(values: Tensor | NDArray[Any], like: Tensor) -> Tensor:
    """A tensor, or an array of numbers as one: floating-point numbers in the dtype of `like`, others in their own.

    Raises:
        TypeError: an array holds something else than numbers.
    """
    if isinstance(values, Tensor):
        return values
    if values.dtype.kind not in _NUMBERS:
        raise TypeError(f"arrays must hold numbers, got dtype {values.dtype}")
    # A copy, as arrays may be read-only, go backwards or have another byte order.
    own = torch.from_numpy(values.astype(values.dtype.newbyteorder("="), order="C", copy=True))
    return own.to(like.dtype) if own.is_floating_point() else own


def placed(batch: Any, like: Tensor, *, move: bool = True) -> Any:
    """A batch with arrays of numbers as tensors and, if `move`, on the device of `like`; what came is left alone."""
    if isinstance(batch, np.ndarray) and batch.dtype.kind in _NUMBERS:
        batch = as_tensor(batch, like)
    if is_named_tuple(batch):
        return type(batch)(*(placed(one, like, move=move) for one in batch))
    if type(batch) in (tuple, list):
        return type(batch)(placed(one, like, move=move) for one in batch)
    if isinstance(batch, UserDict) or (is_mapping(batch) and not hasattr(batch, "to")):
        keys = list(batch.keys())  # what has keys need not go through them by itself
        same = copy.copy(batch) if isinstance(batch, dict | UserDict) else {key: batch[key] for key in keys}
        for key in keys:
            same[key] = placed(same[key], like, move=move)
        return same
    if isinstance(batch, Tensor):
        check_ordinary("inputs", batch)
    return batch.to(like.device) if move and hasattr(batch, "to") else batch
