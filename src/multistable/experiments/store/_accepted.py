"""What a checkpoint must hold for training to go on from it."""

import sys
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["check_finite", "check_optimizer", "check_rows", "is_number"]


def check_rows(run: Mapping[str, Any]) -> None:
    """Raise unless there is a row for each epoch from 0 on, all of the same keys, each with a finite number or None."""
    rows = run["rows"]
    epochs = [row["epoch"] for row in rows]
    if not epochs or epochs != list(range(len(epochs))):
        raise ValueError(f"its rows are of the epochs {epochs}")
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(f"the row of epoch {row['epoch']} has other columns than the first")
        for key, value in row.items():
            if value is not None and not is_number(value):
                raise ValueError(f"{key} is {str(value)[:40]} in a row")


def check_finite(weights: Mapping[str, torch.Tensor]) -> None:
    """Raise if there is a NaN or an infinity among the weights."""
    for name, values in weights.items():
        if not values.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity")


def check_optimizer(state: Mapping[str, Any], new: torch.optim.Adam) -> None:
    """Raise unless Adam, with the settings of one that has taken no step, can go on from a state.

    Args:
        state: what its `state_dict` returned after a step or more.
        new: one of the same parameters and settings.
    """
    wanted = new.state_dict()["param_groups"]
    there = state["param_groups"]
    if len(there) != len(wanted):
        raise ValueError(f"its optimiser has {len(there)} groups of parameters, and must have {len(wanted)}")
    for group, other in zip(there, wanted, strict=True):
        # What another version of torch has added makes no difference.
        for key in ("params", *(group.keys() & other.keys())):
            if group[key] != other[key]:
                raise ValueError(f"{key} of its optimiser is {group[key]}, and must be {other[key]}")
        if "lr" not in group:
            raise ValueError("its optimiser lacks lr")
    for index, parameter in enumerate(new.param_groups[0]["params"]):
        moments = state["state"][index]
        for name in ("exp_avg", "exp_avg_sq"):
            if moments[name].shape != parameter.shape:
                raise ValueError(f"{name} of its optimiser has not the shape of the parameter {index}")
        check_finite({f"{name} of its optimiser": values for name, values in moments.items()})


def is_number(value: object) -> bool:
    """Whether this is a finite number, and no flag."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
