import copy
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from devices import here, randn
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, TensorDataset

from multistable import measure, vaa_star, warmup
from multistable._measure.constants import draw_constant
from multistable._measure.reach import draw_prefixes
from multistable._measure.selection import select
from multistable._utils.randomness import draw_seed
from multistable._warmup import WarmupHistory, WarmupStep
from multistable._warmup.conclusion import conclude
from multistable._warmup.descent import Descent
from multistable._warmup.saturation import Saturation
from multistable.dynamics import Sequences, register, registry, stacks
from multistable.nn import LSTM

pytestmark = pytest.mark.usefixtures("device")


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), [
    (nn.GRU, {"steps": 50, "lr": 2e-2, "max_prefix": None}),
    (nn.LSTM, {"steps": 80, "lr": 3e-2, "horizon": 100}),
])  # fmt: skip
def test_raises_vaa_from_one_attractor_to_the_target(kind: type[nn.GRU | nn.LSTM], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    result = warmup(here(kind(1, 32, num_layers=2)), randn(60, 100, 1), **options, generator=0)
    assert result.before.vaa == pytest.approx(1 / 32)
    assert result.after.vaa > 0.95
    assert result.status == "slow" and result.after.at_rest == 0


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("max_prefix", [4, None])
@pytest.mark.parametrize("horizon", [1, 6])
def test_a_step_is_adam_on_the_loss_of_the_formulas(
    kind: type[nn.GRU | nn.LSTM], max_prefix: int | None, horizon: int
) -> None:
    """Against every sequence run alone by the plain step, with the same draws in the same order."""
    torch.manual_seed(0)
    ours = here(kind(2, 5, num_layers=2, dtype=torch.float64))
    theirs = copy.deepcopy(ours)
    inputs = randn(9, 24, 2, dtype=torch.float64)

    generator = torch.Generator().manual_seed(3)
    descent = Descent(select(ours, None), 0.95, 1e-4, max_prefix, 24, generator)
    optimizer = torch.optim.Adam(ours.parameters(), lr=1e-2)
    record = descent.step([Sequences(inputs, torch.full((24,), 9))], horizon, list(ours.parameters()), optimizer)

    generator = torch.Generator().manual_seed(3)
    (stack,) = stacks(theirs)
    of_prefixes = torch.Generator().manual_seed(draw_seed(generator))
    prefixes = draw_prefixes(torch.full((24,), 9), max_prefix, of_prefixes).tolist()
    constants = [draw_constant(layer, generator) for layer in stack.parts]
    ends: list[list[Tensor]] = [[], []]
    for row, prefix in enumerate(prefixes):
        s = here(torch.zeros(1, stack.state_size, dtype=torch.float64))
        for u in inputs[:prefix, row]:
            s = stack.step(s, u[None])
        for layer, state, u, end in zip(stack.parts, stack.split(s), constants, ends, strict=True):
            for _ in range(horizon):
                state = layer.step(state, u[None])
            end.append(state)
    values = torch.stack([vaa_star(torch.cat(end)) for end in ends])
    loss = ((values - 0.95) ** 2).mean()
    loss.backward()
    torch.optim.Adam(theirs.parameters(), lr=1e-2).step()

    assert record.horizon == (horizon, horizon)
    assert record.loss == pytest.approx(loss.item(), rel=1e-12)
    assert record.vaa_star == pytest.approx(values.tolist(), rel=1e-12)
    for mine, plain in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert plain.grad is not None
        assert mine.grad is not None
        assert (mine.grad - plain.grad).abs().max() <= 1e-12 * plain.grad.abs().max().clamp(min=1)
        torch.testing.assert_close(mine, plain, rtol=0, atol=1e-6)  # Adam divides by |gradient|, at best 1e-8


def test_horizons_grow_by_the_increment_up_to_the_horizon() -> None:
    module = here(nn.GRU(1, 16))
    history = warmup(module, randn(9, 40, 1), steps=40, horizon=25, horizon_increment=3, generator=0).history
    used = [max(of_layers) for of_layers in history.horizon]
    assert all(1 <= steps <= min(1 + 3 * step, 25) for step, steps in enumerate(used))
    assert max(used) > 15
    assert len(history.loss) == len(history.grad_norm) == len(history.vaa_star) == 40
    assert history.layers == ("l0",)


class TokenClassifier(nn.Module):
    """Embedding, 2-layer bidirectional LSTM, mean, linear, on tokens padded with 0."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.rnn = nn.LSTM(8, 32, num_layers=2, bidirectional=True, batch_first=True, dropout=0.3)
        self.head = nn.Linear(64, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != 0).sum(1)
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        answer: Tensor = self.head(outputs.sum(1) / lengths[:, None])
        return answer


def token_batches() -> DataLoader[tuple[Tensor, Tensor]]:
    def collate(items: list[Tensor]) -> tuple[Tensor, Tensor]:
        return nn.utils.rnn.pad_sequence(items, batch_first=True), torch.zeros(len(items))

    sequences = [here(torch.randint(1, 20, (int(length),))) for length in torch.randint(1, 30, (64,))]
    return DataLoader(sequences, batch_size=16, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.slow
def test_a_model_on_ragged_tokens_with_nothing_but_its_lstm_changed(training: bool) -> None:
    torch.manual_seed(0)
    model = here(TokenClassifier()).train(training)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    before, flags = snapshot(model), [module.training for module in model.modules()]
    result = warmup(model, token_batches(), steps=60, horizon=50, generator=0)
    assert changed(model, before) == {name for name in before if name.startswith("rnn.")}
    assert [module.training for module in model.modules()] == flags
    assert all(p.requires_grad and p.grad is not None and bool((p.grad == 3).all()) for p in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert result.history.layers == ("rnn.l0", "rnn.l0_reverse", "rnn.l1", "rnn.l1_reverse")
    assert result.after.vaa > result.before.vaa


@pytest.fixture
def leaky_cell() -> Iterator[type[nn.Module]]:
    class LeakyCell(nn.Module):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size
            self.mix = nn.Linear(input_size + hidden_size, hidden_size)

        def forward(self, u: Tensor, s: Tensor) -> Tensor:
            return 0.5 * s + 0.5 * torch.tanh(self.mix(torch.cat([u, s], -1)))

    register(LeakyCell, lambda cell, s, u: cell(u, s))
    yield LeakyCell
    del registry._ADAPTERS[LeakyCell]


def test_a_model_with_a_cell_of_the_users_own(leaky_cell: type[nn.Module]) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = leaky_cell(1, 16), nn.Linear(16, 1)

        def forward(self, sequences: Tensor) -> Tensor:
            s = sequences.new_zeros(len(sequences), 16)
            for u in sequences.unbind(1):
                s = self.cell(u, s)
            answer: Tensor = self.head(s)
            return answer

    torch.manual_seed(0)
    model = here(Reader())
    before = snapshot(model)
    result = warmup(model, randn(64, 20, 1), steps=60, horizon=60, generator=0)
    assert changed(model, before) == {"cell.mix.weight", "cell.mix.bias"}
    assert result.after.vaa > 0.9 > 0.04 > result.before.vaa


def test_names_say_which_layers_change() -> None:
    torch.manual_seed(0)
    module, sequences = here(nn.GRU(1, 8, num_layers=3)), randn(9, 40, 1)
    for names, layers in {("l1",): {"l1"}, ("l0", "l2"): {"l0", "l2"}}.items():
        before = snapshot(module)
        warmup(module, sequences, steps=3, layers=names, generator=0)
        assert {name.rsplit("_", 1)[1] for name in changed(module, before)} == layers


def test_a_name_stands_for_a_module_for_all_its_layers() -> None:
    model = nn.ModuleDict({"encoder": nn.GRU(1, 4, num_layers=2)})
    sequential = here(nn.Sequential(nn.Linear(1, 1), model["encoder"]))
    before = snapshot(sequential)
    result = warmup(sequential, randn(9, 20, 1), steps=2, layers="1", generator=0)
    assert result.history.layers == ("1.l0", "1.l1")
    assert changed(sequential, before) == {name for name in before if name.startswith("1.")}
    with pytest.raises(ValueError, match=r"layers must name recurrent layers \('1\.l0', '1\.l1'\), got 'encoder'"):
        warmup(sequential, randn(9, 20, 1), layers=["encoder"])


def test_frozen_stays_frozen() -> None:
    module = here(nn.GRU(1, 8, num_layers=2))
    module.get_parameter("weight_hh_l0").requires_grad_(False)
    before = snapshot(module)
    warmup(module, randn(9, 40, 1), steps=3, generator=0)
    assert changed(module, before) == set(before) - {"weight_hh_l0"}
    assert not module.get_parameter("weight_hh_l0").requires_grad


def test_works_without_gradient_mode_around_it() -> None:
    module = here(nn.GRU(1, 8))
    before = snapshot(module)
    with torch.no_grad():
        warmup(module, randn(9, 40, 1), steps=2, generator=0)
    with torch.inference_mode():
        warmup(module, randn(9, 40, 1), steps=2, generator=0)
    assert changed(module, before) == set(before)


def collapsing() -> nn.RNN:
    """h' = tanh(1e-7 h + w u): one step makes all states the same."""
    module = here(nn.RNN(1, 4))
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").mul_(1e-7)
    return module


def test_collapse_ends_the_warmup_and_says_so() -> None:
    result = warmup(collapsing(), randn(9, 40, 1), generator=0)
    assert result.status == "collapsed"
    assert "the last 10 had no gradient" in result.message
    assert len(result.history.loss) == 10
    assert set(result.history.grad_norm) == {0.0}


def concluded(lower: float, upper: float, gradients: int, apart: float = 1.0, **after: Any) -> tuple[str, str]:
    """Of 30 steps the first `gradients` have one."""
    before = measure(here(nn.GRU(1, 4)), randn(5, 20, 1), horizon=200, generator=0)
    norms = (1.0,) * gradients + (0.0,) * (30 - gradients)
    history = WarmupHistory(("l0", "l1"), ((lower, upper),) * 30, (0.1,) * 30, ((1, 1),) * 30, norms)
    after_it = replace(before, residual=3e-3, **after)
    return conclude(before, after_it, history, 0.95, apart, Saturation(0.2, "l0"), max_prefix=30)


@pytest.mark.parametrize(("stars", "gradients", "after", "status", "message"), [
    ((0.95, 0.97), 30, {"vaa": 1.0, "at_rest": 1.0}, "reached", r"to 1\.00 at 200 steps in 30 steps of warmup$"),
    ((0.95, 0.97), 20, {"vaa": 1.0, "at_rest": 0.1}, "reached", r"; 10% .* at rest, the others .* 3\.0e-03 a step$"),
    ((0.95, 0.97), 30, {"vaa": 1.0, "at_rest": 0.09}, "slow", "but only 9% of the states are at rest: they still move"),
    ((0.95, 0.97), 30, {"vaa": 1.0, "at_rest": 0.0}, "slow", r"but none of .*single attractor yet \(multistable.attr"),
    ((0.95, 0.97), 30, {"vaa": 1.0, "at_rest": 0.0, "growing": True}, "diverged", "states grow faster and faster"),
    ((0.95, 0.97), 30, {"vaa": 0.5}, "below target", r"below .*, while VAA\* averaged 0\.95 .*merge later; .*further$"),
    ((0.95, 0.40), 30, {"vaa": 1.0}, "below target", r"VAA\* averaged 0\.40 in 'l1' over the last 10"),
    ((0.95, 0.40), 21, {"vaa": 1.0}, "below target", "more steps may help"),
    ((0.05, 0.05), 20, {"vaa": 0.1}, "collapsed", "the last 10 had no gradient"),
])  # fmt: skip
def test_the_status_and_what_it_says(
    stars: tuple[float, float], gradients: int, after: dict[str, Any], status: str, message: str
) -> None:
    """The last ten steps decide."""
    found = concluded(*stars, gradients, **after)
    assert found[0] == status
    assert re.search(message, found[1])


@pytest.mark.parametrize(("gradients", "status"), [(30, "below target"), (20, "collapsed")])
def test_of_beginnings_that_are_alike_it_says_so(gradients: int, status: str) -> None:
    found = concluded(0.4, 0.4, gradients, apart=0.2, vaa=0.4)
    assert found[0] == status and "more steps" not in found[1]
    assert "after 30 steps the sequences have led to states closer than tol = 0.0001 (VAA 0.20)" in found[1]
    assert found[1].endswith("pack padded sequences; where states are that small, lower tol")


@pytest.mark.parametrize("layer", [nn.LSTM, LSTM])
def test_of_cells_that_have_outgrown_tanh_it_says_so(layer: Any) -> None:
    """c grows by 0.95 tanh(1) a step, to 6.5 in nine steps, but for the four units whose forget gate is shut."""
    module = here(layer(1, 8, 2))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.zero_()
            if name.startswith("bias_ih"):
                parameter.copy_(here(torch.tensor([3.0, 30.0, 1.0, 0.0]).repeat_interleave(8)))
        module.get_parameter("bias_ih_l1")[12:16] = -30
    result = warmup(module, randn(9, 40, 1), steps=1, lr=1e-9, generator=0)
    assert result.message.endswith(
        "; 100% of the cell states c of 'l0' are so large that tanh(c) is flat, and training may lose what they hold: "
        "multistable.init.chrono_ before the warmup, with a t_max as long as the memory, makes an LSTM sturdier"
    )
    result = warmup(module, randn(9, 40, 1), steps=1, lr=1e-9, layers=["l1"], generator=0)
    assert "; 50% of the cell states c of 'l1' are so large that tanh(c) is flat" in result.message
    result = warmup(module, randn(1, 40, 1), steps=1, lr=1e-9, generator=0)
    assert "flat" not in result.message


def test_a_short_warmup_can_collapse_too() -> None:
    assert warmup(collapsing(), randn(9, 40, 1), steps=2, generator=0).status == "collapsed"


def test_collapse_shortens_the_horizon_until_states_are_apart() -> None:
    """h' = tanh(0.05 h + w u) forgets in some steps: with a horizon of 200 at once, halving finds a gradient."""
    torch.manual_seed(0)
    module = here(nn.RNN(1, 8))
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(0.05 * torch.eye(8))
    history = warmup(module, randn(9, 40, 1), steps=5, horizon_increment=1000, generator=0).history
    assert max(horizon for (horizon,) in history.horizon[1:]) < 20
    assert min(history.grad_norm) > 0


def test_alike_beginnings_are_recovered_from_by_longer_prefixes() -> None:
    """For 40 steps all sequences are silent: prefixes of up to 5 steps all lead to one state."""
    torch.manual_seed(0)
    module, sequences = here(nn.GRU(1, 16)), randn(60, 40, 1)
    sequences[:40] = 0
    sequences[:5] = here(torch.zeros(5, 40, 1))
    with torch.no_grad():
        module.get_parameter("bias_ih_l0").zero_()
        module.get_parameter("bias_hh_l0").zero_()
    result = warmup(module, sequences, steps=40, max_prefix=5, generator=0)
    assert result.status != "collapsed"
    assert sum(norm > 0 for norm in result.history.grad_norm) >= 15


def test_padding_on_the_left_is_named_and_longer_prefixes_are_the_remedy() -> None:
    torch.manual_seed(0)
    sequences = torch.cat([here(torch.zeros(40, 32, 1)), randn(20, 32, 1)])
    found = [warmup(here(nn.GRU(1, 16)), sequences, steps=3, max_prefix=prefix, generator=0) for prefix in (30, None)]
    assert "after 30 steps the sequences have led to states closer than tol = 0.0001 (VAA 0.03)" in found[0].message
    assert found[0].message.endswith(
        "raise max_prefix, or pack padded sequences; where states are that small, lower tol"
    )
    assert found[1].message.endswith("more steps may help")
    alike = warmup(here(nn.GRU(1, 16)), sequences[:, :1].expand(-1, 9, -1), steps=3, max_prefix=None, generator=0)
    assert "whole sequences lead to states closer than tol = 0.0001 (VAA 0.11), as they do where" in alike.message
    assert alike.message.endswith("or a header: check that they differ; where states are that small, lower tol")


def test_growing_states_restore_the_weights() -> None:
    torch.manual_seed(0)
    module = here(nn.RNN(1, 4, nonlinearity="relu"))
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(0.9 * torch.eye(4))  # stable until the warmup changes it
    before = snapshot(module)
    said = r"^states of .*l0.* are no longer finite after \d+ steps.*: the warmup has driven .* in \d+ steps.*lower lr"
    with pytest.raises(FloatingPointError, match=said):
        warmup(module, randn(9, 40, 1), lr=0.5, horizon=400, horizon_increment=400, generator=0)
    assert changed(module, before) == set()


def test_what_grew_before_the_warmup_is_not_its_doing() -> None:
    module = here(nn.RNN(1, 4, nonlinearity="relu"))
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(2 * torch.eye(4))
    with pytest.raises(
        FloatingPointError, match=r"^states of .* are no longer finite after \d+ steps under a const[^:]*$"
    ):
        warmup(module, randn(9, 40, 1), generator=0)


def test_an_interrupt_restores_the_weights() -> None:
    module, before = here(nn.GRU(1, 8)), {}
    before = snapshot(module)
    drawn = 0

    def interrupted(batch_size: int, generator: torch.Generator) -> Tensor:
        nonlocal drawn
        drawn += 1
        if drawn == 10:
            assert changed(module, before)
            raise KeyboardInterrupt
        return here(torch.randn(9, batch_size, 1, generator=generator))

    with pytest.raises(KeyboardInterrupt):
        warmup(module, interrupted, generator=0)
    assert changed(module, before) == set()
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.fixture
def linear_cell() -> Iterator[type[nn.Module]]:
    class Linear(nn.Module):
        """s' = rate s + W u, where the rate may be kept below 1: one equilibrium under every constant input."""

        def __init__(self, bounded: bool) -> None:
            super().__init__()
            self.input_size, self.hidden_size, self.bounded = 1, 8, bounded
            self.rate, self.mix = nn.Parameter(torch.full((8,), 6.0 if bounded else 0.95)), nn.Linear(1, 8)

        def forward(self, inputs: Tensor, s: Tensor) -> Tensor:
            for u in inputs:
                s = self.step(s, u)
            return s

        def step(self, s: Tensor, u: Tensor) -> Tensor:
            answer: Tensor = s * (self.rate.sigmoid() if self.bounded else self.rate) + self.mix(u)
            return answer

    register(Linear, lambda cell, s, u: cell.step(s, u), layout="time_first")
    yield Linear
    del registry._ADAPTERS[Linear]


def test_a_single_equilibrium_that_is_approached_slowly_is_not_reached(linear_cell: type[nn.Module]) -> None:
    torch.manual_seed(0)
    result = warmup(here(linear_cell(True)), randn(9, 40, 1), horizon=20, steps=30, generator=0)
    assert result.after.vaa > 0.9
    assert result.status == "slow" and result.after.at_rest == 0 and not result.after.growing


def test_states_that_explode_are_not_reached(linear_cell: type[nn.Module]) -> None:
    torch.manual_seed(0)
    result = warmup(here(linear_cell(False)), randn(9, 40, 1), lr=0.01, horizon=20, steps=60, generator=0)
    assert result.status == "diverged" and result.after.vaa > 0.9
    assert f"up to {result.after.states.abs().max().item():.1e}" in result.message


def test_a_callback_sees_every_step_and_may_stop() -> None:
    module, seen = here(nn.GRU(1, 8, num_layers=2)), []

    def callback(step: WarmupStep) -> bool | None:
        assert not module.training and not torch.is_grad_enabled()
        seen.append(step)
        return step.step == 4 or None

    history = warmup(module, randn(9, 40, 1), generator=0, callback=callback).history
    assert [one.step for one in seen] == [1, 2, 3, 4]
    assert {one.layers for one in seen} == {history.layers}
    for name in ("vaa_star", "horizon", "loss", "grad_norm"):
        assert tuple(getattr(one, name) for one in seen) == getattr(history, name)


def freeze(module: nn.Module) -> None:
    module.requires_grad_(False)


def test_a_callback_that_raises_leaves_the_module() -> None:
    module = here(nn.GRU(1, 8))
    before = snapshot(module)

    def prune(step: WarmupStep) -> None:
        assert changed(module, before) == set(before)
        raise LookupError

    with pytest.raises(LookupError):
        warmup(module, randn(9, 40, 1), generator=0, callback=prune)
    assert changed(module, before) == set()
    with pytest.raises(TypeError, match="callback must return None, or True to stop, got float"):
        warmup(module, randn(9, 40, 1), generator=0, callback=lambda step: step.loss)  # type: ignore[arg-type,return-value]
    stopped = warmup(module, randn(9, 40, 1), generator=0, callback=lambda step: np.mean(step.vaa_star) > 0)  # type: ignore[arg-type,return-value,unused-ignore]
    assert len(stopped.history.loss) == 1
    before = snapshot(module)
    with pytest.raises(
        ValueError, match="^callback must leave requires_grad as it is, got a parameter that it has frozen"
    ):
        warmup(module, randn(9, 40, 1), generator=0, callback=lambda _: freeze(module))
    assert all(parameter.requires_grad for parameter in module.parameters())
    with pytest.raises(TypeError, match="callback must be a function of a step, got int"):
        warmup(module, randn(9, 40, 1), callback=3)  # type: ignore[arg-type]
    assert changed(module, before) == set()


def test_same_seed_same_bits_and_the_global_state_untouched() -> None:
    sequences, start = randn(40, 9, 1), here(nn.LSTM(1, 8, num_layers=2, batch_first=True))
    loader = DataLoader(TensorDataset(sequences), batch_size=20, shuffle=True)
    state = torch.get_rng_state()
    for inputs in (sequences, loader):
        first, second, other = copy.deepcopy(start), copy.deepcopy(start), copy.deepcopy(start)
        results = [warmup(module, inputs, steps=5, generator=7) for module in (first, second)]
        warmup(other, inputs, steps=5, generator=8)
        assert changed(second, snapshot(first)) == set()
        assert changed(other, snapshot(first)) != set()
        assert results[0].history == results[1].history
        assert torch.equal(results[0].after.states, results[1].after.states)
    assert torch.equal(torch.get_rng_state(), state)


def test_before_and_after_are_measured_from_the_same_states_under_the_same_inputs() -> None:
    """With a learning rate that changes nothing to speak of, they agree to rounding."""
    torch.manual_seed(0)
    module = here(nn.GRU(1, 8, dtype=torch.float64))
    sequences = randn(30, 150, 1, dtype=torch.float64)
    result = warmup(module, sequences, steps=1, lr=1e-15, horizon=2, generator=0)
    assert result.before.horizon == result.after.horizon == 20
    assert result.before.n == result.after.n == 32
    assert 0 < (result.before.states - result.after.states).abs().max() < 1e-12
    measured = measure(module, sequences, horizon=500, generator=0)
    assert measured.vaa == pytest.approx(0.01)


def test_result_reads_as_a_sentence_and_converts_to_json() -> None:
    result = warmup(here(nn.GRU(1, 4)), randn(9, 40, 1), steps=2, horizon=20, generator=0)
    assert repr(result) == f"WarmupResult({result.status}: {result.message})"
    assert "VAA went from 0.0" in result.message
    assert "at 200 steps in 2 steps of warmup" in result.message
    back = json.loads(json.dumps(result.to_dict()))
    assert back["status"] == result.status
    assert back["history"]["loss"] == list(result.history.loss)
    assert result.seconds > 0


def test_progress_shows_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warmup(here(nn.GRU(1, 4)), randn(9, 40, 1), steps=2, horizon=5, generator=0, progress=True)
    assert "multistability warmup" in capsys.readouterr().err
