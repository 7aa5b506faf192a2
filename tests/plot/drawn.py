"""What a figure shows, read back from its parts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multistable.plot._plane import Points


def at(drawn: PathCollection | Line2D) -> Points:
    """Where points are drawn, (P, 2)."""
    return np.asarray(drawn.get_xydata() if isinstance(drawn, Line2D) else drawn.get_offsets())


def collections(panel: Axes) -> list[LineCollection]:
    return [one for one in panel.collections if isinstance(one, LineCollection)]


def segments(collection: LineCollection) -> list[Points]:
    return [np.asarray(one) for one in collection.get_segments()]


def dots(panel: Axes) -> tuple[PathCollection, PathCollection]:
    """Where paths begin, and the states on record beside them."""
    starts, others = (one for one in panel.collections if isinstance(one, PathCollection))
    return starts, others


def colours(drawn: LineCollection | PathCollection) -> list[str]:
    """Of each line or point."""
    return [to_hex(one) for one in np.asarray(drawn.get_edgecolor())]


def texts(panel: Axes) -> list[str]:
    return [text.get_text() for text in panel.texts]


def entries(owner: Figure | Axes) -> list[str]:
    """What the legend says."""
    (legend,) = owner.legends if isinstance(owner, Figure) else [owner.get_legend()]
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def distances(points: Points) -> Points:
    return np.asarray(np.linalg.norm(points[:, None] - points, axis=-1))
