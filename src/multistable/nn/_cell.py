"""What the single-step cells share: the interface of torch's cells around a recurrence."""

import torch
from torch import Tensor, nn

from multistable._utils.checks import check_not_negative
from multistable.nn._call import match
from multistable.nn._module import RecurrentModule, untraced
from multistable.nn.ops._gates import Hardness

__all__ = ["RecurrentCell"]


class RecurrentCell(RecurrentModule, nn.RNNCellBase):
    """One step of a layer, with the interface of `nn.GRUCell`; subclasses say what it computes."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        hardness: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, [[""]], bias, device, dtype, hardness)
        if not bias:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        return self._described({} if self._biases else {"bias": False})

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Take one step.

        Args:
            input: (B, I), or (I,) for a single sequence.
            hx: the state, (B, H) or (H,); zeros by default.

        Returns:
            The state after the step, in the form of `hx`.

        Raises:
            TypeError: `input` or `hx` is no tensor.
            ValueError: `input` has the wrong number of dimensions, or a dtype or device other than the parameters'.
            RuntimeError: another size is wrong.
        """
        weight_ih, weight_hh, bias = self.weight_ih, self.weight_hh, self.bias
        if torch.jit.is_tracing():
            with untraced():
                input, h = self._checked(input, hx, weight_ih)
        else:
            input, h = self._checked(input, hx, weight_ih)
        recurrence, hardness, device_type = self.recurrence, _value(self.hardness), weight_ih.device.type
        if not torch.is_autocast_enabled(device_type):
            return recurrence.step(recurrence.drive(input, weight_ih, bias), h, weight_hh, hardness)
        with torch.autocast(device_type, enabled=False):
            return recurrence.step(recurrence.drive(input, weight_ih, bias), h, weight_hh, hardness)

    def _checked(self, input: Tensor, hx: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
        """The input and the state to start from, in the weights' dtype; raise unless they fit."""
        kind = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeError(f"{kind}: Expected input to be a tensor, got {type(input).__name__}")
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        *batch, features = input.shape
        if features != self.input_size:
            raise RuntimeError(
                f"{kind}: input.size(-1) must be equal to input_size. Expected {self.input_size}, got {features}"
            )
        input, expected = match("input", input, like), (*batch, self.hidden_size)
        if hx is None:
            return input, like.new_zeros(expected)
        if not isinstance(hx, Tensor):
            raise TypeError(f"{kind}: Expected hx to be a tensor, got {type(hx).__name__}")
        if hx.shape != expected:
            raise RuntimeError(f"{kind}: Expected hidden size {expected}, got {list(hx.shape)}")
        return input, match("hx", hx, like)


def _value(hardness: Tensor) -> Hardness:
    """What a step computes with: a number where it can be read, so that ordinary gates cost no more than a sigmoid."""
    if hardness.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return hardness
    try:
        value = hardness.item()
    except RuntimeError:  # under `torch.func.vmap` there is one for each cell
        return hardness
    return value and check_not_negative("hardness", value)
