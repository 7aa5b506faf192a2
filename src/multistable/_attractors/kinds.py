"""What a trajectory can come to, and how it is said."""

from typing import Literal, get_args

__all__ = ["KINDS", "SAID", "Kind"]

Kind = Literal["equilibrium", "cycle", "oscillation", "held", "slow", "drift", "unbounded", "chaos"]

KINDS: tuple[Kind, ...] = get_args(Kind)

SAID: dict[Kind, str] = {
    "equilibrium": "come to rest",
    "cycle": "go round a cycle",
    "oscillation": "oscillate",
    "held": "are held",
    "slow": "are slow",
    "drift": "drift",
    "unbounded": "grow without bound",
    "chaos": "are chaotic",
}
"""As a predicate of states."""
