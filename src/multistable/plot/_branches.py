"""Points of neighbouring rows, joined into branches."""

from collections.abc import Sequence

import numpy as np

from multistable.plot._plane import Points

__all__ = ["Branch", "branches"]

Branch = list[tuple[int, int]]
"""The row of each of its points, and the point's place in that row; one point in each of neighbouring rows."""


def branches(rows: Sequence[Points]) -> list[Branch]:
    """Points are joined where each is the other's nearest in the neighbouring row; each row is (P, S)."""
    done: list[Branch] = []
    open_: dict[int, Branch] = {}  # those that the last row belongs to, by the point's place there
    for row, points in enumerate(rows):
        before = _nearest(rows[row - 1], points) if row > 0 else {}
        going = {place: [*open_.pop(last), (row, place)] for last, place in before.items()}
        done += open_.values()
        open_ = {place: going.get(place, [(row, place)]) for place in range(len(points))}
    return [*done, *open_.values()]


def _nearest(before: Points, after: Points) -> dict[int, int]:
    """Which points of one row go on as which of the next."""
    if len(before) == 0 or len(after) == 0:
        return {}
    distances = np.linalg.norm(before[:, None] - after[None], axis=2)
    forwards, backwards = distances.argmin(1).tolist(), distances.argmin(0).tolist()
    return {last: place for last, place in enumerate(forwards) if backwards[place] == last}
