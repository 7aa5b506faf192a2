"""Checks of arguments, made at the call and before any work."""

import math
import numbers

import torch
from torch import Tensor

from multistable._utils.wording import given, shown

_LARGEST = 2**63 - 1  # that torch can count to
_LARGEST_RATE = 1e37  # Adam divides it by 0.1 in its first step, which float32 has to hold
_RESOLUTIONS = 16  # by which rounding may set states apart that are one


def check_int(name: str, value: int, at_least: int = 1) -> int:
    """`value` as an int; raise unless it is an integer of at least `at_least` that torch can count to."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        whole = isinstance(value, float) and at_least <= value <= _LARGEST and value % 1 == 0
        raise TypeError(f"{name} must be an int, got {given(value)}{f': {int(value)} would do' if whole else ''}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {shown(value)}")
    if value > _LARGEST:
        raise ValueError(f"{name} must be at most 2^63 - 1, got {shown(value)}")
    return int(value)


def check_positive(name: str, value: float) -> float:
    """`value` as a float; raise unless it is a finite number above 0."""
    if not (math.isfinite(_as_number(name, value)) and value > 0):
        raise ValueError(f"{name} must be finite and above 0, got {shown(value)}")
    return float(value)


def check_rate(name: str, value: float) -> float:
    """`value` as a float; raise unless it is a learning rate that a step of Adam can be taken with."""
    if check_positive(name, value) > _LARGEST_RATE:
        raise ValueError(f"{name} must be at most {_LARGEST_RATE:g}, got {shown(value)}")
    return float(value)


def check_tol(name: str, value: float, dtype: torch.dtype) -> float:
    """`value` as a float; raise unless it is a finite distance that states of a dtype can be told apart at."""
    least = _RESOLUTIONS * torch.finfo(dtype).eps
    if check_positive(name, value) < least:
        raise ValueError(
            f"{name} must be at least {least:.1e}, which is what {dtype} can tell apart, got {shown(value)}"
        )
    return float(value)


def check_not_negative(name: str, value: float) -> float:
    """`value` as a float; raise unless it is a finite number of at least 0."""
    if not (math.isfinite(_as_number(name, value)) and value >= 0):
        raise ValueError(f"{name} must be finite and not negative, got {shown(value)}")
    return float(value)


def check_fraction(name: str, value: float) -> float:
    """`value` as a float; raise unless it lies in (0, 1]."""
    if check_positive(name, value) > 1:
        raise ValueError(f"{name} must lie in (0, 1], got {shown(value)}")
    return float(value)


def check_probability(name: str, value: float) -> float:
    """`value` as a float; raise unless it lies in [0, 1]."""
    if not 0 <= _as_number(name, value) <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {shown(value)}")
    return float(value)


def check_ordinary(name: str, values: Tensor) -> None:
    """Raise if `values` lies on the meta device, where tensors hold no numbers."""
    if values.is_meta:
        raise ValueError(f"{name} must be an ordinary tensor, got a meta tensor")


def check_finite(name: str, values: Tensor) -> None:
    """Raise if `values` holds NaN or infinity, or nothing at all."""
    check_ordinary(name, values)
    finite = torch.isfinite(values)
    if not finite.all():
        bad = values.numel() - int(finite.sum())
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite values of {values.numel()}")


def check_finite_number(name: str, value: float) -> float:
    """`value` as a float; raise unless it is a finite number."""
    if not math.isfinite(_as_number(name, value)):
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    return float(value)


def _as_number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {given(value)}")
    try:
        float(value)
    except OverflowError as error:  # of an int, which may have any size
        raise ValueError(f"{name} must be a number that a float can hold, got {shown(value)}") from error
    return value
