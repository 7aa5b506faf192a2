"""What `warmup` returns."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from multistable._measure import Multistability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Status", "WarmupHistory", "WarmupResult", "WarmupStep"]

Status = Literal["reached", "slow", "diverged", "below target", "collapsed"]


@dataclass(frozen=True)
class WarmupStep:
    """What one step of a warmup saw; what a `callback` is given.

    Attributes:
        step: the number of the step, from 1.
        layers: the names of the layers warmed up.
        vaa_star: VAA* of each.
        horizon: steps that each was held under its constant input.
        loss: the mean over the layers of what is descended.
        grad_norm: norm of the gradient of all parameters.
    """

    step: int
    layers: tuple[str, ...]
    vaa_star: tuple[float, ...]
    horizon: tuple[int, ...]
    loss: float
    grad_norm: float


@dataclass(frozen=True)
class WarmupHistory:
    """What each step of a warmup saw.

    Attributes:
        layers: the names of the layers warmed up.
        vaa_star: VAA* of each layer at each step, steps x layers.
        loss: the mean over the layers of what is descended.
        horizon: steps that each layer was held under its constant input, steps x layers; the same for all layers but
            those whose states coincided.
        grad_norm: norm of the gradient of all parameters; 0 where the states of every layer had collapsed.
        growth: with the objective `"contraction"` the factor by which a small displacement of a state grows in a step,
            the mean over the states, steps x layers; otherwise empty.
    """

    layers: tuple[str, ...]
    vaa_star: tuple[tuple[float, ...], ...]
    loss: tuple[float, ...]
    horizon: tuple[tuple[int, ...], ...]
    grad_norm: tuple[float, ...]
    growth: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, repr=False)
class WarmupResult:
    """What `warmup` did.

    Attributes:
        status: `"reached"` where VAA after, and VAA* of each layer averaged over the last ten steps, are nine tenths
            of the target or more, and a tenth of the states or more are at rest; `"slow"` where fewer are;
            `"diverged"` where states explode; `"collapsed"` where the last ten steps had no
            gradient; otherwise `"below target"`.
        message: the status in a sentence.
        before: the measure before, of 32 states at ten times the warmup's horizon, of the recurrent modules that are
            warmed up.
        after: the measure after, from the same sequences and under the same constant inputs.
        history: what each step saw.
        seconds: wall time of the steps, the two measures left out.
    """

    status: Status
    message: str
    before: Multistability
    after: Multistability
    history: WarmupHistory
    seconds: float

    def __repr__(self) -> str:
        return f"WarmupResult({self.status}: {self.message})"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the states, in types that JSON knows."""
        return {
            "status": self.status,
            "message": self.message,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "history": asdict(self.history),
            "seconds": self.seconds,
        }

    def plot(self) -> "Figure":
        """VAA and residual against the horizon, before and after; needs the extra `plot`."""
        from multistable import plot

        return plot.traces({"before warmup": self.before.trace, "after warmup": self.after.trace})
