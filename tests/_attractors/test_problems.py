"""`measure` and `attractors` on the shelf of maps whose attractors are known."""

from functools import partial

import pytest
import torch
from devices import here
from problems import PROBLEMS, Problem, Written, as_model, follow

from multistable import attractors, measure
from multistable._attractors.kinds import Kind

pytestmark = pytest.mark.usefixtures("device")
shelf = partial(pytest.mark.parametrize, "problem", ids=lambda problem: problem.name)
# Beside a saddle, states take longer than a measure holds them.
AT_REST = [one for one in PROBLEMS if set(one.kinds) == {"equilibrium"} and one.horizon <= 10_000]


@shelf(PROBLEMS)
def test_where_trajectories_go(problem: Problem) -> None:
    outcome = follow(Written(problem.function, problem.starts.shape[1]), problem.starts, problem.horizon, problem.tol)
    assert outcome.kinds == problem.kinds
    numbers: dict[tuple[Kind, int], int] = {}
    for kind, number, end in zip(outcome.kinds, outcome.roots.tolist(), problem.ends, strict=True):
        assert numbers.setdefault((kind, number), end) == end
        assert (number == -1) == (end == -1)
    assert sorted(set(numbers.values()) - {-1}) == list(range(len(problem.attractors)))
    assert len(numbers) == len(set(problem.ends))
    for (kind, number), end in numbers.items():
        if end == -1:
            continue
        known = problem.attractors[end]
        if kind == "equilibrium":
            points = outcome.equilibria.points[number][None]
            radius = outcome.equilibria.basins[number].radius
        else:
            points, radius = outcome.cycles[number].points, outcome.cycles[number].basin.radius
            assert outcome.cycles[number].period == len(known.points)
        expected = here(known.points)
        # In any order that goes round; Newton's method ends within 1e-9 of the size of the state.
        assert min((points.roll(k, 0) - expected).abs().max() for k in range(len(points))) < 1e-9 * (
            1 + expected.norm()
        )
        assert radius == pytest.approx(known.radius, rel=1e-6, abs=1e-7)


@shelf(AT_REST)
def test_measure_counts_the_equilibria_that_are_reached(problem: Problem) -> None:
    with as_model(problem) as (model, inputs):
        found = measure(model, inputs, horizon=problem.horizon, tol=problem.tol, generator=0)
    assert found.vaa == pytest.approx(len(problem.attractors) / len(problem.starts))
    assert found.residual < 1e-9


@shelf(PROBLEMS)
def test_attractors_gives_each_its_share(problem: Problem) -> None:
    with as_model(problem) as (model, inputs):
        found = attractors(model, inputs, horizon=problem.horizon, tol=problem.tol, generator=0)
    n = len(problem.starts)
    assert found.count == len(problem.attractors) and found.certified == pytest.approx(found.count / n)
    assert found.shares == pytest.approx({kind: problem.kinds.count(kind) / n for kind in found.shares})
    basins = [problem.ends.count(end) / n for end in range(len(problem.attractors))]
    assert sorted(one.basin_share for one in found.attractors if one.kind != "chaos") == pytest.approx(sorted(basins))
    assert all(one.state.dtype == torch.float64 for one in found.attractors)
