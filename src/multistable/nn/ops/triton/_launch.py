"""A kernel of a recurrence, launched with what it asks for by name."""

from contextlib import nullcontext
from typing import Any

import torch
import triton
from torch import Tensor

from multistable.nn.ops._gates import value_of
from multistable.nn.ops._path import MATRICES, SEQUENCES, padded, shared_memory

__all__ = ["launch"]

# By precision, how the weights are streamed, and with how many warps and stages at most: the fastest of what was tried.
_BLOCK_J = 128
_BLOCK_K = {"tf32": 32, "tf32x3": 64}
_OPTIONS = {"tf32": {"num_warps": 4, "num_stages": 4}, "tf32x3": {"num_warps": 8, "num_stages": 2}}


def launch(
    kernel: Any,
    name: str,
    path: str,
    h: Tensor,
    weight_hh: Tensor,
    hardness: Tensor | None,
    given: dict[str, Any],
) -> None:
    """Run a kernel on the path's settings; `given` is what it takes beside what all kernels do."""
    batch, size, value = len(h), weight_hh.shape[1], value_of(hardness)
    if batch * size == 0:
        return
    if value is not None and not isinstance(value, Tensor):
        value = h.new_full((), value)  # where a kernel can read it, and without waiting
    constants, options, grid = _settings(path, MATRICES[name], batch, size, shared_memory(h.device))
    takes = given | constants | {
        "batch": batch,
        "size": size,
        "weight_hh": weight_hh.contiguous(),
        "hard": value is not None,
        "hardness": weight_hh if value is None else value.to(h.dtype),
    }  # fmt: skip
    # Triton launches on the current device, whatever its arguments are on.
    with torch.cuda.device(h.device) if h.is_cuda else nullcontext():
        kernel[grid](**{argument: takes[argument] for argument in kernel.arg_names}, **options, enable_fp_fusion=True)


def _settings(
    path: str, matrices: int, batch: int, size: int, shared_memory: int
) -> tuple[dict[str, Any], dict[str, int], tuple[int, ...]]:
    """What is fixed in a kernel, its options, and how many programs there are."""
    if path == "triton elementwise":
        units = min(128, padded(size))
        return {"units": units}, {"num_warps": max(1, units // 32)}, (batch, triton.cdiv(size, units))
    _, form, precision = path.split()
    constants: dict[str, Any] = {"many": SEQUENCES, "precision": precision}
    grid = (triton.cdiv(batch, SEQUENCES),)
    if form == "resident":
        units = padded(size)
        return constants | {"units": units}, {"num_warps": min(8, units // 8)}, grid
    block_k, options = _BLOCK_K[precision], _OPTIONS[precision]
    stages = options["num_stages"]
    if stages * _stage(matrices, block_k) > shared_memory:
        block_k = 32
        stages = max(1, min(stages, shared_memory // _stage(matrices, block_k)))
    return constants | {"block_j": _BLOCK_J, "block_k": block_k}, options | {"num_stages": stages}, grid


def _stage(matrices: int, block_k: int) -> int:
    """Bytes of a block of each matrix and of the states that it multiplies."""
    return 4 * block_k * (matrices * _BLOCK_J + SEQUENCES)
