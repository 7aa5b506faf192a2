"""Which calls go through plain operations, since what is made of them must do without our operators."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from multistable.nn.ops._gates import Hardness

__all__ = ["is_plain", "is_traced", "scan", "untraced"]

Step = Callable[[Tensor, Tensor, Tensor, Hardness], Tensor]


def is_traced() -> bool:
    """Whether `torch.jit.trace` is running."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def is_plain(name: str, batch_sizes: Tensor | None) -> bool:
    """Whether a call is traced for TorchScript or exported to ONNX.

    Raises:
        NotImplementedError: it is, and its sequences are packed.
    """
    to_onnx = torch.onnx.is_in_onnx_export()
    if not (to_onnx or is_traced()):
        return False
    if batch_sizes is not None:
        form = "torch.onnx.export" if to_onnx else "torch.jit.trace"
        raise NotImplementedError(
            f"{form} takes {name} without a PackedSequence, whose lengths would be fixed: pass padded sequences, and "
            "read the outputs at their ends"
        )
    return True


def scan(step: Step, drive: Tensor, h: Tensor, weight_hh: Tensor, hardness: Hardness) -> tuple[Tensor, Tensor]:
    """h after each step, (T, B, H), and the last state, (B, S), of a drive (T, B, F).

    The exporter makes ONNX's Scan of torch's, for sequences of any length; a trace has each step of its example.
    """
    hidden_size = weight_hh.shape[1]
    if torch.compiler.is_exporting():
        from torch._higher_order_ops.scan import scan as over_steps

        # What has a gradient is exported with what its backward pass would need, and strides as unknowns of their own.
        drive, h = (one.detach().clone(memory_format=torch.contiguous_format) for one in (drive, h))
        weight_hh = weight_hh.detach()

        def body(h: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
            h = step(now, h, weight_hh, hardness)
            return h, h[:, :hidden_size].clone()

        last, states = over_steps(body, h, drive)
        return states, last
    states = []
    for now in drive.unbind():
        h = step(now, h, weight_hh, hardness)
        states.append(h[:, :hidden_size])
    return torch.stack(states), h


def untraced() -> AbstractContextManager[None]:
    """Without the tracer's warnings that what depends on sizes is fixed: it is what refuses sizes that don't fit."""
    return _without_warnings() if is_traced() else nullcontext()


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
