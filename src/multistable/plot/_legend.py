"""Legends whose entries can show several samples."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

__all__ = ["Entry", "add_legend", "entry"]

Entry = tuple[str, tuple[Line2D, ...]]
"""A label, and samples that stand side by side."""


def entry(label: str, *styles: dict[str, Any]) -> Entry:
    """An entry with a sample of each style."""
    return label, tuple(Line2D([], [], **style) for style in styles)


def add_legend(owner: Axes | Figure, entries: list[Entry], **options: Any) -> None:
    """A legend without a frame; none where there are no entries."""
    if entries:
        labels, samples = zip(*entries, strict=True)
        side_by_side = {tuple: HandlerTuple(ndivide=None, pad=0.3)}
        owner.legend(samples, labels, handler_map=side_by_side, **{"frameon": False, **options})
