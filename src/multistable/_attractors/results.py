"""What `attractors` returns."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from multistable._attractors.search import Kind
from multistable._measure import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Attractor", "Attractors"]

_KINDS: dict[Kind, str] = {
    "equilibrium": "come to rest",
    "cycle": "go round a cycle",
    "held": "are held",
    "slow": "are slow",
    "drift": "drift",
    "chaos": "are chaotic",
}


@dataclass(frozen=True, repr=False)
class Attractor:
    """A stable equilibrium, a stable cycle, or the chaotic states taken together.

    Attributes:
        kind: `"equilibrium"`, `"cycle"` or `"chaos"`.
        basin_share: the share of the states that go there.
        period: steps in a round: 1 for an equilibrium; None for chaos.
        spectral_radius: of the Jacobian of f, or for a cycle of f^period, with respect to the state; below 1. None for
            chaos.
        time_constant: steps in which, in the end, distances to the attractor fall to 1/e; None for chaos.
        exponent: for chaos the largest Lyapunov exponent per step, the mean over the states; otherwise None.
        exponent_error: its standard error: the larger one of that within trajectories and that between them.
        state: the equilibrium (S,), the states of the cycle one after the other (period, S), or one of the chaotic
            states (S,), in float64.
        jacobian: the Jacobian there, (S, S), for a cycle that of f^period at its first state; None for chaos.
    """

    kind: Literal["equilibrium", "cycle", "chaos"]
    basin_share: float
    period: int | None
    spectral_radius: float | None
    time_constant: float | None
    exponent: float | None
    exponent_error: float | None
    state: Tensor = field(compare=False)
    jacobian: Tensor | None = field(compare=False)

    def __repr__(self) -> str:
        if self.kind == "chaos":
            what = f"exponent={self.exponent:.3g} ± {self.exponent_error:.1g}"
        else:
            what = f"period={self.period}, spectral_radius={self.spectral_radius:.6f}"
        return f"Attractor({self.kind}, basin_share={self.basin_share:.3f}, {what})"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the state and the Jacobian, in types that JSON knows."""
        names = ("kind", "basin_share", "period", "spectral_radius", "time_constant", "exponent", "exponent_error")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, repr=False)
class Attractors:
    """What `attractors` finds in a network, or in one of its layers driven alone.

    Attributes:
        name: the layer's name; empty for the network.
        attractors: those found, the one that most states go to first.
        kinds: what each state comes to. `"equilibrium"`: it goes to a stable equilibrium, and is within `tol` of it by
            the horizon or is the only one to go there. `"cycle"`: it goes to a stable cycle of at most 64 steps.
            `"held"`: hard gates hold units of it to the bit, and all of it stays within `tol` of where it is, for ever;
            it is no attractor, as states beside it are held where they are, and has no place in `attractors`.
            `"slow"`: it goes to an equilibrium that others go to, but is not there by the horizon; or at the horizon it
            is not known where it goes (a longer cycle and a torus come under this, too). `"drift"`: it grows without
            slowing down. `"chaos"`: a small displacement grows.
        labels: for each state the place in `attractors` of the one that it goes to; -1 where that is not known.
        n: how many states.
        horizon: steps after which a trajectory was given up.
        tol: states closer than this count as one in `trace`, and have arrived in `kinds`.
        trace: VAA and residual on the way, for as long as every state was followed.
        trajectory: the states at the horizons of `trace`, (k, n, S).
        per_layer: the same for each layer and direction, driven alone; empty for a layer.
    """

    name: str
    attractors: tuple[Attractor, ...]
    kinds: tuple[Kind, ...]
    labels: tuple[int, ...]
    n: int
    horizon: int
    tol: float
    trace: Trace
    trajectory: Tensor = field(compare=False)
    per_layer: tuple["Attractors", ...] = ()

    @property
    def count(self) -> int:
        """How many distinct stable equilibria and cycles the states go to."""
        return sum(one.kind != "chaos" for one in self.attractors)

    @property
    def certified(self) -> float:
        """Share of the states that are distinct attractors, `count` / n.

        It is what VAA comes to where all states come to rest; a cycle counts once for all its phases.
        """
        return self.count / self.n

    @property
    def shares(self) -> dict[Kind, float]:
        """The share of the states that each kind has."""
        counts = Counter(self.kinds)
        return {kind: counts[kind] / self.n for kind in _KINDS}

    def __repr__(self) -> str:
        equilibria = sum(one.kind == "equilibrium" for one in self.attractors)
        cycles = self.count - equilibria
        found = f"{equilibria} stable {'equilibrium' if equilibria == 1 else 'equilibria'}"
        if cycles:
            found += f" and {cycles} stable {'cycle' if cycles == 1 else 'cycles'}"
        shares = ", ".join(f"{share:.0%} {_KINDS[kind]}" for kind, share in self.shares.items() if share)
        layers = ", ".join(f"{layer.name} {layer.certified:.3f}" for layer in self.per_layer)
        return (
            f"Attractors({self.name + ': ' if self.name else ''}{self.n} states lead to {found}, certified "
            f"{self.certified:.3f}; {shares}{'; per layer: ' + layers if layers else ''})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the states and Jacobians, in types that JSON knows."""
        return {
            "name": self.name,
            "count": self.count,
            "certified": self.certified,
            "shares": self.shares,
            "attractors": [one.to_dict() for one in self.attractors],
            "kinds": list(self.kinds),
            "labels": list(self.labels),
            "n": self.n,
            "horizon": self.horizon,
            "tol": self.tol,
            "trace": asdict(self.trace),
            "per_layer": [layer.to_dict() for layer in self.per_layer],
        }

    def plot(self) -> "Figure":
        """Trajectories and attractors, spectra, and VAA with the residual on the way; needs the extra `plot`."""
        from multistable import plot

        return plot.portrait(self)
