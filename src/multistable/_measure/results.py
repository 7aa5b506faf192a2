"""What `measure` returns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LayerMultistability", "Multistability", "Trace", "said_of_open_loop"]


def said_of_open_loop(layers: Sequence[str]) -> str:
    """What a result's repr says of layers whose inputs were held though the model makes them of their outputs."""
    return f"; inputs held from outside, though fed back: {', '.join(layers)}" if layers else ""


@dataclass(frozen=True)
class Trace:
    """VAA and residual at log-spaced horizons; a VAA that still falls comes from states that fade slowly.

    Attributes:
        horizons: steps under the constant input, ascending.
        vaa: VAA at each horizon.
        residual: the largest `|f(s, u) - s|` at each horizon.
    """

    horizons: tuple[int, ...]
    vaa: tuple[float, ...]
    residual: tuple[float, ...]


@dataclass(frozen=True)
class LayerMultistability:
    """What `measure` finds in one layer and direction, driven alone.

    Each layer has a constant input of its own; the lowest one's is that of the whole network.

    Attributes:
        name: the layer's name, as `multistable.dynamics.dynamics` gives it.
        vaa: VAA at the horizon.
        residual: the largest `|f(s, u) - s|` at the horizon.
        trace: both on the way there.
    """

    name: str
    vaa: float
    residual: float
    trace: Trace

    def __repr__(self) -> str:
        return f"LayerMultistability({self.name!r}, vaa={self.vaa:.3f}, residual={self.residual:.1e})"


@dataclass(frozen=True, repr=False)
class Multistability:
    """What `measure` finds.

    Attributes:
        vaa: VAA of the whole network at the horizon, between 1/n (all states together) and 1 (all apart).
        residual: the largest `|f(s, u) - s|` at the horizon; 0 where every state is an equilibrium to the last bit.
        at_rest: the share of states that are at rest at the horizon: they would go less than `tol` in as many steps
            again, at the pace of their last step, or of the last half where that step is no more than rounding.
        growing: whether states explode: the largest entry of any is above 10, and grows faster and faster from an
            eighth of the horizon to twice it. The cell state of an LSTM may grow at an even pace.
        per_layer: VAA and residual of each layer and direction alone.
        trace: both on the way to the horizon.
        states: the states at the horizon, all layers side by side, (n, S).
        n: how many states were measured.
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        open_loop: the layers whose inputs depend on what they returned before, as a decoder's do. They are held under
            inputs from outside all the same: what the model does with its own outputs is not in these numbers.
    """

    vaa: float
    residual: float
    at_rest: float
    growing: bool
    per_layer: tuple[LayerMultistability, ...]
    trace: Trace
    states: Tensor = field(compare=False)
    n: int
    horizon: int
    tol: float
    open_loop: tuple[str, ...] = ()

    def __repr__(self) -> str:
        layers = ", ".join(f"{layer.name} {layer.vaa:.3f}" for layer in self.per_layer)
        return (
            f"Multistability(vaa={self.vaa:.3f} after {self.horizon:,} steps, residual={self.residual:.1e}, "
            f"n={self.n}, per layer: {layers}{said_of_open_loop(self.open_loop)})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the states, in types that JSON knows."""
        return {
            "vaa": self.vaa,
            "residual": self.residual,
            "at_rest": self.at_rest,
            "growing": self.growing,
            "per_layer": [asdict(layer) for layer in self.per_layer],
            "trace": asdict(self.trace),
            "n": self.n,
            "horizon": self.horizon,
            "tol": self.tol,
            "open_loop": list(self.open_loop),
        }

    def plot(self) -> "Figure":
        """VAA and residual against the horizon; needs the extra `plot`."""
        from multistable import plot

        return plot.traces({"network": self.trace, **{layer.name: layer.trace for layer in self.per_layer}})
