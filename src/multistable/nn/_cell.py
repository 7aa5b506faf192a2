"""What the single-step cells share: the interface of torch's cells around a recurrence."""

import torch
from torch import Tensor, nn

from multistable._utils.checks import check_not_negative
from multistable.nn._call import match
from multistable.nn._module import RecurrentModule
from multistable.nn.ops._gates import Hardness
from multistable.nn.ops._plain import is_traced, untraced

__all__ = ["RecurrentCell"]


class RecurrentCell(RecurrentModule, nn.RNNCellBase):
    """One step of a layer, with the interface of `nn.GRUCell`; subclasses say what it computes."""

    bias: Tensor | None  # type: ignore[assignment]  # of torch's cells it says whether there are biases

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
        if is_traced():
            with untraced():
                return self._advance(*self._checked(input, hx))
        input, h = self._checked(input, hx)
        if torch.is_autocast_enabled(input.device.type):
            with torch.autocast(input.device.type, enabled=False):
                return self._advance(input, h)
        return self._advance(input, h)

    def _advance(self, input: Tensor, h: Tensor) -> Tensor:
        drive = self.recurrence.drive(input, self.weight_ih, self.bias)
        return self.recurrence.step(drive, h, self.weight_hh, _value(self.hardness))

    def _checked(self, input: Tensor, hx: Tensor | None) -> tuple[Tensor, Tensor]:
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
        like, expected = self.weight_ih, (*batch, self.hidden_size)
        input = match("input", input, like)
        if hx is None:
            return input, like.new_zeros(expected)
        if not isinstance(hx, Tensor):
            raise TypeError(f"{kind}: Expected hx to be a tensor, got {type(hx).__name__}")
        if hx.shape != expected:
            raise RuntimeError(f"{kind}: Expected hidden size {expected}, got {list(hx.shape)}")
        return input, match("hx", hx, like)


def _value(hardness: Tensor) -> Hardness:
    """What a step computes with: a number where it can be read, so that ordinary gates cost no more than a sigmoid."""
    if hardness.device.type != "cpu" or torch.compiler.is_compiling() or is_traced():
        return hardness
    try:
        value = hardness.item()
    except RuntimeError:  # under `torch.func.vmap` there is one for each cell
        return hardness
    return value and check_not_negative("hardness", value)
