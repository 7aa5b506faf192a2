"""Which way a recurrence is computed: by the plain passes, or by kernels for a GPU."""

from importlib.util import find_spec

import torch
from torch import Tensor

__all__ = ["MATRICES", "SEQUENCES", "choose", "padded", "shared_memory"]

MATRICES = {"brc": 0, "gru": 3, "lstm": 4, "mgu": 2, "nbrc": 2}
"""How many (H, H) matrices the recurrent weights are, of the recurrences that have kernels."""
SEQUENCES = 16
"""How many a program takes: the fewest that a matrix product does."""
_TILES = 10  # of sequences by units, that a step holds at most in shared memory beside the weights
_HAS_TRITON = find_spec("triton") is not None


def choose(name: str, weight_hh: Tensor) -> tuple[str, str]:
    """The path that a recurrence takes with such weights, and if that is "plain", why."""
    if name not in MATRICES:
        return "plain", f"{name} has no kernels"
    reason, precision, room = _of_device(weight_hh.device, weight_hh.dtype)
    if reason:
        return "plain", reason
    if MATRICES[name] == 0:
        return "triton elementwise", ""
    # The largest padded size of which a program holds the matrices; a product in three parts takes twice the room.
    copies = MATRICES[name] * (2 if precision == "tf32x3" else 1)
    held = max(units for units in (0, 16, 32, 64, 128) if 4 * units * (copies * units + _TILES * SEQUENCES) <= room)
    return f"triton {'resident' if weight_hh.shape[1] <= held else 'streamed'} {precision}", ""


def padded(size: int) -> int:
    """The units that a program computes with: a power of two, and enough for a matrix product."""
    return max(16, 1 << (size - 1).bit_length())


def shared_memory(device: torch.device) -> int:
    """How many bytes a program can have; Triton's interpreter on a CPU has no bound."""
    if device.type != "cuda":
        return 2**40
    bound: int = torch.cuda.get_device_properties(device).shared_memory_per_block_optin  # type: ignore[attr-defined]
    return bound


def _of_device(device: torch.device, dtype: torch.dtype) -> tuple[str, str, int]:
    """Why there are no kernels for tensors there, if so; otherwise how they multiply, and what a program can hold."""
    if device.type != "cuda":
        return f"on {device.type}", "", 0
    if not _HAS_TRITON:
        return "Triton is not installed", "", 0
    if torch.version.hip is not None:
        return "the kernels are for CUDA", "", 0
    if dtype != torch.float32:
        return f"{dtype}, the kernels are for torch.float32", "", 0
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        return f"compute capability {'.'.join(map(str, capability))}, the kernels need 8.0", "", 0
    # As torch has it for its own recurrent layers. Where it does without tf32, three products of tf32 are as precise.
    of_torch = torch.backends.cudnn.rnn.fp32_precision  # type: ignore[attr-defined]
    return "", "tf32" if of_torch == "tf32" else "tf32x3", shared_memory(device)


# A compiled function keeps the path that it was compiled with. This is all that torch.compiler.assume_constant_result
# does, but for an import that takes as long as torch's own.
_of_device._dynamo_marked_constant = True  # type: ignore[attr-defined]
