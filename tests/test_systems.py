"""What the shelf says of its systems, held against long trajectories and their Jacobians."""

import math

import pytest
import torch
from systems import SYSTEMS, System
from torch import Tensor

KINDS = {"equilibrium", "cycle", "oscillation", "drift", "unbounded", "chaos"}
every = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


def some(*systems: System) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("system", systems, ids=lambda system: system.name)


def drawn(system: System, seed: int = 0) -> Tensor:
    return system.starts(torch.Generator().manual_seed(seed))


def after(system: System, steps: int) -> Tensor:
    s = drawn(system)
    for _ in range(steps):
        s = system.step(s)
    return s


def jacobians(system: System, s: Tensor) -> Tensor:
    found: Tensor = torch.func.vmap(torch.func.jacrev(lambda state: system.step(state[None])[0]))(s)
    return found


def scales(system: System) -> Tensor:
    """The size of each entry."""
    return torch.cat([*system.points, drawn(system)]).abs().amax(0)


def test_there_are_enough_and_no_two_of_a_name() -> None:
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS) >= 36


@every
def test_a_system_is_well_formed(system: System) -> None:
    s = drawn(system)
    assert system.must <= system.may <= KINDS
    assert s.dtype == torch.float64 and s.ndim == 2 and 16 <= len(s) <= 32
    assert torch.equal(s, drawn(system)) and not torch.equal(s, drawn(system, seed=1))
    before = s.clone()
    following = system.step(s)
    assert following.shape == s.shape and torch.equal(s, before)
    # Sums in another order may round otherwise.
    assert torch.allclose(system.step(s[3:4]), following[3:4], rtol=1e-12, atol=1e-12)


@every
def test_its_derivative_is_that_of_small_displacements(system: System) -> None:
    s = drawn(system)
    way = torch.randn(s.shape, generator=torch.Generator().manual_seed(1), dtype=s.dtype) * scales(system).clamp(1e-12)
    slope = (jacobians(system, s) @ way[:, :, None])[:, :, 0]
    rise = (system.step(s + 1e-7 * way) - system.step(s - 1e-7 * way)) / 2e-7
    size = slope.abs().amax(0) + scales(system)
    # A central difference errs by the third derivative, 1e-14, and by rounding, 1e-9.
    assert ((rise - slope).abs() <= 1e-6 * size).all()


@some(*[system for system in SYSTEMS if system.points])
def test_its_points_come_back_and_attract(system: System) -> None:
    scale = scales(system)
    for period in {len(points) for points in system.points}:
        cycles = torch.stack([points for points in system.points if len(points) == period])
        following = system.step(cycles.flatten(0, 1)).unflatten(0, cycles.shape[:2])
        assert ((following - cycles.roll(-1, 1)).abs() <= 1e-9 * scale).all()
        product = torch.eye(cycles.shape[2], dtype=cycles.dtype).expand(len(cycles), -1, -1)
        for at in cycles.unbind(1):
            product = jacobians(system, at) @ product
        assert (torch.linalg.eigvals(product).abs() < 1).all()
    states = torch.cat(system.points) / scale
    assert len(torch.unique(states.round(decimals=6), dim=0)) == len(states)


@some(
    *[
        one
        for one in SYSTEMS
        if one.points and one.must and one.may <= {"equilibrium", "cycle"} and one.horizon == 4_000
    ]
)
def test_all_starts_come_to_its_points(system: System) -> None:
    s = after(system, 2_500) / scales(system)
    points = torch.cat(system.points) / scales(system)
    assert (s[:, None] - points).abs().amax(2).amin(1).max() < 1e-6


@some(*[system for system in SYSTEMS if system.rotation is not None])
def test_it_turns_as_often_as_said(system: System) -> None:
    """Turns are counted by the times at which the first entry rises through the middle of its range."""
    assert system.rotation is not None
    before, turns = 1_000, 2.5
    steps = before + max(500, int(turns / system.rotation))
    s, path = drawn(system)[:8], []
    for _ in range(steps):
        s = system.step(s)
        path.append(s[:, 0])
    x = torch.stack(path[before:], 1)
    middle = (x.amax(1) + x.amin(1)) / 2
    turning = (x.amax(1) - x.amin(1)) > 1e-3
    assert turning.any()
    for row in (x - middle[:, None])[turning]:
        (rises,) = torch.nonzero((row[:-1] < 0) & (row[1:] >= 0), as_tuple=True)
        times = rises - row[rises] / (row[rises + 1] - row[rises])
        measured = float((len(times) - 1) / (times[-1] - times[0]))
        # Where in a step the entry passed the middle is uncertain by less than one step at either end.
        assert measured == pytest.approx(system.rotation, rel=2 / float(times[-1] - times[0]))


@some(*[system for system in SYSTEMS if system.exponent is not None])
def test_displacements_grow_as_fast_as_said(system: System) -> None:
    assert system.exponent is not None
    value, tolerance = system.exponent
    s = after(system, 1_000)
    tiny = 1e-8 * float(s.abs().amax())
    way = torch.randn(s.shape, generator=torch.Generator().manual_seed(1), dtype=s.dtype)
    way = way / way.norm(dim=1, keepdim=True)
    growth, steps = torch.zeros(len(s), dtype=s.dtype), 2_000
    for step in range(steps):
        s, displaced = system.step(torch.cat([s, s + tiny * way])).chunk(2)
        length = (displaced - s).norm(dim=1, keepdim=True)
        way = (displaced - s) / length
        growth += (length / tiny).log()[:, 0] if step >= steps // 10 else 0
    exponents = growth / (0.9 * steps)
    if "equilibrium" in system.may:
        exponents = exponents[exponents > 0]
    assert float(exponents.mean()) == pytest.approx(value, abs=tolerance)


def named(name: str) -> System:
    (system,) = (system for system in SYSTEMS if system.name == name)
    return system


def test_synchrony_is_kept_to_the_bit_and_repels() -> None:
    system = named("rhythms in a synchrony that repels")
    s = after(system, 1_000)
    assert torch.equal(s[:, ::2], s[:, 1::2])
    beside = s + torch.tensor([1e-9, 0, 0, 0], dtype=s.dtype)
    for _ in range(200):
        beside = system.step(beside)
    assert ((beside[:, 0] - beside[:, 1]).abs() > 1e-3).any()
    assert beside.abs().max() < 10


def test_a_zero_gradient_does_not_make_an_equilibrium_attract() -> None:
    system = named("rectified units that excite each other")
    s = torch.full((1, 2), 1e-9, dtype=torch.float64)
    assert not torch.autograd.functional.jacobian(system.step, torch.zeros_like(s)).any()
    for _ in range(300):
        s = system.step(s)
    assert (s > 1).all()


def test_chaos_passes_after_tens_of_thousands_of_steps() -> None:
    """Per step, a share of sqrt(4e-9) / pi leaves, 1 / 50,000: after 10,000 steps four in five starts are left."""
    system = named("chaos that passes")
    s = torch.rand(2_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for _ in range(10_000):
        s = system.step(s)
    left = float((s < 0).double().mean())
    assert left == pytest.approx(1 - math.exp(-0.2), abs=5 * math.sqrt(0.18 * 0.82 / 2_000))
