"""Models, data and surroundings that make trouble."""

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from multistable import measure, vaa, warmup
from multistable.dynamics import record, register, registry, stacks


class NoisyCell(nn.Module):
    """A cell with everything that training mode changes or draws."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 2, 8
        self.mix, self.drop, self.norm = nn.Linear(10, 8), nn.Dropout(0.5), nn.BatchNorm1d(8)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        self.get_buffer("calls").add_(1)
        return torch.tanh(self.norm(self.drop(self.mix(torch.cat([u, s], -1)))))


@pytest.fixture
def noisy_cell() -> Iterator[NoisyCell]:
    register(NoisyCell, lambda cell, s, u: cell(u, s))
    torch.manual_seed(0)
    yield NoisyCell().train()
    del registry._ADAPTERS[NoisyCell]


def test_a_cell_that_draws_and_counts_is_left_as_it_was(noisy_cell: NoisyCell) -> None:
    sequences = torch.randn(5, 30, 2)
    buffers = {name: value.clone() for name, value in noisy_cell.named_buffers()}
    state = torch.get_rng_state()
    first, second = (measure(noisy_cell, sequences, horizon=20, generator=0) for _ in range(2))
    assert torch.equal(first.states, second.states)
    warmup(noisy_cell, sequences, steps=2, horizon=5, generator=0)
    assert all(torch.equal(value, buffers[name]) for name, value in noisy_cell.named_buffers())
    assert all(module.training for module in noisy_cell.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_function_that_draws_from_the_global_state_is_reproducible() -> None:
    module, state = nn.GRU(2, 4), torch.get_rng_state()
    first, second = (
        measure(module, lambda batch_size, _: torch.randn(6, batch_size, 2), horizon=5, generator=1) for _ in range(2)
    )
    assert torch.equal(first.states, second.states)
    assert torch.equal(torch.get_rng_state(), state)


def remembering() -> nn.RNN:
    """h' = tanh(5 h + u) in every unit, with small inputs: a sign once taken stays."""
    module = nn.RNN(8, 8, bias=False)
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(5 * torch.eye(8))
        module.get_parameter("weight_ih_l0").copy_(0.1 * torch.eye(8))
    return module


@pytest.mark.parametrize("count", [10, 31, 32, 50])
def test_a_warmup_measures_each_sequence_once(count: int) -> None:
    # 2^8 patterns of signs: sequences that repeat would lower the VAA far more than chance does.
    sequences = torch.randn(1, count, 8, generator=torch.Generator().manual_seed(0)).sign()
    patterns = {tuple(one.tolist()) for one in sequences[0]}
    result = warmup(remembering(), sequences, steps=1, lr=1e-12, horizon=5, generator=0)
    assert result.before.n == min(count, 32)
    if count <= 32:
        assert result.before.vaa == pytest.approx(len(patterns) / count)


def test_a_loader_whose_last_batch_holds_one_sequence() -> None:
    loader = DataLoader(TensorDataset(torch.randn(9, 6, 1)), batch_size=4)
    result = warmup(nn.GRU(1, 4, batch_first=True), loader, steps=9, horizon=3, generator=0)
    assert len(result.history.loss) == 9
    single = DataLoader(TensorDataset(torch.randn(9, 6, 1)), batch_size=1)
    with pytest.raises(ValueError, match="at least two sequences in a batch, got 10 batches in a row with one"):
        warmup(nn.GRU(1, 4, batch_first=True), single, steps=9, horizon=3, generator=0)


def test_measuring_a_reparametrised_layer_leaves_what_its_weights_are_computed_from() -> None:
    module = nn.utils.parametrizations.spectral_norm(nn.GRU(1, 3), "weight_hh_l0")
    before = {name: value.clone() for name, value in module.named_buffers()}
    assert before
    measure(module, torch.randn(5, 4, 1), horizon=3)
    assert all(torch.equal(value, before[name]) for name, value in module.named_buffers())


def test_an_argument_that_is_not_the_state_is_not_taken_for_it() -> None:
    class Masked(nn.GRU):
        def forward(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            outputs: tuple[Tensor, Tensor] = super().forward(inputs)
            return outputs

    class Wrapped(nn.GRU):
        def forward(self, *args: Tensor, **kwargs: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            outputs: tuple[Tensor, Tensor] = super().forward(*args, **kwargs)
            return outputs

    inputs = torch.randn(6, 4, 1)
    for kind in (Masked, Wrapped):
        rnn = kind(1, 3)

        class Model(nn.Module):
            def __init__(self, rnn: nn.Module) -> None:
                super().__init__()
                self.rnn = rnn

            def forward(self, inputs: Tensor) -> Tensor:
                mask = [torch.ones(1, 4, 3)] if isinstance(self.rnn, Masked) else []
                outputs: Tensor = self.rnn(inputs, *mask)[0]
                return outputs

        (recorded,) = record(Model(rnn), stacks(Model(rnn)), inputs, torch.Generator())
        assert recorded.state is None
        assert torch.equal(recorded.inputs, inputs)


def test_two_sequences_that_take_turns() -> None:
    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(1, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            states: list[Tensor | None] = [None, None]
            for time, u in enumerate(inputs):
                for which in (0, 1) if time % 3 else (1, 0):
                    states[which] = self.cell(-u if which else u, states[which])
            assert states[0] is not None
            return states[0]

    model, inputs = Turns(), torch.randn(7, 4, 1)
    (recorded,) = record(model, stacks(model), inputs, torch.Generator())
    assert recorded.lengths.tolist() == [7] * 8
    assert torch.equal(recorded.inputs, torch.cat([-inputs, inputs], 1))


def test_inputs_that_carry_a_graph() -> None:
    module = nn.GRU(4, 4)
    inputs, _ = module(torch.randn(6, 10, 4))
    warmup(module, inputs, steps=3, horizon=3, generator=0)
    assert inputs.grad_fn is not None


def test_nan_in_a_state_that_a_layer_receives() -> None:
    class Started(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(1, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.rnn(inputs, torch.full((1, 4, 3), torch.nan))[0]
            return outputs

    with pytest.raises(ValueError, match="the state that 'rnn' receives must be finite, got 12 NaN"):
        measure(Started(), torch.randn(6, 4, 1))


def test_another_default_device() -> None:
    module, sequences = nn.LSTM(1, 3, bidirectional=True), [torch.randn(length, 1) for length in (3, 5, 4)]
    alone = measure(module, sequences, horizon=5, generator=0)
    with torch.device("meta"):
        within = measure(module, sequences, horizon=5, generator=0)
        warmup(module, sequences, steps=1, horizon=3, generator=0)
    assert torch.equal(alone.states, within.states)


@pytest.mark.parametrize("kind", ["meta", "inference"])
def test_parameters_that_hold_no_values_or_take_no_gradient(kind: str) -> None:
    if kind == "meta":
        module = nn.GRU(1, 3, device="meta")
    else:
        with torch.inference_mode():
            module = nn.GRU(1, 3)
    with pytest.raises(ValueError, match=f"parameters of 'l0' must be ordinary tensors, got {kind} tensors"):
        measure(module, torch.randn(5, 4, 1))


def test_numbers_of_numpy() -> None:
    module, sequences = nn.GRU(1, 3), torch.randn(5, 4, 1)
    settings: dict[str, Any] = {"horizon": np.int64(20), "tol": np.float32(1e-3), "generator": np.int64(1)}
    found = measure(module, sequences, **settings)
    assert json.loads(json.dumps(found.to_dict()))["horizon"] == 20
    assert found == measure(module, sequences, horizon=20, tol=float(np.float32(1e-3)), generator=1)
    assert found != measure(module, sequences, horizon=20, tol=float(np.float32(1e-3)), generator=2)


def test_a_tolerance_that_rounds_to_zero() -> None:
    assert vaa(torch.zeros(4, 2), tol=1e-46) == 1


def test_a_cell_whose_states_do_not_depend_on_its_parameters() -> None:
    class Fixed(NoisyCell):
        def forward(self, u: Tensor, s: Tensor) -> Tensor:
            return 0.5 * s + u.sum(-1, keepdim=True)

    register(Fixed, lambda cell, s, u: 0.5 * s + u.sum(-1, keepdim=True))
    try:
        cell = Fixed()
        with pytest.raises(ValueError, match="must depend on a parameter that requires a gradient"):
            warmup(cell, torch.randn(5, 6, 2), generator=0)
    finally:
        del registry._ADAPTERS[Fixed]


def test_parameters_of_which_none_matters() -> None:
    """States are apart, and no more is missing than a gradient: that is no collapse."""

    class Elsewhere(nn.Module):
        input_size, hidden_size = 1, 4

        def __init__(self) -> None:
            super().__init__()
            self.cell, self.unused = nn.GRUCell(1, 4), nn.Parameter(torch.zeros(3))

        def forward(self, u: Tensor, s: Tensor | None = None) -> Tensor:
            h: Tensor = self.cell(u, s)
            return h

    register(Elsewhere, lambda one, s, u: one.cell(u, s), parameters=lambda one: [one.unused])
    try:
        with pytest.raises(ValueError, match="must depend on a parameter that requires a gradient"):
            warmup(Elsewhere(), torch.randn(5, 6, 1), generator=0)
    finally:
        del registry._ADAPTERS[Elsewhere]


@pytest.mark.parametrize("raises", [False, True])
def test_weights_that_are_normalised_as_they_are_looked_up_are_as_they_were(raises: bool) -> None:
    class Embedded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(12, 4, max_norm=0.5), nn.GRU(4, 3)

        def forward(self, tokens: Tensor) -> None:
            self.rnn(self.embedding(tokens))
            if raises:
                raise ArithmeticError

    torch.manual_seed(0)
    model, tokens = Embedded(), torch.randint(12, (9, 20))
    before = model.embedding.weight.detach().clone()
    if raises:
        with pytest.raises(ArithmeticError):
            warmup(model, tokens, steps=2, horizon=3)
    else:
        warmup(model, tokens, steps=2, horizon=3)
    assert torch.equal(model.embedding.weight, before)
    model.embedding(tokens)
    assert not torch.equal(model.embedding.weight, before)


def test_draws_of_python_and_numpy_follow_the_seed_and_leave_the_global_state() -> None:
    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(1, 3)

        def forward(self, inputs: Tensor) -> None:
            self.rnn(inputs + random.random() + float(np.random.rand()))

    torch.manual_seed(0)
    model, inputs = Drawing(), torch.randn(9, 4, 1)
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    found = [measure(model, inputs, horizon=2, generator=3).states for _ in range(2)]
    assert torch.equal(*found)
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]


@pytest.mark.parametrize("raises", [False, True])
def test_what_a_model_keeps_from_batch_to_batch_is_as_it_was(raises: bool) -> None:
    class Stateful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.losses = nn.GRU(1, 3), [0]
            self.last: Tensor | None = None
            self.state: Tensor
            self.register_buffer("state", torch.zeros(1, 4, 3))

        def forward(self, inputs: Tensor) -> None:
            _, self.state = self.rnn(inputs, self.state)
            self.last = self.state
            self.losses.append(1)
            if raises:
                raise ArithmeticError

    model = Stateful()
    state, losses = model.state, model.losses
    if raises:
        with pytest.raises(ArithmeticError):
            measure(model, torch.randn(5, 4, 1), horizon=2)
    else:
        measure(model, torch.randn(5, 4, 1), horizon=2)
    assert model.state is state and not state.any() and model.last is None
    assert model.losses is losses and losses == [0]


@pytest.mark.parametrize(("returned", "message"), [(None, "must return a tensor, got NoneType")])
def test_a_step_that_returns_no_state(returned: object, message: str) -> None:
    class Broken(NoisyCell):
        pass

    register(Broken, lambda cell, s, u: returned)  # type: ignore[arg-type, return-value]
    try:
        with pytest.raises(TypeError, match=message):
            measure(Broken(), torch.randn(5, 6, 2))
    finally:
        del registry._ADAPTERS[Broken]


def test_what_register_refuses() -> None:
    with pytest.raises(TypeError, match="step must be a function .*, got int"):
        register(NoisyCell, 5)  # type: ignore[arg-type]

    class Bare(nn.Module):
        input_size = hidden_size = 2

    register(Bare, lambda cell, s, u: s)
    try:
        with pytest.raises(ValueError, match="Bare must have parameters to be seen as dynamics, got none"):
            measure(Bare(), torch.randn(5, 6, 2))
    finally:
        del registry._ADAPTERS[Bare]


def test_a_submodule_made_in_forward_is_gone() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(1, 4)

        def forward(self, x: Tensor) -> Tensor:
            outputs, _ = self.rnn(x)
            if not hasattr(self, "head"):
                self.head = nn.Linear(4, 1)
            answer: Tensor = self.head(outputs)
            return answer

    model = Late()
    measure(model, torch.randn(5, 8, 1), horizon=2, generator=0)
    assert not any(name.startswith("head") for name in model.state_dict())
