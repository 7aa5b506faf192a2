"""Drawings of a T-Maze. They are for people, and show the goal all the time, which the agent does not see."""

import gymnasium
import numpy as np
from numpy.typing import NDArray

__all__ = ["RENDER_MODES", "Frame", "check_render_mode", "draw", "warn_of_no_render_mode"]

RENDER_MODES = ("ansi", "rgb_array")

_WALL = (60, 60, 60)
_FLOOR = (235, 235, 235)
# Okabe and Ito (2008): colours that colour-blind people can tell apart.
_GOAL = (0, 158, 115)
_WRONG = (213, 94, 0)
_AGENT = (0, 114, 178)

Frame = str | NDArray[np.uint8]


def check_render_mode(mode: str | None) -> str | None:
    """`mode` itself; raise unless it is a render mode or None."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be 'ansi', 'rgb_array' or None, got {mode!r}")
    return mode


def warn_of_no_render_mode() -> None:
    """Warn, as Gymnasium's own environments do."""
    gymnasium.logger.warn("render() returns None without a render mode: make the environment with render_mode")


def draw(mode: str, length: int, x: int, y: int, goal: int) -> Frame:
    """The maze with the agent at (x, y): three lines of text, or an image (height, width, 3)."""
    return _text(length, x, y, goal) if mode == "ansi" else _image(length, x, y, goal)


def _text(length: int, x: int, y: int, goal: int) -> str:
    """A is the agent, G the goal, x the wrong end, and a dot any other cell."""
    cells = {(column, 0): "." for column in range(length + 1)}
    cells |= {(length, goal): "G", (length, -goal): "x", (x, y): "A"}
    rows = ("".join(cells.get((column, row), " ") for column in range(length + 1)) for row in (1, 0, -1))
    return "\n".join(rows)


def _image(length: int, x: int, y: int, goal: int) -> NDArray[np.uint8]:
    """Cells with walls around, at most 1,024 pixels wide unless that left a cell fewer than 4 pixels."""
    # Cells of an even size make width and height even, as video formats require.
    size = 2 * min(max(512 // (length + 3), 2), 16)
    cells = np.full((5, length + 3, 3), _WALL, np.uint8)
    cells[2, 1:-1] = _FLOOR
    cells[2 - goal, -2] = _GOAL
    cells[2 + goal, -2] = _WRONG
    image = cells.repeat(size, 0).repeat(size, 1)
    image[::size] = image[:, ::size] = _WALL
    top, left = (2 - y) * size, (1 + x) * size
    offset = np.arange(size) - size / 2
    disc = np.hypot(offset[:, None], offset) < 0.35 * size
    image[top : top + size, left : left + size][disc] = _AGENT
    return image
