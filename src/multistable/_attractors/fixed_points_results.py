"""What `fixed_points` returns."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from torch import Tensor

from multistable._attractors.files import as_numpy, read, write
from multistable._measure.results import said_of_open_loop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FixedPoints"]


@dataclass(frozen=True, repr=False)
class FixedPoints:
    """The fixed points of a network under one constant input, and the states where it is slow.

    Attributes:
        points: all that were found, those with the fewest unstable directions first, (K, S), in float64.
        unstable: of each how many eigenvalues have an absolute value above 1: 0 for a stable point, S for a repeller,
            and a saddle's lie between, (K,).
        stable: whether every eigenvalue lies within the unit circle, (K,).
        eigenvalues: of the Jacobians, the largest first, (K, S), in complex128. At a kink, where the derivatives differ
            from side to side, of the matrix of the largest that each is on any side, which no side exceeds.
        eigenvectors: the k-th column of each matrix belongs to the k-th eigenvalue, (K, S, S), in complex128.
        residuals: the largest entry of |f(s, u) - s| at each, (K,).
        slow_points: local minima of the speed that are no fixed points, the slowest first, (L, S).
        speeds: the speed ½ |f(s, u) - s|² at each of those, (L,).
        u: the constant input, (I,).
        starts: from how many states they were looked for.
        open_loop: the layers whose inputs depend on what they returned before, as a decoder's do. They are held under
            inputs from outside all the same: what the model does with its own outputs is not in these numbers.
    """

    points: Tensor = field(compare=False)
    unstable: Tensor = field(compare=False)
    stable: Tensor = field(compare=False)
    eigenvalues: Tensor = field(compare=False)
    eigenvectors: Tensor = field(compare=False)
    residuals: Tensor = field(compare=False)
    slow_points: Tensor = field(compare=False)
    speeds: Tensor = field(compare=False)
    u: Tensor = field(compare=False)
    starts: int
    open_loop: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many fixed points there are, stable or not."""
        return len(self.points)

    @property
    def unstable_directions(self) -> tuple[Tensor, ...]:
        """Of each point a real basis of the space that its unstable eigenvectors span, (unstable, S), of length 1."""
        return tuple(
            _real_basis(values[:count], vectors[:, :count].T)
            for values, vectors, count in zip(self.eigenvalues, self.eigenvectors, self.unstable.tolist(), strict=True)
        )

    def __repr__(self) -> str:
        stable, repelling = int(self.stable.sum()), int((self.unstable == self.points.shape[1]).sum())
        saddles = int((self.unstable > 0).sum()) - repelling
        neutral = self.count - int((self.unstable > 0).sum()) - stable
        counts = {"stable": stable, "saddles": saddles, "repelling": repelling, "neutral": neutral}
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return (
            f"FixedPoints({self.count} from {self.starts} starts{': ' + kinds if kinds else ''}; "
            f"{len(self.slow_points)} slow {'point' if len(self.slow_points) == 1 else 'points'}"
            f"{said_of_open_loop(self.open_loop)})"
        )

    def to_dict(self, *, states: bool = False) -> dict[str, Any]:
        """Numbers in types that JSON knows; with `states` the points, too."""
        known = {
            "count": self.count,
            "starts": self.starts,
            "stable": self.stable.tolist(),
            "unstable": self.unstable.tolist(),
            "spectral_radii": self.eigenvalues.abs().amax(1).tolist() if self.count else [],
            "residuals": self.residuals.tolist(),
            "speeds": self.speeds.tolist(),
            "u": self.u.tolist(),
            "open_loop": list(self.open_loop),
        }
        points = {"points": self.points.tolist(), "slow_points": self.slow_points.tolist()}
        return known | (points if states else {})

    def numpy(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name."""
        return {name: as_numpy(value) for name, value in vars(self).items() if isinstance(value, Tensor)}

    def save(self, path: str | Path) -> None:
        """Write everything to an npz file, without pickles; `load` reads it."""
        write(path, self)

    @staticmethod
    def load(path: str | Path) -> "FixedPoints":
        """What `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        return read(path, FixedPoints, ())

    def plot(self) -> "Figure":
        """The points in two dimensions, saddles with their unstable directions; needs the extra `plot`."""
        from multistable import plot

        return plot.fixed_points(self)


def _real_basis(values: Tensor, vectors: Tensor) -> Tensor:
    """Of complex pairs the real and the imaginary part, once; (k,), (k, S) -> (k, S)."""
    rows = [vector.real if value.imag >= 0 else vector.imag for value, vector in zip(values, vectors, strict=True)]
    if not rows:
        return vectors.real
    basis = vectors.real.new_empty(len(rows), vectors.shape[1])
    for row, direction in zip(basis, rows, strict=True):
        row.copy_(direction / direction.norm())
    return basis
