"""What `register` can be told: what is observed, which parameters count, and how calls are read."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistable import attractors, measure, warmup
from multistable.dynamics import dynamics, record, register, registry, stacks


@pytest.fixture(autouse=True)
def _afterwards_no_type_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ADAPTERS", dict(registry._ADAPTERS))


class Leaky(nn.Module):
    """s' = s / 2 + A u."""

    def __init__(self, hidden_size: int = 4) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 2, hidden_size
        self.drive = nn.Linear(2, 4, bias=False, dtype=torch.float64)

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return leaky_step(self, s, u)


def leaky_step(module: Leaky, s: Tensor, u: Tensor) -> Tensor:
    return s / 2 + F.linear(u, module.drive.weight)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


# A counter beside the state: it says nothing, and drowns what does.


class Counted(Leaky):
    """s' = s / 2 + A u in the first entries, and the number of steps in the last."""

    def __init__(self) -> None:
        super().__init__(5)


def counted_step(module: Counted, s: Tensor, u: Tensor) -> Tensor:
    return torch.cat([s[:, :4] / 2 + module.drive(u), s[:, 4:] + 1], -1)


def test_states_are_told_apart_by_what_is_observed() -> None:
    inputs = [random(length, 2) for length in range(3, 23)]  # all come to different counts
    register(Counted, counted_step)
    assert measure(Counted(), inputs, horizon=100, generator=0).vaa > 6 / 20
    register(Counted, counted_step, observe=lambda module, s: s[:, :4])
    module = Counted()
    found = measure(module, inputs, horizon=100, generator=0)
    assert found.vaa == found.per_layer[0].vaa == 1 / 20
    assert found.states.shape == (20, 5) and found.residual == 1  # both of the whole state
    # No state is at rest, whatever is observed of it; VAA is that of what is.
    whole = attractors(module, inputs, u=0, generator=0)
    assert (whole.count, whole.shares["equilibrium"]) == (0, 0)
    assert whole.trace.vaa[-1] == 1 / 20


def test_a_warmup_is_on_what_is_observed() -> None:
    register(Counted, counted_step, observe=lambda module, s: 0 * s[:, :4])
    result = warmup(Counted(), [random(length, 2) for length in range(3, 23)], steps=1, horizon=3, generator=0)
    assert result.history.vaa_star[0] == pytest.approx([1 / 20], abs=1e-3)


@pytest.mark.parametrize(("observe", "error", "message"), [
    (lambda module, s: None, TypeError, "must return a floating-point tensor, got NoneType"),
    (lambda module, s: s > 0, TypeError, r"must return a floating-point tensor, got torch\.bool"),
    (lambda module, s: s[:, 0], ValueError, r"must return shape \(3, P\), got \(3,\)"),
    (lambda module, s: s[:2], ValueError, r"must return shape \(3, P\), got \(2, 4\)"),
])  # fmt: skip
def test_what_cannot_be_observed(observe: Any, error: type[Exception], message: str) -> None:
    register(Leaky, leaky_step, observe=observe)
    with pytest.raises(error, match=rf"^observe of {__name__}\.Leaky {message}$"):
        dynamics(Leaky())[0].observe(random(3, 4))


# Parameters that live elsewhere: the cell's weights are another module's.


class Borrower(nn.Module):
    """s' = s / 2 + A u, where A is the lender's."""

    def __init__(self, lender: nn.Linear) -> None:
        super().__init__()
        self.input_size, self.hidden_size = lender.in_features, lender.out_features
        self.lender = [lender]

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return s / 2 + F.linear(u, self.lender[0].weight, self.lender[0].bias)


def test_parameters_that_live_elsewhere() -> None:
    register(Borrower, lambda module, s, u: module(u, s), parameters=lambda module: list(module.lender[0].parameters()))
    lender = nn.Linear(2, 4)
    (layer,) = dynamics(Borrower(lender))
    assert [id(one) for one in layer.parameters()] == [id(one) for one in lender.parameters()]
    module = Borrower(lender)
    inputs = random(5, 20, 2).float()
    found = attractors(module, inputs, generator=0)
    assert found.count == 1  # at 2 A u
    with torch.no_grad():
        torch.testing.assert_close(found.attractors[0].state, 2 * lender.double()(found.u), rtol=1e-9, atol=1e-9)
    before = lender.float().weight.clone()
    warmup(module, inputs, steps=1, horizon=3, generator=0)
    assert not torch.equal(lender.weight, before)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"input_size": 2}, TypeError, "input_size must be a function of the module, got int"),
    ({"state_size": 4}, TypeError, "state_size must be a function of the module, got int"),
    ({"output_size": 4}, TypeError, "output_size must be a function or None, got int"),
    ({"state_size": lambda _: "4"}, TypeError, r"state_size of .*Borrower must be an int, got str '4'"),
    ({"output_size": lambda _: 0}, ValueError, r"output_size of .*Borrower must be at least 1, got 0"),
    ({"output_size": lambda _: 9}, ValueError, r"output_size of .*Borrower must be at most its state_size 4, got 9"),
])  # fmt: skip
def test_sizes_that_are_none(options: Any, error: type[Exception], message: str) -> None:
    def registered() -> None:
        register(Borrower, lambda module, s, u: module(u, s), **options)
        dynamics(Borrower(nn.Linear(2, 4)))

    with pytest.raises(error, match=f"^{message}$"):
        registered()


@pytest.mark.parametrize(("state", "kind"), [({"h": 1}, "dict"), ((torch.ones(1), 2), "tuple")])
def test_states_that_are_none(state: Any, kind: str) -> None:
    register(Leaky, leaky_step)
    (stack,) = stacks(nn.Sequential(Leaky()))
    with pytest.raises(TypeError, match=f"^a state must be a tensor or a tuple of tensors, got {kind}$"):
        stack.read(random(1, 2), state)


def test_parameters_that_are_none() -> None:
    register(Borrower, lambda module, s, u: module(u, s), parameters=lambda module: [module.lender[0]])
    with pytest.raises(TypeError, match=rf"^parameters of {__name__}\.Borrower must hold nn\.Parameters, got Linear$"):
        dynamics(Borrower(nn.Linear(2, 4)))
    for wrong, kind in ((None, "NoneType"), (nn.Parameter(torch.ones(2)), "Parameter")):
        register(Borrower, lambda module, s, u: module(u, s), parameters=lambda module, wrong=wrong: wrong)  # type: ignore[misc]
        with pytest.raises(
            TypeError, match=rf"^parameters of .*Borrower must return several nn\.Parameters, got {kind}$"
        ):
            dynamics(Borrower(nn.Linear(2, 4)))
    register(Borrower, lambda module, s, u: module(u, s))
    with pytest.raises(
        ValueError, match=rf"^{__name__}\.Borrower must have parameters to be seen as dynamics, got none$"
    ):
        dynamics(Borrower(nn.Linear(2, 4)))


def test_parameters_that_are_not_copied_with_the_module() -> None:
    lender = nn.Linear(2, 4)
    register(Leaky, lambda module, s, u: s / 2 + lender(u), parameters=lambda module: list(lender.parameters()))
    message = (
        rf"^parameters of '{__name__}\.Leaky' must be copied with the module, got one that is not: keep what holds it"
    )
    with pytest.raises(TypeError, match=message):
        stacks(Leaky())[0].in_float64()


# Calls with other arguments.


class LinearAttention(nn.Module):
    """S' = S / 2 + k v^T: what is attended to later. The query reads it, and leaves no trace."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.value = nn.Linear(2, 2), nn.Linear(2, 3)

    def forward(self, q: Tensor, *, k: Tensor, v: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        memory = k.new_zeros(k.shape[1], 6) if memory is None else memory
        outputs = []
        for one_q, one_k, one_v in zip(q, k, v, strict=True):
            memory = attention_step(self, memory, torch.cat([one_k, one_v], -1))
            outputs.append((one_q[:, None] @ memory.unflatten(1, (2, 3)))[:, 0])
        return torch.stack(outputs), memory


def attention_step(module: LinearAttention, s: Tensor, u: Tensor) -> Tensor:
    k: Tensor = module.key(u[:, :2])
    v: Tensor = module.value(u[:, 2:])
    return s / 2 + (k[:, :, None] * v[:, None]).flatten(1)


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = LinearAttention()

    def forward(self, x: Tensor) -> Tensor:
        first, memory = self.attention(x[:2], k=x[:2], v=2 * x[:2])
        second, _ = self.attention(x[2:], k=x[2:], v=2 * x[2:], memory=memory)
        return torch.cat([first, second])


def test_calls_are_read_as_the_user_says() -> None:
    register(
        LinearAttention, attention_step, input_size=lambda _: 4, state_size=lambda _: 6, layout="time_first",
        read=lambda module, q, *, k, v, memory=None: (torch.cat([k, v], -1), memory),
    )  # fmt: skip
    model, x = Attends(), random(7, 5, 2).float()
    (seen,) = record(model, stacks(model), x, torch.Generator())
    assert torch.equal(seen.inputs, torch.cat([x, 2 * x], -1)) and seen.state is None  # one sequence of both calls


@pytest.mark.parametrize("found", [None, random(5, 2), (1, 2, 3)])
def test_a_read_that_is_no_pair(found: Any) -> None:
    register(
        LinearAttention, attention_step, input_size=lambda _: 4, state_size=lambda _: 6, layout="time_first",
        read=lambda module, *args, **kwargs: found,
    )  # fmt: skip
    model, got = Attends(), type(found).__name__
    message = rf"^read of {__name__}\.LinearAttention must return a pair \(inputs, state\), got {got}$"
    with pytest.raises(TypeError, match=message):
        record(model, stacks(model), random(7, 5, 2).float(), torch.Generator())


@pytest.mark.parametrize("name", ["observe", "parameters", "read"])
def test_what_is_no_function(name: str) -> None:
    arguments: dict[str, Any] = {name: "s"}
    with pytest.raises(TypeError, match=f"^{name} must be a function or None, got str$"):
        register(Leaky, leaky_step, **arguments)


class Direct(nn.Module):
    """Calls its cell's `forward`, past every hook."""

    def __init__(self, cell: Leaky) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        s = inputs.new_zeros(inputs.shape[1], 4)
        for u in inputs:
            s = self.cell.forward(u, s)
        return s


@pytest.mark.parametrize("replaced", [False, True])
def test_a_cell_that_is_called_past_its_hooks(replaced: bool) -> None:
    register(Leaky, leaky_step)
    cell = Leaky()
    if replaced:
        cell.forward = lambda u, s: leaky_step(cell, s, u)  # type: ignore[method-assign]
    own, model, inputs = dict(vars(cell)), Direct(cell), random(5, 3, 2)
    (seen,) = record(model, stacks(model), inputs, torch.Generator())
    assert torch.equal(seen.inputs, inputs)
    assert vars(cell).get("forward") is own.get("forward")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        record(model, stacks(model), random(5, 3, 3), torch.Generator())
    assert vars(cell).get("forward") is own.get("forward")
