"""What the figures share."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "DARK", "GREY", "figure_of", "palette", "panel_in", "tidy"]

DARK = "#333333"
GREY = "#7f7f7f"
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito: safe for colour-blind eyes


def palette(count: int) -> list[str]:
    """Colours for lines, the first of them grey; they repeat where there are many."""
    colours = (GREY, *COLOURS)
    return [colours[place % len(colours)] for place in range(count)]


def panel_in(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """The panel to draw in and its figure: that of `ax`, or a new one of a size in inches."""
    if ax is None:
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots()
    return figure_of(ax), ax


def figure_of(ax: Axes) -> Figure:
    """The whole figure that a panel is in."""
    around = ax.figure
    while not isinstance(around, Figure):  # figures can be parts of others
        around = around.figure
    return around


def tidy(*panels: Axes) -> None:
    """Draw a faint grid, and no frame at the top and on the right."""
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
