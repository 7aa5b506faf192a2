"""The steps of a warmup: how long layers are held, what is drawn, and what is done with a batch that is no use."""

import inspect
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from problems import Written
from torch import Tensor, nn

from multistable import warmup
from multistable._measure import Multistability, measure
from multistable._measure.selection import trainable
from multistable._warmup import WarmupHistory
from multistable._warmup.conclusion import conclude
from multistable._warmup.contraction import growth_rate
from multistable._warmup.descent import _hold_apart
from multistable._warmup.saturation import Saturation
from multistable.dynamics import dynamics, stacks

F64 = torch.float64
SEQUENCES = torch.randn(6, 40, 1, generator=torch.Generator().manual_seed(0))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("steps", "held"), [(200, 12), (13, 13), (14, 7), (26, 13), (27, 13), (28, 7), (1, 1)])
def test_states_that_coincide_are_held_for_half_as_long_again_and_again(steps: int, held: int) -> None:
    """1 and 0 halved at every step are more than 1e-4 apart for 13 steps."""
    s = torch.tensor([[0.0], [1.0]], dtype=F64)
    found = _hold_apart(Written(lambda s: s / 2, 1), s, torch.zeros(1, dtype=F64), steps, 1e-4)
    assert found.steps == held
    assert torch.equal(found.states, s / 2**held)


def test_one_step_is_the_least() -> None:
    s = torch.tensor([[0.0], [1.0]], dtype=F64)
    found = _hold_apart(Written(lambda s: 0 * s, 1), s, torch.zeros(1, dtype=F64), 20, 1e-4)
    assert found.steps == 1 and found.vaa_star.item() == pytest.approx(0.5)


def test_a_few_states_apart_from_many_do_not_coincide() -> None:
    """Of 1,000 states one that is barely apart counts."""
    s = torch.zeros(1_000, 1, dtype=F64)
    s[0] = 1.5e-4
    found = _hold_apart(Written(lambda s: s, 1), s, torch.zeros(1, dtype=F64), 8, 1e-4)
    assert found.steps == 8


def test_only_the_batch_after_one_that_collapsed_is_run_to_its_end() -> None:
    """All sequences begin alike, so that prefixes of one step lead to one state, and whole sequences to many."""
    torch.manual_seed(0)
    sequences = SEQUENCES.clone()
    sequences[0] = 1
    history = warmup(nn.GRU(1, 4), sequences, steps=6, max_prefix=1, horizon=3, generator=0).history
    assert [norm > 0 for norm in history.grad_norm] == [False, True] * 3


def test_a_parameter_that_two_layers_share_is_trained_once() -> None:
    first, second = nn.GRU(1, 1), nn.GRU(1, 1)
    second.weight_hh_l0, second.bias_hh_l0 = first.weight_hh_l0, first.bias_hh_l0
    first.bias_ih_l0.requires_grad_(False)
    found = trainable([*dynamics(first), *dynamics(second)])
    expected = [first.weight_ih_l0, first.weight_hh_l0, first.bias_hh_l0, second.weight_ih_l0, second.bias_ih_l0]
    assert len(found) == 5 and all(any(one is other for other in expected) for one in found)


def test_the_defaults_are_those_of_the_documentation() -> None:
    parameters = inspect.signature(warmup).parameters
    expected = {"objective": "vaa_star", "steps": 100, "lr": 0.01, "target": 0.95, "horizon": 200}
    expected |= {"horizon_increment": 10, "tol": 1e-4, "batch_size": 32, "max_prefix": 30, "layers": None}
    assert {name: parameters[name].default for name in expected} == expected


def test_horizons_are_uniform_up_to_a_bound_that_grows() -> None:
    history = warmup(nn.GRU(1, 2), SEQUENCES, steps=40, horizon=3, horizon_increment=1, generator=0).history
    used = [steps for (steps,) in history.horizon]
    assert used[0] == 1 and used[1] in (1, 2)
    # A value that is missing from 38 draws of three would have a chance of 10^-6.
    assert set(used[2:]) == {1, 2, 3}


def test_a_step_moves_parameters_by_the_learning_rate_at_most() -> None:
    """Adam's first step is the learning rate times g / (|g| + 1e-8)."""
    torch.manual_seed(0)
    module = nn.GRU(1, 4, dtype=F64)
    before = [parameter.clone() for parameter in module.parameters()]
    warmup(module, SEQUENCES.double(), steps=1, generator=0)
    moved = [(now - then).abs().max().item() for now, then in zip(module.parameters(), before, strict=True)]
    assert max(moved) == pytest.approx(0.01, rel=1e-4) and all(0 < one < 0.01 for one in moved)


def test_what_a_function_is_asked_for() -> None:
    """Batches to measure on, of 32 sequences each, and then one for every step."""
    asked: list[int] = []

    def source(batch_size: int, generator: torch.Generator) -> Tensor:
        asked.append(batch_size)
        return torch.randn(3, batch_size, 1, generator=generator)

    result = warmup(nn.GRU(1, 2), source, steps=3, batch_size=30, horizon=2, generator=0)
    assert asked[-3:] == [30] * 3 and set(asked[:-3]) == {32}
    assert result.before.n == result.after.n == 32 and result.before.tol == result.after.tol == 1e-4
    assert result.before.horizon == result.after.horizon == 20


@pytest.mark.parametrize(("size", "measured"), [(15, 3), (16, 2), (20, 2)])
def test_an_iterator_is_measured_on_from_its_beginning(size: int, measured: int) -> None:
    """As few batches as hold 32 sequences, and one for every step."""
    taken = 0

    def source() -> Iterator[Tensor]:
        nonlocal taken
        while True:
            taken += 1
            yield torch.randn(3, size, 1)

    result = warmup(nn.GRU(1, 2), source(), steps=2, batch_size=size, horizon=2, generator=0)
    assert taken == measured + 2 and result.before.n == 32


def test_batches_of_one_sequence_are_passed_over() -> None:
    one, some = SEQUENCES[:, :1], SEQUENCES[:, :9]
    result = warmup(nn.GRU(1, 2), [some, *[one] * 9], steps=4, batch_size=9, horizon=2, generator=0)
    assert len(result.history.loss) == 4
    with pytest.raises(ValueError, match="^inputs must hold at least two sequences in a batch, got 10 batches in a ro"):
        warmup(nn.GRU(1, 2), [some, *[one] * 10], steps=4, batch_size=9, horizon=2, generator=0)


@pytest.mark.parametrize(("batches", "done"), [(5, 1), (6, 2), (4, 0)])
def test_what_runs_out_says_when(batches: int, done: int) -> None:
    """Four batches of nine make 32 sequences, and more."""
    source = iter([SEQUENCES[:, :9]] * batches)
    with pytest.raises(RuntimeError, match=f"^inputs ran out after {done} of 5 steps"):
        warmup(nn.GRU(1, 2), source, steps=5, batch_size=9, horizon=2, generator=0)


@pytest.fixture(scope="module")
def some_measure() -> Multistability:
    return measure(nn.GRU(1, 2), SEQUENCES, horizon=2, generator=0)


@pytest.mark.parametrize(("vaa", "lowest", "status"), [
    (0.73, 0.73, "reached"), (0.71, 0.9, "below target"), (0.9, 0.71, "below target"),
])  # fmt: skip
def test_nine_tenths_of_the_target_will_do(
    some_measure: Multistability, vaa: float, lowest: float, status: str
) -> None:
    after = replace(some_measure, vaa=vaa, at_rest=1.0)
    stars = ((0.0, 0.0),) * 20 + ((1.0, lowest),) * 10  # what counts are the last ten
    history = WarmupHistory(("l0", "l1"), stars, (0.1,) * 30, ((1, 1),) * 30, (1.0,) * 30)
    found, message = conclude(some_measure, after, history, 0.8, 1.0, Saturation(0.0, ""), max_prefix=30)
    assert found == status
    assert ("merge later" in message) == (vaa == 0.71) and ("'l1'" in message) == (lowest == 0.71)


@pytest.mark.parametrize("factors", [(0.8, 0.79), (0.5, -0.52), (1.01, 0.99)])
def test_growth_is_seen_over_20_steps_after_30(factors: tuple[float, float]) -> None:
    """In a linear map a displacement is known at each step."""
    diagonal, rest = torch.tensor(factors, dtype=F64), torch.tensor([1.0, -2.0], dtype=F64)
    layer = Written(lambda s: rest + diagonal * (s - rest), 2)
    found = growth_rate(layer, rest.expand(6, 2), torch.zeros(1), seeded())
    drawn = torch.randn(6, 2, generator=seeded(), dtype=F64)
    grown = (diagonal**50 * drawn).norm(dim=1) / (diagonal**30 * drawn).norm(dim=1)
    # A share of 1e-6 of the length is added, so that what vanishes has a logarithm. Beside states of 2, displacements
    # of 2e-3 / 2^20 are known to one in 10^7.
    torch.testing.assert_close(found, (grown + 1e-6).log() / 20, rtol=0, atol=1e-7)


def test_growth_of_large_states_in_single_precision() -> None:
    """At 1e6, where numbers are 0.06 apart, displacements are of 1e3."""
    rest = 1e6
    found = growth_rate(
        Written(lambda s: rest + 0.8 * (s - rest), 1), torch.full((5, 1), rest), torch.zeros(1), seeded()
    )
    # 1e3 shrinks to 1e3 * 0.8^20 = 11.5, rounded by half of 0.06 in each of 20 steps, of which 0.2 stays in the end.
    assert (found - math.log(0.8)).abs().max() < 0.03 / 0.2 / 11.5 / 20


def test_growth_is_that_of_small_displacements() -> None:
    """In s' = s - s^3 / 2 a displacement of 1e-3 from zero loses a share of less than 1e-6 a step."""
    found = growth_rate(Written(lambda s: s - s**3 / 2, 1), torch.zeros(5, 1, dtype=F64), torch.zeros(1), seeded())
    assert -1e-6 < found.min() <= found.max() < 1e-7


def test_stacks_that_share_a_batch_are_warmed_up_together() -> None:
    """Both layers of a stack descend, each on its own states."""
    module = nn.GRU(1, 3, num_layers=2)
    (stack,) = stacks(module)
    result = warmup(module, SEQUENCES, steps=2, horizon=4, generator=0)
    assert result.history.layers == tuple(part.name for part in stack.parts)
    (first, second), *_ = result.history.vaa_star
    assert first != second
    assert result.history.loss[0] == pytest.approx(((first - 0.95) ** 2 + (second - 0.95) ** 2) / 2)


def test_an_objective_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"^objective must be 'vaa_star' or 'contraction', got 'vaa'$"):
        warmup(nn.GRU(1, 3), SEQUENCES, objective="vaa")  # type: ignore[arg-type]
