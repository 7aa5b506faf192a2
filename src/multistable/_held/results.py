"""What `held` returns."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

__all__ = ["Held"]


@dataclass(frozen=True, repr=False)
class Held:
    """What `held` proves of the states of a layer, whatever inputs within the bound come next.

    Attributes:
        bound: of the inputs, `|x_i| <= bound`.
        share: how many of the units are held, layer by layer, between 0 and 1.
        distinct: how many of the states stay apart for ever, each from all others; at least, as they are counted one
            after the other.
        n: how many states there are.
        units: which units are held, for each layer (B, H).
        lower: what h never falls below, for each layer (B, H), in double precision; for a held unit its value, but for
            LSTMs, whose h = o tanh(c) moves with o.
        upper: what h never rises above.
        answer_lower: what the read-out of the top layer never falls below, (B, O); None without a read-out.
        answer_upper: what it never rises above.
    """

    bound: float
    share: tuple[float, ...]
    distinct: int
    n: int
    units: tuple[Tensor, ...] = field(compare=False)
    lower: tuple[Tensor, ...] = field(compare=False)
    upper: tuple[Tensor, ...] = field(compare=False)
    answer_lower: Tensor | None = field(default=None, compare=False)
    answer_upper: Tensor | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        shares = ", ".join(f"l{k} {share:.1%}" for k, share in enumerate(self.share))
        width = self.answer_width
        answer = "" if width is None else f", answers within {width:.2g} (median)"
        return (
            f"Held(under any |x| <= {self.bound:g}: {shares} of the units, {self.distinct} of {self.n} states "
            f"distinct{answer})"
        )

    @property
    def answer_width(self) -> float | None:
        """The median width of the intervals of the answers; None without a read-out."""
        if self.answer_lower is None or self.answer_upper is None:
            return None
        return float((self.answer_upper - self.answer_lower).median())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the tensors, in types that JSON knows."""
        return {
            "bound": self.bound,
            "share": list(self.share),
            "distinct": self.distinct,
            "n": self.n,
            "answer_width": self.answer_width,
        }
