"""What `attractors` returns."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from multistable._attractors.files import as_numpy, read, write
from multistable._attractors.kinds import KINDS, SAID, Kind
from multistable._measure import Trace
from multistable._measure.results import said_of_open_loop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Attractor", "Attractors"]


@dataclass(frozen=True, repr=False)
class Attractor:
    """A stable equilibrium, a stable cycle, a stable oscillation, or the chaotic states taken together.

    Attributes:
        kind: `"equilibrium"`, `"cycle"`, `"oscillation"` or `"chaos"`.
        basin_share: the share of the states that go there.
        period: steps in a round: 1 for an equilibrium, a whole number for a cycle, any number for an oscillation; None
            for chaos.
        spectral_radius: of the Jacobian of f, or for a cycle of f^period, with respect to the state; below 1. Where the
            map has a kink, an upper bound of it. None for an oscillation and for chaos.
        time_constant: steps in which, in the end, distances to the attractor fall to 1/e; None for chaos.
        rotation: turns in a step, 1 / `period`, at most a half: the rotation number of an oscillation, up to its
            orientation; its frequency if a step is the unit of time. None for other kinds.
        exponent: for chaos and an oscillation the largest Lyapunov exponent per step, for chaos the mean over the
            states; otherwise None.
        exponent_error: its standard error: for chaos the larger one of that within trajectories and between them.
        followed: the step up to which its trajectories were followed, for chaos and an oscillation: chaos may end
            later. Otherwise None.
        state: the equilibrium (S,), the states of the cycle one after the other (period, S), states of the oscillation
            in the order of its phase (k, S), or states of one chaotic trajectory one after the other (k, S), in
            float64.
        eigenvalues: of the Jacobian at the equilibrium, of f^period at the cycle's first state, (S,), in complex128,
            the largest first; of more than 512 only the largest are known, in any number. None for an oscillation and
            for chaos.
    """

    kind: Literal["equilibrium", "cycle", "oscillation", "chaos"]
    basin_share: float
    period: float | None
    spectral_radius: float | None
    time_constant: float | None
    rotation: float | None
    exponent: float | None
    exponent_error: float | None
    followed: int | None
    state: Tensor = field(compare=False)
    eigenvalues: Tensor | None = field(compare=False)

    def __repr__(self) -> str:
        if self.kind == "chaos":
            what = f"exponent={self.exponent:.3g} ± {self.exponent_error:.1g}, followed for {self.followed:,} steps"
        elif self.kind == "oscillation":
            what = f"rotation={self.rotation:.6f}, period={self.period:.6g}"
        else:
            what = f"period={self.period}, spectral_radius={self.spectral_radius:.6f}"
        return f"Attractor({self.kind}, basin_share={self.basin_share:.3f}, {what})"

    def to_dict(self, *, states: bool = False) -> dict[str, Any]:
        """Its numbers in types that JSON knows; with `states` its states, too."""
        arrays = ("state", "eigenvalues")
        known = {name: value for name, value in vars(self).items() if name not in arrays}
        return known | ({"state": self.state.tolist()} if states else {})


@dataclass(frozen=True, repr=False)
class Attractors:
    """What `attractors` finds in a network, or in one of its layers driven alone.

    Whatever has a row for each state has them in the order of the sequences, or of `states`.

    Attributes:
        name: the layer's name; empty for the network.
        attractors: those found, the one that most states go to first.
        kinds: what each state comes to.

            - `"equilibrium"`: it goes to a stable equilibrium, and is within `tol` of it by the horizon or is the only
              one to go there.
            - `"cycle"`: it goes to a stable cycle of at most 64 steps.
            - `"oscillation"`: it goes to a stable closed curve, and turns on it, or to a longer stable cycle.
            - `"held"`: hard gates hold units of it to the bit, and all of it stays within `tol` of where it is, for
              ever; it is no attractor, as states beside it are held where they are, and has no place in `attractors`.
            - `"slow"`: it goes to an equilibrium that others go to, but is not there by the horizon; or at the horizon
              it is not certain where it goes (a torus comes under this, too).
            - `"drift"`: an entry grows, and does not slow down.
            - `"unbounded"`: it grew beyond what float64 can hold.
            - `"chaos"`: up to `followed` steps, a small displacement grows.
        labels: for each state the place in `attractors` of the one that it goes to; -1 where that is not known.
        n: how many states.
        horizon: steps after which a trajectory was given up.
        tol: states closer than this count as one in `trace`, and have arrived in `kinds`.
        trace: VAA and residual on the way, for as long as every state was followed.
        trajectory: the states at the horizons of `trace`, (k, n, S).
        paths: every step from the beginning on, of the first states, (steps, m, S), for pictures.
        u: the constant input, (I,).
        sequences: the number of the sequence that led to each state, in the order in which they were given, (n,); where
            states were given, their own numbers.
        prefixes: how many steps of it were taken, (n,); where states were given, 0.
        per_layer: the same for each layer and direction, driven alone; empty for a layer.
        open_loop: the layers whose inputs depend on what they returned before, as a decoder's do. They are held under
            inputs from outside all the same: what the model does with its own outputs is not in these numbers.
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
    paths: Tensor = field(compare=False)
    u: Tensor = field(compare=False)
    sequences: Tensor = field(compare=False)
    prefixes: Tensor = field(compare=False)
    per_layer: tuple["Attractors", ...] = ()
    open_loop: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many distinct stable equilibria, cycles and oscillations the states go to."""
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
        return {kind: counts[kind] / self.n for kind in KINDS}

    def __repr__(self) -> str:
        counts = Counter(one.kind for one in self.attractors)
        found = [_counted(counts["equilibrium"], "equilibrium", "equilibria")]
        found += [_counted(counts[kind], kind, f"{kind}s") for kind in ("cycle", "oscillation") if counts[kind]]
        shares = ", ".join(f"{share:.0%} {SAID[kind]}" for kind, share in self.shares.items() if share)
        layers = ", ".join(f"{layer.name} {layer.certified:.3f}" for layer in self.per_layer)
        return (
            f"Attractors({self.name + ': ' if self.name else ''}{self.n} states lead to {' and '.join(found)}, "
            f"certified {self.certified:.3f}; {shares}{'; per layer: ' + layers if layers else ''}"
            f"{said_of_open_loop(self.open_loop)})"
        )

    def to_dict(self, *, states: bool = False) -> dict[str, Any]:
        """All that is no array, in types that JSON knows; with `states` the attractors' states, too."""
        return {
            "name": self.name,
            "count": self.count,
            "certified": self.certified,
            "shares": self.shares,
            "attractors": [one.to_dict(states=states) for one in self.attractors],
            "kinds": list(self.kinds),
            "labels": list(self.labels),
            "n": self.n,
            "horizon": self.horizon,
            "tol": self.tol,
            "trace": asdict(self.trace),
            "u": self.u.tolist(),
            "sequences": self.sequences.tolist(),
            "prefixes": self.prefixes.tolist(),
            "per_layer": [layer.to_dict(states=states) for layer in self.per_layer],
            "open_loop": list(self.open_loop),
        }

    def numpy(self) -> dict[str, NDArray[Any]]:
        """The arrays: what this holds as tensors, `kinds`, `labels`, and the attractors' states one after the other.

        Of attractor k, the states are `states[offsets[k] : offsets[k + 1]]`.
        """
        states = [one.state.reshape(-1, self.trajectory.shape[2]) for one in self.attractors]
        return {
            **{name: as_numpy(getattr(self, name)) for name in _ARRAYS},
            "kinds": np.array(self.kinds),
            "labels": np.array(self.labels),
            "states": np.concatenate([as_numpy(one) for one in states]) if states else np.empty((0, 0)),
            "offsets": np.cumsum([0, *map(len, states)]),
        }

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, without pickles; `load` reads it."""
        write(path, self)

    @staticmethod
    def load(path: str | Path) -> "Attractors":
        """What `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        return read(path, Attractors, (Attractor, Trace))

    def plot(self) -> "Figure":
        """Trajectories and attractors, spectra, and VAA with the residual on the way; needs the extra `plot`."""
        from multistable import plot

        return plot.portrait(self)


_ARRAYS = ("trajectory", "paths", "u", "sequences", "prefixes")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} stable {one if count == 1 else many}"
