"""Legends whose entries can show several samples."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from multistable.plot._style import figure_of

__all__ = ["Entry", "entry", "legend_below"]

Entry = tuple[str, tuple[Line2D, ...]]
"""A label, and samples that stand side by side."""

_LONG = 30  # letters: labels with more don't stand side by side below a panel
_BELOW = 36 / 72  # inches from a panel to what stands below the label of its axis


def entry(label: str, *styles: dict[str, Any]) -> Entry:
    """An entry with a sample of each style."""
    return label, tuple(Line2D([], [], **style) for style in styles)


def legend_below(owner: Axes | Figure, entries: list[Entry]) -> None:
    """A legend below a panel, where it hides nothing, or at the foot of a figure; none where there are no entries."""
    if not entries:
        return
    labels, samples = zip(*entries, strict=True)
    style: dict[str, Any] = {"frameon": False, "handler_map": {tuple: HandlerTuple(ndivide=None, pad=0.5)}}
    style["handlelength"] = 2.0 if max(map(len, samples)) == 1 else 2.8
    if isinstance(owner, Figure):
        owner.legend(samples, labels, loc="outside lower center", ncols=4, **style)
        return
    below = owner.transAxes + ScaledTranslation(0, -_BELOW, figure_of(owner).dpi_scale_trans)
    style |= {"bbox_to_anchor": (0.5, 0), "bbox_transform": below, "borderaxespad": 0, "fontsize": "small"}
    style["ncols"] = 1 if max(map(len, labels)) > _LONG else 2
    owner.legend(samples, labels, loc="upper center", **style)
