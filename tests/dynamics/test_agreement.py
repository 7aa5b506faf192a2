"""A module is taken for what it is known as only where it does that."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from devices import here
from torch import Tensor, nn

from multistable import attractors, fixed_points, measure, warmup
from multistable.dynamics import record, register, registry, stacks
from multistable.nn import GRU, DoubleLayer

pytestmark = pytest.mark.usefixtures("device")

I, H, N, T = 2, 3, 6, 4


def inputs() -> Tensor:
    return here(torch.randn(T, N, I, generator=torch.Generator().manual_seed(0)))


class HalfCell(nn.GRUCell):
    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        after: Tensor = super().forward(input, hx)
        return after / 2


class OtherLSTMCell(nn.LSTMCell):
    def forward(self, input: Any, hx: Any = None) -> Any:
        h, c = super().forward(input, hx)
        return h, 0.9 * c


class Residual(nn.GRU):
    def forward(self, input: Any, hx: Any = None) -> Any:
        outputs, h = super().forward(input, hx)
        return outputs, h + 0.1


class Reset(nn.GRU):
    """Only from a state given is it another map."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return super().forward(input, None)


class OurOwn(GRU):
    def forward(self, input: Any, hx: Any = None) -> Any:
        outputs, h = super().forward(input, hx)
        return outputs, -h


class OurDouble(DoubleLayer):
    def forward(self, input: Any, hx: Any = None) -> Any:
        outputs, h = super().forward(input, hx)
        return outputs, type(h)(each(one) for one in h) if isinstance(h, tuple | list) else -h


def each(state: Any) -> Any:
    return -state if isinstance(state, Tensor) else type(state)(each(one) for one in state)


class Noisy(nn.GRUCell):
    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        after: Tensor = super().forward(input, hx)
        return after + torch.randn_like(after)


@pytest.mark.parametrize(("module", "known"), [
    (HalfCell(I, H), "GRUCell"), (OtherLSTMCell(I, H), "LSTMCell"), (Residual(I, H), "GRU"), (Reset(I, H, 2), "GRU"),
    (OurOwn(I, H), "GRU"), (Noisy(I, H), "GRUCell"), (Residual(I, H, bidirectional=True, batch_first=True), "GRU"),
    (OurDouble(nn.GRU, I, 2 * H), "DoubleLayer"),
], ids=lambda one: one if isinstance(one, str) else type(one).__name__)  # fmt: skip
def test_a_subclass_that_does_something_else_is_refused(module: nn.Module, known: str) -> None:
    name = type(module).__name__
    message = (
        rf"^{name} overrides forward of {known} and does something else: states differ by .* after the same inputs; "
        rf"multistable\.dynamics\.register\({name}, step\) says what its step is$"
    )
    before = {key: value.clone() for key, value in here(module).state_dict().items()}
    for call in (measure, attractors, fixed_points, warmup):
        with pytest.raises(ValueError, match=message):
            call(module, inputs())
        with pytest.raises(ValueError, match=message):
            call(nn.Sequential(module), inputs()[0])
    states = torch.zeros(2, sum(p.state_size for p in registry.dynamics(module)))
    with pytest.raises(ValueError, match=message):
        attractors(module, states=states)
    assert module.training and all(torch.equal(before[key], value) for key, value in module.state_dict().items())


class Renamed(nn.GRU):
    def forward(self, seen: Any, hx: Any = None) -> Any:
        return super().forward(seen, hx)


class Passing(nn.LSTM):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)


class Normed(nn.GRU):
    """What it makes of its states is its own affair."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        outputs, h = super().forward(input, hx)
        return outputs / 2, h


class Stateless(nn.GRUCell):
    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        after: Tensor = super().forward(input)
        return after


@pytest.mark.parametrize("module", [
    Renamed(I, H, 2, bidirectional=True), Passing(I, H, batch_first=True), Normed(I, H), Stateless(I, H),
    nn.utils.parametrizations.weight_norm(nn.GRU(I, H), "weight_hh_l0"), DoubleLayer(nn.GRU, I, 2 * H),
    Renamed(I, H).double(),
], ids=lambda one: type(one).__name__)  # fmt: skip
def test_a_subclass_that_does_the_same_is_taken(module: nn.Module) -> None:
    dtype = next(module.parameters()).dtype
    assert measure(here(module), inputs().to(dtype), horizon=2, generator=0).n > 1


class WithLengths(nn.GRU):
    def forward(self, input: Any, lengths: Any) -> Any:  # type: ignore[override]
        return super().forward(nn.utils.rnn.pack_padded_sequence(input, lengths))


class OtherName(nn.GRUCell):
    def forward(self, input: Tensor, h: Tensor | None = None) -> Tensor:
        after: Tensor = super().forward(input, h)
        return after


class Masked(nn.GRUCell):
    def forward(self, input: Tensor, mask: Tensor | None = None) -> Tensor:
        after: Tensor = super().forward(input if mask is None else input * mask[:, :I])
        return after


def test_a_state_by_another_name_would_not_be_recorded() -> None:
    message = "^OtherName must call the state of its forward 'hx', as GRUCell does, got 'h'$"
    with pytest.raises(TypeError, match=message):
        measure(here(OtherName(I, H)), inputs())
    assert measure(here(Masked(I, H)), inputs(), horizon=2, generator=0).n == N


class OutputsAlone(nn.GRU):
    def forward(self, input: Any, hx: Any = None) -> Any:
        outputs, _ = super().forward(input, hx)
        return outputs[0, 0, 0]


@pytest.mark.parametrize(("module", "reason"), [
    (WithLengths(I, H), "WithLengths.forward\\(\\) missing 1 required positional argument: 'lengths'"),
    (OutputsAlone(I, H), "no state among what it returns"),
], ids=["with lengths", "outputs alone"])  # fmt: skip
def test_a_subclass_that_is_called_otherwise_is_refused(module: nn.Module, reason: str) -> None:
    name = type(module).__name__
    message = (
        rf"^{name} overrides forward of GRU and can't be called as that: .*{reason}; hold a GRU in a module instead of "
        rf"deriving from it, or multistable\.dynamics\.register\({name}, step\) says what its step is$"
    )
    with pytest.raises(TypeError, match=message):
        measure(here(module), inputs())


class Cell(nn.Module):
    """A leaky cell; `returns` says in what form it returns its state."""

    def __init__(self, returns: str = "state", leak: float = 0.5) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.returns, self.leak = I, H, returns, leak
        self.mix = nn.Linear(I + H, H)

    def next(self, s: Tensor, u: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.cat([u, s], -1)).tanh()
        return (1 - self.leak) * s + self.leak * mixed


class StepCell(Cell):
    def forward(self, u: Tensor, s: Any = None) -> Any:
        if isinstance(s, tuple):
            s = torch.cat(s, -1)
        after = self.next(u.new_zeros(len(u), H) if s is None else s, u)
        forms = {
            "state": after, "both": (after.sum(-1), after), "state first": (after, after.sum(-1)),
            "tuple": (after[:, :1], after[:, 1:]), "none": after.sum(-1),
        }  # fmt: skip
        return forms[self.returns]


class NeedsState(Cell):
    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return self.next(s, u)


class NeedsMore(Cell):
    def forward(self, u: Tensor, s: Tensor, mask: Tensor) -> Tensor:
        return self.next(s, u) * mask


class DrawsAtRandom(Cell):
    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        after = self.next(s, u)
        return after + 0.1 * torch.randn_like(after)


class OverTime(Cell):
    start = 0.0

    def forward(self, inputs: Tensor, s: Any = None) -> Any:
        over_time = inputs if self.returns == "time_first" else inputs.transpose(0, 1)
        s = inputs.new_full((over_time.shape[1], H), self.start) if s is None else s
        outputs = torch.stack([s := self.next(s, u) for u in over_time])
        return (outputs if self.returns == "time_first" else outputs.transpose(0, 1)), s


class FromOnes(OverTime):
    start = 1.0


class AsTorchs(OverTime):
    def forward(self, inputs: Tensor, s: Any = None) -> Any:
        outputs, after = super().forward(inputs, None if s is None else s[0])
        return outputs, after[None]


class StateAndOutput(Cell):
    def forward(self, u: Tensor, s: Tensor) -> Any:
        after = self.next(s, u)
        return after, after.flip(-1)


class Star(Cell):
    def forward(self, *args: Any) -> Tensor:
        u, s = args
        return self.next(s, u)


@pytest.fixture
def _forgotten() -> Iterator[None]:
    known = dict(registry._ADAPTERS)
    yield
    registry._ADAPTERS.clear()
    registry._ADAPTERS.update(known)


def right(cell: Any, s: Tensor, u: Tensor) -> Tensor:
    return cell.next(s, u)  # type: ignore[no-any-return]


def wrong(cell: Any, s: Tensor, u: Tensor) -> Tensor:
    return right(cell, s, u) + 0.5 * s


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(("cell", "layout"), [
    *((StepCell(form), "step") for form in ("state", "both", "state first", "tuple")), (NeedsState(), "step"),
    (StateAndOutput(), "step"), (Star(), "step"), (AsTorchs("time_first"), "time_first"),
    (OverTime("time_first"), "time_first"), (OverTime("batch_first"), "batch_first"), (StepCell().double(), "step"),
], ids=lambda one: one if isinstance(one, str) else type(one).__name__ + one.returns)  # fmt: skip
def test_a_registered_step_is_held_to_its_forward(cell: Cell, layout: Any) -> None:
    given = inputs().to(cell.mix.weight.dtype)
    register(type(cell), right, layout=layout)
    measure(here(cell), given, horizon=2, generator=0)
    register(type(cell), wrong, layout=layout)
    message = f"^step of {type(cell).__name__} must do what its forward does, got states that differ by .* after the"
    with pytest.raises(ValueError, match=message):
        measure(cell, given, horizon=2, generator=0)


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(
    "cell", [NeedsMore(), DrawsAtRandom(), StepCell("none"), Cell()], ids=lambda one: type(one).__name__
)
def test_what_cannot_be_compared_is_taken_on_trust(cell: Cell) -> None:
    register(type(cell), wrong)
    assert measure(here(cell), inputs(), horizon=2, generator=0).n == N


@pytest.mark.usefixtures("_forgotten")
def test_looking_goes_past_hooks_and_leaves_no_trace() -> None:
    cell = here(NeedsState())
    register(NeedsState, right)
    seen: list[Any] = []
    cell.register_forward_hook(lambda *call: seen.append(call))
    rng = torch.get_rng_state()
    measure(cell, inputs(), horizon=2, generator=0)
    assert seen == [] and torch.equal(rng, torch.get_rng_state())


def test_a_type_that_keeps_its_forward_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(*args: Any) -> None:
        raise AssertionError("called")

    monkeypatch.setattr(nn.GRU, "forward", forward)
    assert measure(here(nn.GRU(I, H)), inputs(), horizon=2, generator=0).n == N


class Clamped(nn.GRU):
    """Another map only where inputs are large."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return super().forward(input.clamp(-5, 5), hx)


class Tired(nn.LSTMCell):
    """Another map only where its state is large."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        h, c = super().forward(input, hx)
        return h, c.clamp(-2, 2)


class OverSteps(nn.Module):
    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        state = None
        for u in inputs:
            state = self.cell(u, state)
        assert state is not None
        last: Tensor = state[0] if isinstance(state, tuple) else state
        return last


def tired() -> nn.LSTMCell:
    cell = Tired(I, H)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.weight_hh.zero_()
        cell.bias_ih.fill_(3.0)  # c rises by almost 1 a step, and soon above what random states have
        cell.bias_hh.zero_()
        cell.bias_ih[H : 2 * H] = 20.0
        cell.weight_ih[2 * H : 3 * H] = 1.0
        cell.bias_ih[2 * H : 3 * H] = 0.0
    return cell


@pytest.mark.parametrize(("module", "given"), [
    (Clamped(I, H), 10 * inputs()), (nn.Sequential(Clamped(I, H)), 10 * inputs()),
    (Clamped(I, H, bidirectional=True), 10 * inputs()), (tired(), 10 * inputs().abs()),
    (OverSteps(tired()), 10 * inputs().abs()),
], ids=["layer", "model", "bidirectional", "cell", "cell in a model"])  # fmt: skip
def test_a_subclass_is_compared_on_what_it_is_given(module: nn.Module, given: Tensor) -> None:
    measure(here(module), 0.01 * given, horizon=2, generator=0)
    for call in (measure, attractors, warmup):
        with pytest.raises(ValueError, match="overrides forward of .* and does something else: states differ by"):
            call(module, given)


@pytest.mark.usefixtures("_forgotten")
def test_a_step_is_compared_on_what_a_model_gives_it() -> None:
    def bounded(cell: Any, s: Tensor, u: Tensor) -> Tensor:
        return right(cell, s, u.clamp(-5, 5))

    register(StepCell, bounded)
    model = here(OverSteps(StepCell()))
    measure(model, inputs(), horizon=2, generator=0)
    with pytest.raises(ValueError, match="^step of StepCell must do what its forward does, got states that differ by"):
        measure(model, 20 * inputs())


@pytest.mark.usefixtures("_forgotten")
def test_a_start_that_only_the_module_knows_must_be_passed() -> None:
    register(FromOnes, right, layout="time_first")
    module = here(FromOnes("time_first"))
    message = (
        "^step of FromOnes must do what its forward does, got states that differ by .* after the same inputs, from "
        "zeros as it was passed no state: one that it starts from must be passed$"
    )
    for model in (module, nn.Sequential(module)):
        with pytest.raises(ValueError, match=message):
            measure(model, inputs())

    class Passing(OverSteps):
        def forward(self, inputs: Tensor) -> Tensor:
            outputs, _ = self.cell(inputs, inputs.new_ones(inputs.shape[1], H))
            return outputs  # type: ignore[no-any-return]

    assert measure(here(Passing(module)), inputs(), horizon=2, generator=0).n == N


class Steps(OverSteps):
    """Passes the first state, too, and by place."""

    def forward(self, inputs: Tensor) -> Tensor:
        state = inputs.new_zeros(inputs.shape[1], H)
        for u in inputs:
            state = self.cell(u, state)
            state = state[0] if isinstance(state, tuple) else state
        return state


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("kind", [StateAndOutput, Star, NeedsState], ids=lambda one: one.__name__)
def test_calls_are_joined_whatever_their_form(kind: type[Cell]) -> None:
    register(kind, right)
    model = here(Steps(kind()))
    (received,) = record(model, stacks(model), inputs(), torch.Generator(), first=True)
    assert received.inputs.shape == (T, N, I)
    assert measure(model, inputs(), horizon=2, generator=0).n == N


class Logged(nn.GRUCell):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)


def test_arguments_that_are_passed_on_are_read() -> None:
    plain, logged = nn.GRUCell(I, H), Logged(I, H)
    logged.load_state_dict(plain.state_dict())
    wrapped, forward = nn.GRUCell(I, H), nn.GRUCell.forward
    wrapped.load_state_dict(plain.state_dict())
    wrapped.forward = lambda *a, **k: forward(wrapped, *a, **k)  # type: ignore[method-assign]
    plain_result, *others = (
        measure(here(Steps(cell)), inputs(), horizon=2, generator=0) for cell in (plain, logged, wrapped)
    )
    assert all(other == plain_result for other in others)


@pytest.mark.parametrize("leak", [1e-3, 1e-4])
def test_a_leak_that_decides_what_is_remembered_is_seen(leak: float) -> None:
    class Leaking(nn.RNNCell):
        def forward(self, input: Any, hx: Any = None) -> Any:
            return (1 - leak) * super().forward(input, hx)

    if inputs().device.type == "cpu":  # elsewhere products may be no better than that
        with pytest.raises(ValueError, match="^Leaking overrides forward of RNNCell and does something else"):
            measure(Leaking(I, H), inputs())


@pytest.mark.parametrize("gain", [6, 12])
def test_a_hook_that_only_looks_changes_nothing_however_sensitive_the_network(gain: float) -> None:
    """After a cue and a silence: noise on inputs that are 0 would not show how rounding grows."""
    cued = torch.randn(200, 8, I, generator=torch.Generator().manual_seed(1))
    cued[20:] = 0
    torch.manual_seed(3)
    gru = nn.GRU(I, 16)
    gru.get_parameter("weight_hh_l0").data.mul_(gain)
    model = here(nn.Sequential(gru))
    before = measure(model, here(cued), horizon=2, generator=0)
    gru.register_forward_hook(lambda module, args, output: None)
    assert measure(model, here(cued), horizon=2, generator=0) == before

    class ByHand(nn.RNN):
        def forward(self, input: Any, hx: Any = None) -> Any:
            w, v, b, c = self.parameters()
            h, outputs = input.new_zeros(input.shape[1], 16) if hx is None else hx[0], []
            for u in input:
                h = (u @ w.T + b + (h @ v.T + c)).tanh()
                outputs.append(h)
            return torch.stack(outputs), h[None]

    by_hand = ByHand(I, 16)
    by_hand.get_parameter("weight_hh_l0").data.mul_(gain)
    assert measure(here(nn.Sequential(by_hand)), here(cued), horizon=2, generator=0).n == 8


@pytest.mark.usefixtures("_forgotten")
def test_what_trying_leaves_behind_is_put_back() -> None:
    class WithMask(Cell):
        """A mask for each sequence, which the model forgets at its end."""

        mask: Tensor | None = None

        def forward(self, u: Tensor, s: Tensor) -> Tensor:
            if self.mask is None:
                self.mask = torch.ones_like(s)
            return self.next(s, u) * self.mask

    class Model(Steps):
        def forward(self, inputs: Tensor) -> Tensor:
            state = super().forward(inputs)
            setattr(self.cell, "mask", None)  # noqa: B010
            return state

    register(WithMask, right)
    assert measure(here(Model(WithMask())), inputs(), horizon=2, generator=0).n == N


@pytest.mark.parametrize("of", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_weights_that_a_hook_computes_are_fresh(of: Any) -> None:
    trained, fresh = (here(of(Renamed(I, H), "weight_hh_l0")).eval() for _ in range(2))
    fresh.load_state_dict(trained.state_dict())
    assert measure(fresh, inputs(), horizon=2, generator=0).n == N


@pytest.mark.usefixtures("_forgotten")
def test_hooks_of_a_registered_type_are_heard_too() -> None:
    register(NeedsState, right)
    model, cell = Steps(NeedsState()), NeedsState()
    model.cell = here(cell)
    handle = cell.register_forward_hook(lambda module, args, output: -output)
    with pytest.raises(ValueError, match="^forward hooks of 'cell' .NeedsState. must not change its state, got states"):
        measure(model, inputs())
    handle.remove()
    cell.register_forward_hook(lambda module, args, output: None)
    assert measure(model, inputs(), horizon=2, generator=0).n == N


def test_hooks_of_all_modules_are_heard_too() -> None:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        return -output if isinstance(module, nn.GRUCell) else None

    handle = nn.modules.module.register_module_forward_hook(hook)
    try:
        with pytest.raises(ValueError, match="^forward hooks of 'cell' .GRUCell. must not change its state"):
            measure(here(OverSteps(nn.GRUCell(I, H))), inputs())
    finally:
        handle.remove()


@pytest.mark.usefixtures("_forgotten")
def test_what_a_step_raises_is_not_blamed_on_the_batch() -> None:
    def missing(cell: Any, s: Tensor, u: Tensor) -> Tensor:
        return cell.nothing(u)  # type: ignore[no-any-return]

    register(NeedsState, missing)
    with pytest.raises(AttributeError, match="'NeedsState' object has no attribute 'nothing'$"):
        measure(here(Steps(NeedsState())), inputs())


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("cell", [DrawsAtRandom(), StepCell("none")], ids=lambda one: type(one).__name__)
def test_what_cannot_be_compared_in_a_model_is_taken_on_trust(cell: Cell) -> None:
    class Once(OverSteps):
        def forward(self, inputs: Tensor) -> Tensor:
            after: Tensor = self.cell(inputs[0], inputs.new_ones(inputs.shape[1], H))
            return after

    register(type(cell), wrong)
    assert measure(here(Once(cell)), inputs(), horizon=2, generator=0).n == N


@pytest.mark.usefixtures("_forgotten")
def test_a_step_may_call_the_module() -> None:
    register(NeedsState, lambda cell, s, u: cell(u, s))
    cell = here(NeedsState())

    class Model(OverSteps):
        def forward(self, inputs: Tensor) -> Tensor:
            state = inputs.new_zeros(inputs.shape[1], H)
            for u in inputs:
                state = self.cell(u, state)
            return state

    found = measure(here(Model(cell)), inputs(), horizon=2, generator=0)
    register(NeedsState, right)
    assert found == measure(here(Model(cell)), inputs(), horizon=2, generator=0)


def halved(module: nn.Module, args: Any, output: Any) -> Any:
    return (output[0], output[1] / 2) if isinstance(output, tuple) else output / 2


def noisy(module: nn.Module, args: Any, output: Any) -> Any:
    return output + torch.randn_like(output)


def outputs_alone(module: nn.Module, args: Any, output: Any) -> Any:
    return (output[0] / 2, output[1]) if isinstance(output, tuple) else None


@pytest.mark.parametrize(
    ("cell", "hook"), [(nn.GRU(I, H), halved), (nn.GRUCell(I, H), halved), (nn.GRUCell(I, H), noisy)]
)
def test_hooks_that_change_a_state_are_no_part_of_the_map(cell: nn.Module, hook: Any) -> None:
    model = here(nn.Sequential(cell) if isinstance(cell, nn.GRU) else OverSteps(cell))
    handle = cell.register_forward_hook(hook)
    kind, name = type(cell).__name__, "0" if isinstance(cell, nn.GRU) else "cell"
    with pytest.raises(
        ValueError,
        match=rf"^forward hooks of '{name}' \({kind}\) must not change its state, got states that differ by .* from "
        "those without them: they are no part of the map that is looked at$",
    ):
        measure(model, inputs())
    handle.remove()
    cell.register_forward_hook(outputs_alone)
    cell.register_forward_pre_hook(lambda module, args: (2 * args[0], *args[1:]))  # what it receives is its inputs
    assert measure(model, inputs(), horizon=2, generator=0).n == N


def test_dropout_that_a_model_leaves_on_is_no_fault_of_hooks() -> None:
    class Left(nn.Sequential):
        def forward(self, inputs: Tensor) -> Any:
            self[0].train()
            return self[0](inputs)

    gru = here(nn.GRU(I, H, 2, dropout=0.5))
    gru.register_forward_hook(lambda module, args, output: None)
    assert measure(Left(gru), inputs(), horizon=2, generator=0).n == N


def test_nan_is_no_agreement() -> None:
    class Broken(nn.GRU):
        def forward(self, input: Any, hx: Any = None) -> Any:
            outputs, h = super().forward(input, hx)
            return outputs, h / 0 * 0

    with pytest.raises(
        ValueError, match="^Broken overrides forward of GRU and does something else: states differ by nan"
    ):
        measure(here(Broken(I, H)), inputs())


def test_rounding_that_grows_over_a_long_sequence_is_no_disagreement() -> None:
    class Chaotic(nn.RNN):
        def forward(self, input: Any, hx: Any = None) -> Any:
            return super().forward(input * (1 + 2e-7), hx)

    chaotic = Chaotic(I, 64)
    chaotic.load_state_dict({name: 4 * value for name, value in chaotic.state_dict().items()})
    long = here(torch.randn(300, N, I, generator=torch.Generator().manual_seed(1)))
    assert measure(nn.Sequential(here(chaotic)), long, horizon=2, generator=0).n == N
