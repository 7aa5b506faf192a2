"""The settings of deep recurrent Q-learning."""

from dataclasses import dataclass, fields

from multistable._utils.checks import check_int, check_probability, check_rate

__all__ = ["DRQNSettings"]

_CHECKS = {"discount": check_probability, "epsilon": check_probability, "lr": check_rate}


@dataclass(frozen=True, kw_only=True)
class DRQNSettings:
    """The arguments of `train_drqn` with the same names; checked, and by default those of Lambrechts et al. 2023."""

    episodes: int = 2000
    discount: float = 0.98
    lr: float = 1e-3
    batch_size: int = 32
    updates_per_episode: int = 10
    target_period: int = 20
    evaluation_period: int = 20
    epsilon: float = 0.2
    capacity: int = 8192

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            check = _CHECKS.get(name, check_int)
            object.__setattr__(self, name, check(name, getattr(self, name)))
