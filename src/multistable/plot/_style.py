"""What the figures share."""

from matplotlib.axes import Axes

__all__ = ["COLOURS", "GREY", "palette", "tidy"]

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


def tidy(*panels: Axes) -> None:
    """Draw a faint grid, and no frame at the top and on the right."""
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
