"""What `train_drqn` returns."""

from dataclasses import dataclass
from typing import Any

from multistable._warmup import WarmupResult
from multistable.rl._evaluate import Evaluation

__all__ = ["DRQNResult"]


@dataclass(frozen=True, repr=False)
class DRQNResult:
    """What a training brought; E training episodes and V evaluations.

    Attributes:
        returns: the sum of rewards, undiscounted, of each training episode, exploration included, (E,).
        steps: the number of steps of each training episode, (E,).
        losses: the mean loss of the updates after each training episode, (E,).
        evaluated: the number of training episodes before each evaluation of the greedy agent, (V,).
        evaluations: how the greedy agent did, (V,).
        warmup: what the warmup did; None without one.
        seconds: the wall time of everything.
    """

    returns: tuple[float, ...]
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    evaluated: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]
    warmup: WarmupResult | None
    seconds: float

    def __repr__(self) -> str:
        last = self.evaluations[-1]
        optimal = "" if last.share_optimal is None else f", {last.share_optimal:.0%} of rollouts optimal"
        return (
            f"DRQNResult({len(self.returns):,} episodes; mean return {last.mean_return:.2f}{optimal} "
            f"after {self.evaluated[-1]:,})"
        )

    @property
    def first_optimal(self) -> int | None:
        """Training episodes before the first evaluation all of whose rollouts were optimal; None if there was none."""
        evaluations = zip(self.evaluated, self.evaluations, strict=True)
        # A share that nothing is known of, None, is not 1 either.
        return next((episodes for episodes, found in evaluations if found.share_optimal == 1), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        lists = {name: list(getattr(self, name)) for name in ("returns", "steps", "losses", "evaluated")}
        return {
            **lists,
            "evaluations": [found.to_dict() for found in self.evaluations],
            "first_optimal": self.first_optimal,
            "warmup": None if self.warmup is None else self.warmup.to_dict(),
            "seconds": self.seconds,
        }
