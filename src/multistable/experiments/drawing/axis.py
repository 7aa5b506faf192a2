"""An axis: where a value lies along it, and the few values that are written at it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Axis", "Tick"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Tick(NamedTuple):
    """What is written at an axis, and where, as a share of its length."""

    share: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis.

    Attributes:
        title: what it shows.
        least: the value at its start.
        most: the value at its end, larger than `least`.
        log: whether it is logarithmic; both ends are then positive.
        values: the values to write at it; by default round ones, about four.
    """

    title: str
    least: float
    most: float
    log: bool = False
    values: Sequence[float] | None = None

    @classmethod
    def around(
        cls, title: str, values: Iterable[float], log: bool = False, at: Sequence[float] | None = None
    ) -> "Axis":
        """An axis that all values fit on, with some room; a logarithmic one is made for those above 0.

        Args:
            title: what it shows.
            values: what is to be shown.
            log: whether it is logarithmic.
            at: the values to write at it.

        >>> Axis.around("epoch", [0, 50, 100], at=[0, 100]).ticks()
        [Tick(share=0.019230769230769232, label='0'), Tick(share=0.9807692307692307, label='100')]
        """
        found = [math.log10(value) if log else value for value in values if value > 0 or not log] or [0.0]
        least, most = min(found), max(found)
        room = 0.02 * (most - least) or 0.5
        ends = (least - room, most + room)
        return cls(title, *((10 ** ends[0], 10 ** ends[1]) if log else ends), log, at)

    @property
    def ends(self) -> tuple[float, float, bool]:
        """Its start, its end and whether it is logarithmic: all that reading values off it takes."""
        return (self.least, self.most, self.log)

    def share(self, value: float) -> float:
        """How far along the axis a value lies: 0 at its start, 1 at its end, and on it in any case.

        >>> Axis("error", 0.01, 1.0, log=True).share(0.1)
        0.5
        """
        if self.log:
            if value <= self.least:  # 0 among them
                return 0.0
            found = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            found = (value - self.least) / (self.most - self.least)
        return min(max(found, 0.0), 1.0)

    def ticks(self, apart: float = 0.11) -> list[Tick]:
        """What is written at the axis, none so close to the one before that their labels would touch.

        Args:
            apart: as close as two labels can stand, as a share of the axis.

        >>> [tick.label for tick in Axis("error", 0.0007, 2.0, log=True).ticks()]
        ['10⁻³', '0.01', '0.1', '1']
        """
        found: list[Tick] = []
        for value in self.values if self.values is not None else self._round():
            share = self.share(value)
            if not found or share - found[-1].share >= apart:
                found.append(Tick(share, _label(value)))
        return found

    def _round(self) -> list[float]:
        """About four round values within the ends."""
        if self.log:
            first, last = math.ceil(math.log10(self.least) - 1e-9), math.floor(math.log10(self.most) + 1e-9)
            if last - first >= 1:
                every = math.ceil((last - first + 1) / 5)
                return [10.0**power for power in range(first, last + 1, every)]
            digits = [digit * 10.0**power for power in range(first - 1, last + 1) for digit in (1, 2, 5)]
            within = [value for value in digits if self.least <= value <= self.most]
            if len(within) > 1:
                return within
        step = _round_step((self.most - self.least) / 4)
        first, last = math.ceil(self.least / step - 1e-9), math.floor(self.most / step + 1e-9)
        return [place * step for place in range(first, last + 1)]


def _round_step(about: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= about * (1 - 1e-9))


def _label(value: float) -> str:
    """A value as it is written: powers of ten above 99,999 and below 0.01 as such."""
    if value > 0 and not 0.005 <= value < 100_000:
        power = math.floor(math.log10(value) + 1e-9)
        digits = f"{value / 10.0**power:.3g}"
        return f"{'' if digits == '1' else digits + '·'}10{str(power).translate(_SUPERSCRIPTS)}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
