"""`Basin`: a neighbourhood of a stable root in which the map was seen to contract onto it."""

from collections.abc import Callable

import torch
from torch import Tensor

from multistable._attractors.spectrum import eigen_metric, eigenvalues, largest_stretch, metric

__all__ = ["Basin", "bounding", "sides"]

Map = Callable[[Tensor], Tensor]

_BESIDE = 1e-6  # how far to look for a kink, relative to 1 + |s|
_KINKED, _STAYS = 1e-4, 0.5  # a change of slope, and the share of it that is left at a quarter of the distance
_INNERMOST = 1e-6  # within this radius the map is what its Jacobian says, unless it has a kink there
_ENOUGH = 0.5  # of the linear map's decrease
_NORMAL = 0.98  # a Jacobian that stretches by less shrinks |e| itself
_WIDTHS = 2.0, 1.2  # of a shell: its outer by its inner radius; narrower ones where a wide one does not shrink
_SAMPLES = 256  # in each shell: 16, and this over S
_WIDEST = 1e6
_ASKED = 16  # of the states that are asked for, those whose way is looked at
_WORST, _ASCENT, _STRIDE = 8, 4, 0.3  # states from which it is sought where it is worse, steps, and their length


def sides(f: Map, point: Tensor) -> Tensor | None:
    """States beside a point on whose sides the map has other derivatives, (2 k, S); None where it is smooth.

    Where the map is smooth, f(p + v) + f(p - v) - 2 f(p) falls by 16 where v falls to a quarter; at a kink by 4.
    """
    generator = torch.Generator().manual_seed(0)
    signs = torch.rand(8, len(point), generator=generator, dtype=point.dtype, device="cpu").to(point) - 0.5
    signs = torch.where(signs < 0, signs - 0.5, signs + 0.5)
    offsets = _BESIDE * (1 + point.abs()) * signs
    here = f(point[None])

    def bend(scale: float) -> Tensor:
        moved = scale * offsets
        change = f(point + moved) + f(point - moved) - 2 * here
        return change.abs() / (scale * _BESIDE * (1 + here.abs()))

    wide, narrow = bend(1.0), bend(0.25)
    if not ((wide > _KINKED) & (narrow > _STAYS * wide)).any():
        return None
    return torch.cat([point + offsets / 4, point - offsets / 4])


def bounding(jacobian: Tensor, at_sides: Tensor | None) -> Tensor:
    """The Jacobian, (S, S), or at a kink the largest that each of its entries is on any side."""
    return jacobian if at_sides is None else torch.cat([at_sides, jacobian[None]]).abs().amax(0)


class Basin:
    """A ball around a root p of f(s) - s, in a norm in which the map shrinks it onto the root.

    V(e) = e^T P e is |e|^2 where the Jacobian shrinks that in each step. Elsewhere it is measured in the basis of the
    Jacobian's eigenvectors, where it falls by the square of the spectral radius; and where these nearly coincide, it is
    the sum of |J^k e|^2 over all k, which falls by |e|^2. As long as V falls by at least half as much as e' = J e makes
    it fall in every state of the ball, all that starts in it goes to the root (Lyapunov). This is looked at, not
    proven: in each of many shells along every axis and every eigenvector, at random, in the states that are asked for
    on their way to the root, and where from the worst of all these it gets worse still. Innermost, the map is its
    Jacobian, except at a kink. There what counts is the largest that each entry of the Jacobian is on any side, M: if
    its spectral radius is below 1, a box of the proportions of (I - M)^-1 1 shrinks.

    Args:
        f: the map whose root it is, (B, S) -> (B, S).
        point: the root, (S,).
        jacobian: of f there, (S, S).
        at_sides: the Jacobians beside a kink, (k, S, S); None where the map is smooth.

    Attributes:
        eigenvalues: of the Jacobian, the largest first; at a kink those of M.
        stable: whether all of them lie within the unit circle.
    """

    def __init__(self, f: Map, point: Tensor, jacobian: Tensor, at_sides: Tensor | None) -> None:
        self._f, self._point = f, point
        self._metric: Tensor | None = None
        self._smooth = at_sides is None
        bound = bounding(jacobian, at_sides)
        self.eigenvalues = eigenvalues(bound)
        self.radius = float(self.eigenvalues[0].abs())
        self._verified = self._widest = 0.0
        self._ready = False
        self._jacobian: Tensor | None = bound

    def holds(self, s: Tensor, *, far: bool = True) -> Tensor:
        """Which of the states lie in the ball, as far as it reaches or in its innermost part, (B, S) -> (B,)."""
        if not self._ready:
            self._prepare()
        away = s - self._point
        if not self._smooth:
            boxed: Tensor = ((away / self._box).abs() <= self._verified).all(1)
            return boxed
        size = self._value(away).sqrt()
        reach = float(size.max()) if far else 0.0
        asked = away[:: 1 + len(away) // _ASKED]
        while self._verified < min(reach, self._widest):
            width = next((one for one in _WIDTHS if self._all_shrink(self._shell(one, asked))), None)
            if width is None:
                self._widest = self._verified
                break
            self._verified *= width
        inside: Tensor = (size <= self._verified) & (self._shrinks(away) | (size <= self._innermost))
        return inside

    def _prepare(self) -> None:
        """Choose the norm, and what it shrinks by."""
        jacobian, self._jacobian, self._ready = self._jacobian, None, True
        assert jacobian is not None
        scale = float(self._point.abs().max())
        self._innermost = max(_INNERMOST, 1e4 * torch.finfo(jacobian.dtype).eps * scale)
        if not self._smooth:
            ones = torch.ones_like(self._point)
            self._box = torch.linalg.solve(ones.diag() - jacobian, ones)
            self._verified = float((_BESIDE / 8 * (1 + self._point.abs()) / self._box).min())
            return
        stretch, self._directions = largest_stretch(jacobian)
        known = eigen_metric(jacobian)
        if known is not None:
            self._directions = known[1]
        if stretch < _NORMAL:
            self._fall_of_length, self._fall_of_value = 1 - stretch**2, 0.0
        elif known is not None:
            self._metric = known[0]
            self._fall_of_length, self._fall_of_value = 0.0, 1 - self.radius**2
        else:
            self._fall_of_length, self._fall_of_value = 1.0, 0.0
            self._metric = metric(jacobian)
            if self._metric is None:
                return
            _, self._directions = largest_stretch(self._metric)
        self._verified, self._widest = self._innermost, _WIDEST
        self._generator = torch.Generator().manual_seed(0)
        self._factor = None if self._metric is None else torch.linalg.cholesky_ex(self._metric).L

    def _value(self, away: Tensor) -> Tensor:
        """V, (B, S) -> (B,)."""
        weighed = away if self._metric is None else away @ self._metric
        return (weighed * away).sum(1)

    def _shell(self, width: float, asked: Tensor) -> Tensor:
        """Displacements just outside of what was seen to shrink, (B, S)."""
        size = len(self._point)
        count = 16 + _SAMPLES // size
        drawn = torch.randn(count, size, generator=self._generator, dtype=torch.float64, device="cpu").to(self._point)
        if self._factor is not None:  # half of them even in the norm
            even = torch.linalg.solve_triangular(self._factor.T, drawn[::2].T, upper=True).T
            drawn = torch.cat([even, drawn[1::2]])
        fixed = torch.cat([torch.eye(size, dtype=drawn.dtype, device=drawn.device), self._directions])
        directions = torch.cat([drawn, fixed, -fixed, asked])
        directions = directions[directions.square().sum(1) > 0]
        radii = torch.rand(len(directions), generator=self._generator, dtype=torch.float64, device="cpu").to(drawn)
        radii = self._verified * width**radii
        return directions * (radii / self._value(directions).sqrt())[:, None]

    def _all_shrink(self, away: Tensor) -> bool:
        """Whether V falls in all states, and in those that it gets worse in when one goes on from the worst."""
        if not self._shrinks(away).all():
            return False
        value = self._value(away)
        worst = (self._value(self._f(self._point + away) - self._point) / value).topk(min(_WORST, len(away))).indices
        away, value = away[worst], value[worst]
        for _ in range(_ASCENT):
            with torch.enable_grad():
                moved = away.clone().requires_grad_()
                share = self._value(self._f(self._point + moved) - self._point) / self._value(moved)
                if not share.requires_grad:
                    return True
                (uphill,) = torch.autograd.grad(share.sum(), moved)
            uphill = uphill / uphill.norm(dim=1, keepdim=True).clamp(min=torch.finfo(uphill.dtype).tiny)
            away = away + _STRIDE * away.norm(dim=1, keepdim=True) * uphill
            away = away * (value / self._value(away)).sqrt()[:, None]
            if not self._shrinks(away).all():
                return False
        return True

    def _shrinks(self, away: Tensor) -> Tensor:
        """Whether V falls as it should."""
        after = self._f(self._point + away) - self._point
        value = self._value(away)
        should = self._fall_of_length * away.square().sum(1) + self._fall_of_value * value
        shrinks: Tensor = value - self._value(after) >= _ENOUGH * should
        return shrinks
