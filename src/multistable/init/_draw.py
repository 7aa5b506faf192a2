"""Draws of parameters, in place."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from multistable._utils.randomness import as_generator

__all__ = ["Draw"]


class Draw:
    """Draws tensors in place, from a generator that may live on another device, in single precision or better."""

    def __init__(self, generator: torch.Generator | int | None) -> None:
        self.generator = None if generator is None else as_generator(generator)

    def xavier(self, tensors: Iterable[Tensor]) -> None:
        self._fill(tensors, nn.init.xavier_uniform_)

    def orthogonal(self, tensors: Iterable[Tensor], gain: float) -> None:
        self._fill(tensors, nn.init.orthogonal_, gain)

    def uniform(self, tensors: Iterable[Tensor], low: float, high: float) -> None:
        self._fill(tensors, nn.init.uniform_, low, high)

    def normal(self, tensors: Iterable[Tensor], std: float) -> None:
        self._fill(tensors, nn.init.normal_, 0.0, std)

    def _fill(self, tensors: Iterable[Tensor], function: Callable[..., Tensor], *arguments: float) -> None:
        for tensor in tensors:
            device = tensor.device if self.generator is None else self.generator.device
            dtype = torch.promote_types(tensor.dtype, torch.float32)
            drawn = torch.empty(tensor.shape, device=device, dtype=dtype)
            tensor.copy_(function(drawn, *arguments, generator=self.generator))
