"""What the recurrent layers and cells share: parameters around a recurrence, and a hardness."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from multistable._utils.checks import check_not_negative
from multistable.nn._directions import Weights
from multistable.nn.ops import Recurrence

__all__ = ["RecurrentModule", "check_flag", "check_size"]


class RecurrentModule(nn.Module):
    """The parameters of layers and directions of one type; subclasses say what they compute and how they are called.

    Args:
        input_size: I, features of an input.
        hidden_size: H, hidden units.
        suffixes: what the names of parameters end in, layer by layer, direction by direction.
        bias: whether there are biases.
        device: where the parameters lie.
        dtype: the parameters' type.
        hardness: of the gates that keep.
    """

    recurrence: ClassVar[Recurrence]
    bias_names: ClassVar[tuple[str, ...]] = ("bias",)
    hardness: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        suffixes: Sequence[Sequence[str]],
        bias: bool,
        device: torch.device | str | int | None,
        dtype: torch.dtype | None,
        hardness: float,
    ) -> None:
        nn.Module.__init__(self)  # torch's class of cells, which ours derive from too, would make torch's parameters
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            check_size(name, size)
        check_flag("bias", bias)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(f"dtype should be a floating-point type, got: {dtype}")
        self._first_hardness = check_not_negative("hardness", hardness)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self._suffixes = suffixes
        self._biases = self.bias_names if bias else ()
        gates = self.recurrence.gates * hidden_size
        for k, of_layer in enumerate(suffixes):
            width = input_size if k == 0 else hidden_size * len(of_layer)
            for suffix in of_layer:
                self._add(f"weight_ih{suffix}", (gates, width), device, dtype)
                self._add(f"weight_hh{suffix}", self.recurrence.recurrent_shape(hidden_size), device, dtype)
                for name in self._biases:
                    self._add(f"{name}{suffix}", (gates,), device, dtype)
        self.register_buffer("hardness", torch.empty((), device=device, dtype=dtype))

    def _reset_recurrent(self, weight_hh: Tensor) -> None:
        """Draw `weight_hh` anew, in place: each gate's matrix Xavier-uniform."""
        _xavier_per_gate(weight_hh, self.hidden_size)

    def _add(
        self, name: str, shape: tuple[int, ...], device: torch.device | str | int | None, dtype: torch.dtype | None
    ) -> None:
        self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the parameters anew, and set `hardness` to what it was made with.

        Weights are Xavier-uniform for each gate, BRC's recurrent ones 1, biases zero; those of GRU and LSTM are drawn
        as torch draws them.
        """
        self.hardness.fill_(self._first_hardness)
        for suffix in chain(*self._suffixes):
            self._reset_direction(self.weights(suffix))

    def _reset_direction(self, weights: Weights) -> None:
        _xavier_per_gate(weights.ih, self.hidden_size)
        self._reset_recurrent(weights.hh)
        if weights.bias is not None:
            weights.bias.zero_()

    def weights(self, suffix: str) -> Weights:
        """The weights of the layer and direction whose parameter names end in `suffix`, such as `"_l0_reverse"`."""
        names = "weight_ih", "weight_hh", *self._biases
        return Weights(*(getattr(self, name + suffix) for name in names))

    @staticmethod
    def as_given(weights: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
        """`weight_ih`, `weight_hh` and `bias` as the recurrence takes them."""
        return weights.ih, weights.hh, weights.bias

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Without a hardness of zero, so that the state dict of an ordinary layer is torch's."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.hardness.is_meta or self.hardness == 0:
            del destination[f"{prefix}hardness"]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """A state dict with the layer's weights and no hardness is that of an ordinary layer."""
        key = f"{prefix}hardness"
        own = [value for name, value in state_dict.items() if name.startswith(prefix) and isinstance(value, Tensor)]
        if own:
            state_dict = {key: own[0].new_zeros(()), **state_dict}
        given = state_dict.get(key)
        if isinstance(given, Tensor) and not given.is_meta and not _is_hardness(given):
            _, _, _, _, errors = arguments
            errors.append(f"{key} must be finite and not negative, got {given.dtype} {given.tolist()}")
            state_dict = {**state_dict, key: self.hardness}
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _described(self, given: dict[str, Any]) -> str:
        """The sizes, what else was `given` by name, and a hardness."""
        if not self.hardness.is_meta and self.hardness != 0:
            given = given | {"hardness": f"{self.hardness.item():.4g}"}
        named = [f"{name}={value}" for name, value in given.items()]
        return ", ".join([str(self.input_size), str(self.hidden_size), *named])


def _is_hardness(value: Tensor) -> bool:
    return value.is_floating_point() and bool(((value >= 0) & value.isfinite()).all())


def check_size(name: str, size: int) -> None:
    """Raise unless `size` is an int above zero."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
    if size <= 0:
        raise ValueError(f"{name} must be greater than zero, got {size}")


def check_flag(name: str, flag: bool) -> None:
    """Raise unless `flag` is a bool."""
    if not isinstance(flag, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")


def _xavier_per_gate(weight: Tensor, hidden_size: int) -> None:
    for gate in weight.split(hidden_size):
        nn.init.xavier_uniform_(gate)
