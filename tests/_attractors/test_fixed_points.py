"""Fixed points and slow points, where all of them are known by hand."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import FixedPoints, fixed_points
from multistable.dynamics import register, registry

F64 = torch.float64


def units(weights: Tensor) -> Any:
    """h' = tanh(W h + u), an input for each unit."""
    rnn: Any = nn.RNN(len(weights), len(weights), bias=False, dtype=F64)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(weights)
        rnn.weight_ih_l0.copy_(torch.eye(len(weights)))
    return rnn


def spread(n: int, size: int) -> Tensor:
    return 2 * torch.rand(n, size, generator=torch.Generator().manual_seed(0), dtype=F64) - 1


class Written(nn.Module):
    """s' = function(s)."""

    def __init__(self, function: Callable[[Tensor], Tensor], size: int) -> None:
        super().__init__()
        self.function, self.input_size, self.hidden_size = function, 1, size
        self.weight = nn.Parameter(torch.zeros((), dtype=F64))


@contextmanager
def written(function: Callable[[Tensor], Tensor], size: int) -> Iterator[Written]:
    register(Written, lambda cell, s, u: cell.function(s) + cell.weight)
    try:
        yield Written(function, size)
    finally:
        del registry._ADAPTERS[Written]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_bistable_units_have_a_point_for_each_choice_of_three(size: int) -> None:
    """Each unit rests in a well, where its slope is 2 (1 - h^2), or at 0, where it is 2."""
    found = fixed_points(units(2 * torch.eye(size)), states=spread(40, size), u=0, generator=0)
    assert found.count == 3**size and len(found.slow_points) == 0
    expected = [math.comb(size, k) * 2 ** (size - k) for k in range(size + 1)]
    assert torch.bincount(found.unstable).tolist() == expected
    rest = 0.9575040240772687
    assert found.points.abs().sub(rest).abs().minimum(found.points.abs()).max() < 1e-9
    at_zero = (found.points.abs() < 0.5).sum(1)
    assert torch.equal(found.unstable, at_zero) and torch.equal(found.stable, at_zero == 0)
    slopes = (2 * (1 - found.points.square())).sort(1, descending=True).values
    torch.testing.assert_close(found.eigenvalues.real, slopes, rtol=1e-9, atol=0)
    for point, directions in zip(found.points, found.unstable_directions, strict=True):
        assert directions.shape == (int((point.abs() < 0.5).sum()), size)
        assert directions[:, point.abs() > 0.5].abs().max() < 1e-9 if len(directions) and size > len(directions) else 1


def test_eigenvectors_belong_to_eigenvalues() -> None:
    weights = torch.tensor([[1.5, -1.0, 0.3], [1.0, 1.5, 0.0], [0.2, 0.1, 0.5]], dtype=F64)
    found = fixed_points(units(weights), states=torch.zeros(2, 3, dtype=F64), u=0, generator=0)
    (origin,) = (found.points.norm(dim=1) < 1e-8).nonzero()[:, 0].tolist()
    assert found.unstable[origin] == 2 and found.eigenvalues[origin, 0].imag != 0
    values, vectors = found.eigenvalues[origin], found.eigenvectors[origin]
    torch.testing.assert_close(weights.to(vectors) @ vectors, vectors * values, rtol=0, atol=1e-12)
    directions = found.unstable_directions[origin]
    # The real and the imaginary part of the pair: the map leads from their plane into it.
    assert directions.shape == (2, 3)
    plane = torch.cat([directions, directions @ weights.T])
    assert torch.linalg.matrix_rank(plane, rtol=1e-9) == 2


@pytest.mark.parametrize("push", [0.0, 0.2, 0.5, -0.5])
def test_an_input_moves_points_until_they_meet(push: float) -> None:
    """x = tanh(2 x + u) has three roots up to |u| = 0.533, and one beyond."""
    asked = torch.tensor([[push], [1.0]], dtype=F64)
    three, one = fixed_points(units(2 * torch.eye(1)), states=spread(20, 1), u=asked, generator=0)
    assert (three.count, one.count) == (3, 1) and (three.u.item(), one.u.item()) == (push, 1.0)
    for found in (three, one):
        torch.testing.assert_close((2 * found.points + found.u).tanh(), found.points, rtol=0, atol=1e-9)
    assert three.unstable.tolist() == [0, 0, 1]


def test_where_no_point_is_left_there_is_a_slow_one() -> None:
    """x' = x + c + x^2 has none for c > 0; its speed (c + x^2)^2 / 2 is least at 0."""
    with written(lambda s: s + 0.01 + s.square(), 1) as module:
        found = fixed_points(module, states=torch.linspace(-0.3, 0.05, 9, dtype=F64)[:, None], generator=0)
    assert found.count == 0 and len(found.slow_points) >= 1
    assert found.slow_points[0].abs().item() < 1e-3
    assert found.speeds[0].item() == pytest.approx(0.01**2 / 2, rel=1e-3)


def test_a_line_of_points_is_slow_everywhere() -> None:
    with written(lambda s: torch.stack([s[:, 0], 0.5 * s[:, 1]], 1), 2) as module:
        found = fixed_points(module, states=spread(20, 2), starts=50, generator=0)
    assert found.count == 0 and len(found.slow_points) > 10
    assert found.speeds.max() < 1e-20 and found.slow_points[:, 1].abs().max() < 1e-9


def test_a_kink_is_not_stable_for_what_autograd_says() -> None:
    """At 0 the derivative of relu is taken to be 0; two units that excite each other leave it."""
    with written(lambda s: (s @ torch.tensor([[0.0, 2.0], [2.0, 0.0]], dtype=F64)).relu(), 2) as module:
        found = fixed_points(module, states=torch.full((2, 2), -1.0, dtype=F64), starts=8, generator=0)
    assert found.count == 1 and found.points.abs().max() < 1e-12 and not found.stable.any()
    assert found.unstable.tolist() == [2] and sorted(found.eigenvalues[0].real.tolist()) == pytest.approx([-2, 2])


def test_the_same_seed_finds_the_same() -> None:
    rnn, states = units(1.5 * torch.eye(3)), spread(10, 3)
    one, same = (fixed_points(rnn, states=states, u=0, generator=3) for _ in range(2))
    assert torch.equal(one.points, same.points) and torch.equal(one.eigenvalues, same.eigenvalues)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    found = fixed_points(units(2 * torch.eye(2)), states=spread(20, 2), u=0, generator=0)
    found.save(tmp_path / "points.npz")
    back = FixedPoints.load(tmp_path / "points.npz")
    assert (
        repr(back) == repr(found) == "FixedPoints(9 from 512 starts: 4 stable, 4 saddles, 1 repelling; 0 slow points)"
    )
    assert all(torch.equal(getattr(back, name), torch.from_numpy(value)) for name, value in found.numpy().items())
    known = json.loads(json.dumps(found.to_dict(states=True)))
    assert known["count"] == 9 and len(known["points"]) == 9 and "points" not in found.to_dict()


def test_bad_arguments() -> None:
    rnn, states = units(torch.eye(2)), spread(4, 2)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"states": states, "starts": 0}, ValueError, "starts must be at least 1, got 0"),
        ({"states": states[:, :1]}, ValueError, r"states must have shape \(n, 2\), got \(4, 1\)"),
        (
            {"inputs": torch.zeros(3, 2, 2), "states": states},
            TypeError,
            "either inputs or states must be given, got both",
        ),
        ({}, TypeError, "either inputs or states must be given, got neither"),
        ({"states": states, "u": "data"}, ValueError, "got 'data': there are no data"),
        ({"states": states, "u": torch.zeros(3)}, ValueError, r"u must have shape \(2,\) or \(K, 2\), got \(3,\)"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            fixed_points(rnn, **arguments)


def test_states_that_explode_leave_nowhere_to_search() -> None:
    rnn: Any = nn.RNN(1, 2, nonlinearity="relu", bias=False)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(1e30 * torch.eye(2))
        rnn.weight_ih_l0.fill_(1e38)
    inputs = torch.full((10, 20, 1), 100.0)
    inputs[:, 10:] = -1  # these stay at 0
    assert fixed_points(rnn, inputs, u=0, generator=0).starts > 0
    with pytest.raises(FloatingPointError, match="no state that the sequences lead to is finite, so there is nowhere"):
        fixed_points(rnn, inputs[:, :10], u=0, generator=0)
