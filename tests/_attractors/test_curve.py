"""Closed curves, where what turns is known by hand."""

import math

import pytest
import torch
from torch import Tensor

from multistable._attractors.curve import closed_curve

F64 = torch.float64
GOLDEN = (math.sqrt(5) - 1) / 2
TIME = torch.arange(2_000, dtype=F64)


def ring(rotation: float) -> Tensor:
    """A bent loop in three dimensions, turned on at an even rate."""
    phase = 2 * math.pi * rotation * TIME
    return torch.stack([phase.cos(), 2 * phase.sin() + 0.5 * (2 * phase).cos(), (3 * phase).sin()], 1)


@pytest.mark.parametrize("rotation", [GOLDEN, 1 - GOLDEN, 0.01 * math.sqrt(2), math.pi / 7])
def test_what_turns_on_a_loop_has_its_rotation_number(rotation: float) -> None:
    curve = closed_curve(ring(rotation))
    assert curve is not None and not curve.locked
    assert curve.rotation == pytest.approx(min(rotation, 1 - rotation), abs=1e-9)
    assert curve.distance(ring(rotation)).max() <= curve.gap


def test_states_of_a_curve_are_in_the_order_of_its_phase() -> None:
    curve = closed_curve(ring(GOLDEN)[:, :2] * torch.tensor([1.0, 0.5]))
    assert curve is not None
    # The loop is convex enough that the angle grows all the way, or falls.
    x, y = curve.states.unbind(1)
    turned = torch.atan2(y, x).diff().remainder(2 * math.pi)
    assert (turned < math.pi).all() or (turned > math.pi).all()


def test_a_long_cycle_is_locked() -> None:
    curve = closed_curve(ring(13 / 97))
    assert curve is not None and curve.locked and curve.rotation == pytest.approx(13 / 97, abs=1e-9)


def test_no_curve_where_a_surface_is_filled() -> None:
    two = torch.cat([ring(GOLDEN), ring(math.sqrt(3) / 10)], 1)
    assert closed_curve(two) is None
    noise = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert closed_curve(noise) is None


def test_no_curve_where_states_spiral() -> None:
    assert closed_curve(ring(GOLDEN) * (-1e-4 * TIME)[:, None].exp()) is None


def test_no_curve_where_two_take_turns() -> None:
    """Every second state is on the other side of a slow turn: at half a turn a step, each side is in order of time."""
    slow = ring(1e-3)
    assert closed_curve(torch.where((TIME % 2 == 0)[:, None], slow, slow + 10)) is None


def test_too_few_turns_are_none() -> None:
    assert closed_curve(ring(5 / 2_000 * GOLDEN)) is None
