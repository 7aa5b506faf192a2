"""T-Maze: turn, at a junction at the end of a corridor, to where its start said that the goal is."""

from dataclasses import dataclass
from typing import ClassVar

from multistable._utils.checks import check_int
from multistable._utils.wording import counted
from multistable.tasks.task import Task

__all__ = ["TMaze"]


@dataclass(frozen=True, kw_only=True)
class TMaze(Task):
    """The T-Maze as a task of an experiment; the mazes themselves are in `multistable.rl`.

    Attributes:
        length: L, steps from the start to the junction, 2 or more.
        episodes: those that an agent learns from.

    Raises:
        TypeError: a value is not an int.
        ValueError: `length` is below 2, or `episodes` below 1.

    Examples:
        >>> from multistable.tasks import TMaze
        >>> maze = TMaze(length=20)
        >>> maze.setting, maze.at(100).setting, maze.chance
        ('L20', 'L100', 0.5)
    """

    name: ClassVar[str] = "t_maze"
    title: ClassVar[str] = "T-Maze"
    horizon_key: ClassVar[str] = "length"
    by_reward: ClassVar[bool] = True

    length: int
    episodes: int = 2000

    def __post_init__(self) -> None:
        check_int("length", self.length, at_least=2)
        check_int("episodes", self.episodes)

    @property
    def metric(self) -> str:
        """What a test measures."""
        return "share of optimal rollouts"

    @property
    def higher_is_better(self) -> bool:
        """More optimal rollouts are better."""
        return True

    @property
    def chance(self) -> float:
        """Without memory, one turn at the junction serves one of two goals."""
        return 0.5

    @property
    def setting(self) -> str:
        """The length, such as `"L20"`."""
        return f"L{self.length}"

    @property
    def budget(self) -> str:
        """What there is to learn from, in words."""
        return counted(self.episodes, "episode")
