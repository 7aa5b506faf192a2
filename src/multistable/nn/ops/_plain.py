"""Which calls go through plain operations, since what is made of them must do without our operators."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["is_plain", "scan"]

Step = Callable[[Tensor, Tensor], Tensor]


def is_plain(name: str, batch_sizes: Tensor | None) -> bool:
    """Whether a call is traced for TorchScript or exported to ONNX.

    Raises:
        NotImplementedError: it is, and its sequences are packed.
    """
    to_onnx = torch.onnx.is_in_onnx_export()
    if not (to_onnx or torch.jit.is_tracing()):
        return False
    if batch_sizes is not None:
        form = "torch.onnx.export" if to_onnx else "torch.jit.trace"
        raise NotImplementedError(
            f"{form} takes {name} without a PackedSequence, whose lengths would be fixed: pass padded sequences, and "
            "read the outputs at their ends"
        )
    return True


def scan(step: Step, drive: Tensor, h: Tensor, hidden_size: int) -> tuple[Tensor, Tensor]:
    """h after each step, (T, B, H), and the last state, (B, S), of a drive (T, B, F).

    The exporter makes an operator Scan of torch's own, for sequences of any length; a trace has each step of its
    example.
    """
    if torch.compiler.is_exporting():
        from torch._higher_order_ops.scan import scan as over_steps

        def body(h: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
            h = step(now, h)
            return h, h[:, :hidden_size].clone()

        last, states = over_steps(body, h, drive)
        return states, last
    states = []
    for now in drive.unbind():
        h = step(now, h)
        states.append(h[:, :hidden_size])
    return torch.stack(states), h
