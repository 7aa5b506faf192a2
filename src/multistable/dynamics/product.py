"""`Product`: several maps side by side as one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from multistable.dynamics.base import Dynamics

__all__ = ["Product"]


class Product(Dynamics):
    """Maps that know nothing of each other, each with its own part of the state, the input and the output.

    Args:
        name: what to call them together.
        factors: the maps.
    """

    def __init__(self, name: str, factors: Sequence[Dynamics]) -> None:
        self.factors = tuple(factors)
        super().__init__(
            name,
            input_size=sum(factor.input_size for factor in factors),
            state_size=sum(factor.state_size for factor in factors),
            output_size=sum(factor.output_size for factor in factors),
        )

    def parameters(self) -> Sequence[nn.Parameter]:
        return [parameter for factor in self.factors for parameter in factor.parameters()]

    def output(self, s: Tensor) -> Tensor:
        states = s.split([factor.state_size for factor in self.factors], -1)
        return torch.cat([factor.output(state) for factor, state in zip(self.factors, states, strict=True)], -1)

    def observe(self, s: Tensor) -> Tensor:
        states = s.split([factor.state_size for factor in self.factors], -1)
        return torch.cat([factor.observe(state) for factor, state in zip(self.factors, states, strict=True)], -1)

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        return torch.cat([factor.step(*own) for factor, *own in self._own(s, u)], -1)

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        scans = [factor.scan(own_inputs, own) for factor, own, own_inputs in self._own(s, inputs)]
        return torch.cat([outputs for outputs, _ in scans], -1), torch.cat([last for _, last in scans], -1)

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        scans = [factor.scan_constant(own_u, steps, own) for factor, own, own_u in self._own(s, u)]
        return torch.cat([outputs for outputs, _ in scans], -1), torch.cat([last for _, last in scans], -1)

    def hold(self, s: Tensor, u: Tensor, steps: int) -> Tensor:
        return torch.cat([factor.hold(own, own_u, steps) for factor, own, own_u in self._own(s, u)], -1)

    def _own(self, s: Tensor, u: Tensor) -> list[tuple[Dynamics, Tensor, Tensor]]:
        """Each factor with its parts of the state and the input."""
        states = s.split([factor.state_size for factor in self.factors], -1)
        inputs = u.split([factor.input_size for factor in self.factors], -1)
        return list(zip(self.factors, states, inputs, strict=True))
