"""What `pretrain` returns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from multistable._measure import Multistability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Objective", "PretrainResult"]

Objective = Literal["autoencoder", "next_step", "linear_autoencoder"]


@dataclass(frozen=True, repr=False)
class PretrainResult:
    """What `pretrain` did.

    Attributes:
        objective: what it was for.
        layers: the names of the layers that were changed.
        loss: the mean squared error at each step; of `"linear_autoencoder"` one number for each layer, the share of the
            prefixes' sum of squares that the best linear autoencoder of the layer's size leaves out.
        before: the measure before, at 2,000 steps, of the recurrent modules that hold these layers.
        after: the measure after, from the same sequences and under the same constant inputs.
        seconds: wall time, the two measures left out.
        windows: of `"linear_autoencoder"` how many steps back each layer's prefixes reach; otherwise empty.
    """

    objective: Objective
    layers: tuple[str, ...]
    loss: tuple[float, ...]
    before: Multistability
    after: Multistability
    seconds: float
    windows: tuple[int, ...] = ()

    def __repr__(self) -> str:
        change = f"VAA went from {self.before.vaa:.2f} to {self.after.vaa:.2f} at {self.after.horizon:,} steps"
        if self.windows:
            of_layers = "; ".join(
                f"{name} leaves out {loss:.1%} of prefixes of {window} steps"
                for name, loss, window in zip(self.layers, self.loss, self.windows, strict=True)
            )
            return f"PretrainResult({self.objective}: {of_layers}; {change})"
        first, last = self.loss[0], self.loss[-1]
        return (
            f"PretrainResult({self.objective}: the loss went from {first:.3g} to {last:.3g} in {len(self.loss)} steps; "
            f"{change})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the states, in types that JSON knows."""
        return {
            "objective": self.objective,
            "layers": list(self.layers),
            "loss": list(self.loss),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "seconds": self.seconds,
            "windows": list(self.windows),
        }

    def plot(self) -> "Figure":
        """VAA and residual against the horizon, before and after; needs the extra `plot`."""
        from multistable import plot

        return plot.traces({"before pretraining": self.before.trace, "after pretraining": self.after.trace})
