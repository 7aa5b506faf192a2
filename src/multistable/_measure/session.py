"""What `measure`, `warmup` and `attractors` do before any work, and after it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch

from multistable.dynamics import Stack

__all__ = ["check_parameters", "without_autocast"]


def without_autocast(stacks: Sequence[Stack]) -> AbstractContextManager[object]:
    """The parameters' own precision, also where a caller has turned autocast on."""
    return torch.autocast(stacks[0].parameters()[0].device.type, enabled=False)


def check_parameters(stacks: Sequence[Stack]) -> None:
    """Raise unless all parameters are finite and in single or double precision."""
    for stack in stacks:
        for part in stack.parts:
            for parameter in part.parameters():
                if parameter.dtype not in (torch.float32, torch.float64):
                    raise TypeError(
                        f"parameters of {part.name!r} must be float32 or float64, got {parameter.dtype}: "
                        "half precision can't tell states apart at this tolerance"
                    )
                if parameter.is_meta or parameter.is_inference():
                    kind = "meta" if parameter.is_meta else "inference"
                    raise ValueError(f"parameters of {part.name!r} must be ordinary tensors, got {kind} tensors")
                if not torch.isfinite(parameter).all():
                    raise ValueError(f"parameters of {part.name!r} must be finite, got NaN or infinity")
