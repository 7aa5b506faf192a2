"""One layer and direction of a recurrent module: which parameters it has, and where they are."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from multistable.nn._reparametrised import computed, underlying

__all__ = ["Direction", "Weights", "directions_of", "suffixes"]


class Weights(NamedTuple):
    """What one layer and direction computes with, in the order in which torch's kernels take it.

    Attributes:
        ih: of the input.
        hh: of the state.
        bias: the bias, of two the input's; None for a module without biases.
        bias_hh: the state's bias, in torch's layers.
        hr: the projection of an LSTM that has one.
    """

    ih: Tensor
    hh: Tensor
    bias: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None

    def flat(self) -> list[Tensor]:
        """Those that are not None."""
        return [weight for weight in self if weight is not None]


@dataclass(frozen=True)
class Direction:
    """One layer and direction of a recurrent layer of torch's or ours, or a cell.

    Attributes:
        module: the module that it belongs to.
        suffix: what the names of its parameters end in: `"_l0"`, `"_l1_reverse"`, or `""` for a cell.
    """

    module: nn.Module
    suffix: str

    @property
    def name(self) -> str:
        """`"l0"`, `"l1_reverse"`, or `"cell"`."""
        return self.suffix.removeprefix("_") or "cell"

    @property
    def reverse(self) -> bool:
        """Whether it reads sequences from their end."""
        return self.suffix.endswith("_reverse")

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.module.hidden_size)  # type: ignore[arg-type]

    @property
    def bias_names(self) -> tuple[str, ...]:
        """What its biases are called: torch's layers have two for each gate."""
        bias: Any = self.module.bias  # whether there is one, or itself
        if bias is None or not (isinstance(bias, Tensor) or bias):
            return ()
        names: tuple[str, ...] = getattr(self.module, "bias_names", ("bias_ih", "bias_hh"))
        return names

    def parameter(self, name: str) -> nn.Parameter:
        """The parameter called `name` + `suffix`.

        Raises:
            TypeError: the module computes that tensor from others.
        """
        # Not by getattr, which computes a reparametrised weight and may change what it is computed from.
        value = self.module._parameters.get(name + self.suffix)
        if value is None:
            raise TypeError(
                f"{name}{self.suffix} of {type(self.module).__name__} must be an nn.Parameter: reparametrised "
                "recurrent weights are not supported"
            )
        return value

    def weight(self, name: str) -> Tensor:
        """The parameter called `name` + `suffix`, or what the module computes in its place.

        Raises:
            TypeError: the module computes that tensor in a way that isn't known.
        """
        if self.module._parameters.get(name + self.suffix) is None:
            value = computed(self.module, name + self.suffix)
            if value is not None:
                return value
        return self.parameter(name)

    def names(self) -> list[str]:
        """What all its weights are called, without the suffix, in the order of `Weights`."""
        names = ["weight_ih", "weight_hh", *self.bias_names]
        return [*names, "weight_hr"] if getattr(self.module, "proj_size", 0) else names

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that the weights are or are computed from."""
        found = []
        for name in self.names():
            own = self.module._parameters.get(name + self.suffix)
            found += underlying(self.module, name + self.suffix) if own is None else [own]
        return found

    def own_weights(self) -> list[nn.Parameter]:
        """All weights, to write into; raises as `parameter` does."""
        return [self.parameter(name) for name in self.names()]

    def weights(self) -> Weights:
        """All of them as they are now; raises as `weight` does."""
        bias, bias_hh, *_ = (*map(self.weight, self.bias_names), None, None)
        return Weights(
            self.weight("weight_ih"),
            self.weight("weight_hh"),
            bias,
            bias_hh,
            self.weight("weight_hr") if getattr(self.module, "proj_size", 0) else None,
        )

    def values(self, name: str) -> Tensor:
        """A parameter without its graph; what is written into it reaches the parameter."""
        return self.parameter(name).detach()

    def gates(self, name: str) -> tuple[Tensor, ...]:
        """The same, gate by gate."""
        gates: tuple[Tensor, ...] = self.values(name).split(self.hidden_size)
        return gates

    def biases(self) -> list[Tensor]:
        """The biases in the same way, if there are any."""
        return [self.values(name) for name in self.bias_names]


def suffixes(num_layers: int, bidirectional: bool) -> list[list[str]]:
    """What the names of parameters end in, layer by layer from the lowest up, direction by direction."""
    directions = ("", "_reverse") if bidirectional else ("",)
    return [[f"_l{k}{direction}" for direction in directions] for k in range(num_layers)]


def directions_of(module: nn.Module) -> list[list[Direction]]:
    """The directions of each layer of a module, from the lowest layer up; a cell is a single one."""
    if isinstance(module, nn.RNNCellBase):
        return [[Direction(module, "")]]
    of_layers = suffixes(int(module.num_layers), bool(module.bidirectional))  # type: ignore[arg-type]
    return [[Direction(module, suffix) for suffix in of_layer] for of_layer in of_layers]
