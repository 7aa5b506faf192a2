"""Results as npz files: arrays beside one JSON text that says where each belongs; nothing is pickled."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_numpy", "read", "write"]

Result = TypeVar("Result")

_ARRAY, _TUPLE, _TYPE = "array", "tuple", "type"
_STRUCTURE = "structure"


def as_numpy(tensor: Tensor) -> NDArray[Any]:
    """A tensor's values, wherever it is."""
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def write(path: str | Path, result: Any) -> None:
    """Write a dataclass of numbers, texts, tensors, tuples and dataclasses of the same."""
    arrays: dict[str, NDArray[Any]] = {}
    structure = _taken_apart(result, arrays)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays, **{_STRUCTURE: np.array(json.dumps(structure))})  # type: ignore[arg-type]


def read(path: str | Path, kind: type[Result], parts: Sequence[type]) -> Result:
    """Read what `write` wrote of a dataclass, made of itself and `parts`.

    Raises:
        ValueError: the file holds something else.
    """
    types = {one.__name__: one for one in (kind, *parts)}
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            structure = json.loads(str(arrays[_STRUCTURE]))
            result = _put_together(structure, arrays, types)
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} must hold {kind.__name__} as save writes them: {error}") from error
    if not isinstance(result, kind):
        raise ValueError(f"{path} must hold {kind.__name__}, got {type(result).__name__}")
    return result


def _taken_apart(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, Tensor):
        arrays[f"array_{len(arrays)}"] = as_numpy(value)
        return {_ARRAY: f"array_{len(arrays) - 1}"}
    if isinstance(value, tuple):
        return {_TUPLE: [_taken_apart(one, arrays) for one in value]}
    if is_dataclass(value):
        own = {one.name: _taken_apart(getattr(value, one.name), arrays) for one in fields(value)}
        return {_TYPE: type(value).__name__, **own}
    return value


def _put_together(structure: Any, arrays: Any, types: dict[str, type]) -> Any:
    if not isinstance(structure, dict):
        return structure
    if _ARRAY in structure:
        return torch.from_numpy(arrays[structure[_ARRAY]])
    if _TUPLE in structure:
        return tuple(_put_together(one, arrays, types) for one in structure[_TUPLE])
    own = {name: _put_together(one, arrays, types) for name, one in structure.items() if name != _TYPE}
    return types[structure[_TYPE]](**own)
