"""Paths of curves in a square of 1,000 by 1,000, which is stretched to whatever size the page has for it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from multistable.experiments.drawing.axis import Axis

__all__ = ["SIDE", "band_path", "line_path"]

SIDE = 1000
_COLUMNS = 300  # about as many as a figure has pixels; what lies within one can't be told apart

Point = tuple[float, float]


def line_path(x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float]) -> str:
    """A curve as the `d` of an SVG path.

    Where more than four points fall into the width of a pixel, its first, least, most and last stand for all.

    >>> line_path(Axis("x", 0, 1), Axis("y", 0, 1), [0, 0.5, 1], [0, 1, 0.25])
    'M0 1000L500 0L1000 750'
    """
    kept: list[Point] = []
    for column in _columns(_placed(x, y, xs, ys)):
        low, high = (pick(column, key=lambda point: point[1]) for pick in (min, max))
        kept += sorted({column[0], low, high, column[-1]}, key=column.index) if len(column) > 4 else column
    return _path(kept)


def band_path(x: Axis, y: Axis, xs: Sequence[float], least: Sequence[float], most: Sequence[float]) -> str:
    """The area between two curves as the `d` of an SVG path; thinned, it holds all that it held before.

    >>> band_path(Axis("x", 0, 1), Axis("y", 0, 1), [0, 1], [0, 0], [0.5, 1])
    'M0 500L1000 0L1000 1000L0 1000Z'
    """
    # Down the page is up in numbers: the edge of the largest values has the least places.
    above = [min(column, key=lambda point: point[1]) for column in _columns(_placed(x, y, xs, most))]
    below = [max(column, key=lambda point: point[1]) for column in _columns(_placed(x, y, xs, least))]
    return _path([*above, *reversed(below)]) + "Z"


def _placed(x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float]) -> list[Point]:
    return [(SIDE * x.share(across), SIDE * (1 - y.share(value))) for across, value in zip(xs, ys, strict=True)]


def _columns(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points that share a column of pixels, or each alone where there are few."""
    if len(points) <= _COLUMNS:
        return ([point] for point in points)
    return (list(column) for _, column in groupby(points, key=lambda point: int(point[0] * _COLUMNS / SIDE)))


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{across:.0f} {down:.0f}" for across, down in points)
