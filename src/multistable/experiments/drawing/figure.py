"""The two kinds of figures of a report: curves over an axis, and rows of marks or bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from multistable.experiments.drawing.axis import Axis
from multistable.experiments.drawing.path import band_path, line_path

__all__ = ["Curve", "Panel", "Plot", "Row", "Rows", "Whose"]


@dataclass(frozen=True)
class Whose:
    """The cell and variant that something drawn belongs to, their name, and the colour of the variant."""

    cell: str
    variant: str
    name: str
    colour: str


@dataclass(frozen=True)
class Curve:
    """Means over an axis.

    Attributes:
        whose: what it belongs to.
        xs: places along the axis.
        means: the values there.
        least: the least of the seeds at each place; empty for a curve without a range.
        most: the largest of the seeds.
        note: what tells it from others of the same cell and variant.
        dotted: whether its line is.
        marked: whether each place has a mark and a bar for its range, in the place of a band.
    """

    whose: Whose
    xs: Sequence[float]
    means: Sequence[float]
    least: Sequence[float] = ()
    most: Sequence[float] = ()
    note: str = ""
    dotted: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes, as high as `height` pixels; a line at `chance` where there is one."""

    x: Axis
    y: Axis
    curves: Sequence[Curve]
    height: int
    chance: float | None = None

    def line(self, curve: Curve) -> str:
        """The path of its means."""
        return line_path(self.x, self.y, curve.xs, curve.means)

    def band(self, curve: Curve) -> str:
        """The path around its range."""
        return band_path(self.x, self.y, curve.xs, curve.least, curve.most)


@dataclass(frozen=True)
class Plot:
    """Panels above each other on the same axis.

    Attributes:
        panels: the panels, from above.
        caption: what is shown.
        trained_at: the place along the axis that the networks were trained at.
    """

    panels: Sequence[Panel]
    caption: str
    trained_at: float | None = None

    @property
    def legend(self) -> list[Whose]:
        """One entry for each variant."""
        return list({curve.whose.variant: curve.whose for panel in self.panels for curve in panel.curves}.values())

    @property
    def ranged(self) -> bool:
        """Whether there are bands."""
        return any(curve.least and not curve.marked for panel in self.panels for curve in panel.curves)

    @property
    def marked(self) -> bool:
        """Whether there are marks with bars."""
        return any(curve.marked for panel in self.panels for curve in panel.curves)

    @property
    def notes(self) -> dict[str, bool]:
        """What tells curves of the same variant apart, and whether those are dotted."""
        return {curve.note: curve.dotted for panel in self.panels for curve in panel.curves if curve.note}

    @property
    def alt(self) -> str:
        """What it shows, for those who can't see it."""
        shown = " and ".join(panel.y.title for panel in self.panels)
        ends = "; ".join(
            f"{one.whose.name}{one.note and ', ' + one.note}: {one.means[0]:.3g} to {one.means[-1]:.3g}"
            for one in self.panels[0].curves
            if one.means
        )
        return f"{shown} over {self.panels[-1].x.title}. {self.panels[0].y.title}, first to last: {ends}."


@dataclass(frozen=True)
class Row:
    """A row of a figure: points and a mean with its range, or else parts that make a bar.

    Attributes:
        whose: what it belongs to.
        mean: the mean of the points, or the sum of the parts.
        points: single values.
        parts: the parts with their lengths.
    """

    whose: Whose
    mean: float
    points: Sequence[float] = ()
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the row says."""
        if self.parts:
            return ", ".join(f"{name} {value:,.3g}" for name, value in self.parts.items())
        if len(self.points) == 1:
            return f"{self.mean:.3g}"
        return f"mean {self.mean:.3g}, {min(self.points):.3g} to {max(self.points):.3g}"

    def bars(self, axis: Axis) -> Iterable[tuple[str, float, float]]:
        """Each part with its start and its length, as shares of the axis."""
        start = 0.0
        for name, value in self.parts.items():
            yield name, axis.share(start), axis.share(start + value) - axis.share(start)
            start += value


@dataclass(frozen=True)
class Rows:
    """Rows on one axis; a line at `chance` where there is one."""

    axis: Axis
    rows: Sequence[Row]
    caption: str
    chance: float | None = None

    @property
    def label(self) -> int:
        """The length of the longest name."""
        return max(len(row.whose.name) for row in self.rows)

    @property
    def parts(self) -> list[str]:
        """The parts that bars are made of."""
        return list(self.rows[0].parts)

    @property
    def alt(self) -> str:
        """What it shows, for those who can't see it."""
        return f"{self.axis.title}. " + "; ".join(f"{row.whose.name}: {row.text}" for row in self.rows) + "."
