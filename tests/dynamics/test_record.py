"""What is recorded is what the recurrent modules of a model were given, and the model is left as it was."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

from multistable.dynamics import Sequences, record, stacks

I, H, B, T = 2, 3, 4, 5


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


class Model(nn.Module):
    """A model whose forward pass is a function of itself and its arguments."""

    def __init__(self, forward: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self._forward = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._forward(self, *args, **kwargs)


def recorded(model: nn.Module, batch: Any, seed: int = 0) -> list[Sequences]:
    return record(model, stacks(model), batch, torch.Generator().manual_seed(seed))


def only(model: nn.Module, batch: Any) -> Sequences:
    (sequences,) = recorded(model, batch)
    return sequences


def assert_sequences(sequences: Sequences, inputs: Tensor, lengths: list[int], state: Tensor | None = None) -> None:
    assert torch.equal(sequences.lengths, torch.tensor(lengths))
    assert sequences.inputs.shape == inputs.shape
    inside = torch.arange(len(inputs))[:, None] < sequences.lengths
    assert torch.equal(sequences.inputs[inside], inputs[inside])
    assert (sequences.state is None) == (state is None)
    if sequences.state is not None and state is not None:
        assert torch.equal(sequences.state, state)
    assert not sequences.inputs.requires_grad


class TestOneCall:
    def test_embedding_and_bidirectional_lstm(self) -> None:
        embedding = nn.Embedding(9, I)
        model = nn.Sequential(embedding, nn.LSTM(I, H, 2, batch_first=True, bidirectional=True))
        tokens = torch.arange(B * T).view(B, T) % 9
        assert_sequences(only(model, tokens), embedding.weight[tokens.T], [T] * B)

    def test_batch_first_and_time_first(self) -> None:
        batch_first, time_first = nn.GRU(I, H, batch_first=True), nn.GRU(I, H)
        model = Model(lambda self, x: (self.a(x), self.b(x)), a=batch_first, b=time_first)
        x = random(B, T, I)
        first, second = recorded(model, x)
        assert_sequences(first, x.transpose(0, 1), [T] * B)
        assert_sequences(second, x, [B] * T)

    def test_unbatched(self) -> None:
        x, h, c = random(T, I), random(2, H), random(2, H)
        given = only(Model(lambda self, x: self.rnn(x, (h, c)), rnn=nn.LSTM(I, H, 2, batch_first=True)), x)
        assert_sequences(given, x[:, None], [T], torch.cat([h[0], c[0], h[1], c[1]])[None])
        assert_sequences(only(nn.Sequential(nn.GRU(I, H)), x), x[:, None], [T])

    def test_packed_sequences_keep_their_order(self) -> None:
        lengths = [2, 5, 1, 3]
        x, h = random(T, B, I), random(2, B, H)
        packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        assert packed.sorted_indices is not None
        model = Model(lambda self, x: self.rnn(x, h), rnn=nn.GRU(I, H, bidirectional=True))
        given = only(model, packed)
        assert_sequences(given, x, lengths, torch.cat([h[0], h[1]], -1))
        (stack,) = stacks(model)
        h_n = stack.module(packed, h)[1]
        torch.testing.assert_close(stack.run(given.inputs, given.state, given.lengths), torch.cat([h_n[0], h_n[1]], -1))

    def test_state_by_keyword_and_inputs_after_it(self) -> None:
        x, h = random(T, B, I), random(1, B, H)
        assert_sequences(only(Model(lambda self, x: self.rnn(hx=h, input=x), rnn=nn.GRU(I, H)), x), x, [T] * B, h[0])
        assert_sequences(only(Model(lambda self, x: self.rnn(x, hx=h), rnn=nn.GRU(I, H)), x), x, [T] * B, h[0])

    @pytest.mark.parametrize("proj_size", [0, 2])
    @pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's own
    def test_state_of_an_lstm_is_layer_by_layer_h_before_c(self, proj_size: int) -> None:
        lstm = nn.LSTM(I, H, 2, proj_size=proj_size)
        x, h, c = random(T, B, I), random(2, B, proj_size or H), random(2, B, H)
        given = only(Model(lambda self, x: self.rnn(x, (h, c)), rnn=lstm), x)
        assert_sequences(given, x, [T] * B, torch.cat([h[0], c[0], h[1], c[1]], -1))

    @pytest.mark.parametrize("cell", [nn.RNNCell(I, H), nn.GRUCell(I, H)])
    def test_cells(self, cell: nn.Module) -> None:
        u, s = random(B, I), random(B, H)
        assert_sequences(only(nn.Sequential(cell), u), u[None], [1] * B)
        assert_sequences(only(Model(lambda self, u: self.cell(u, s), cell=cell), u), u[None], [1] * B, s)
        assert_sequences(only(Model(lambda self, u: self.cell(u, s[0]), cell=cell), u[0]), u[None, :1], [1], s[:1])

    def test_a_mapping_is_passed_as_keyword_arguments(self) -> None:
        x, h = random(T, B, I), random(1, B, H)
        model = Model(lambda self, *, tokens, memory: self.rnn(tokens, memory), rnn=nn.RNN(I, H))
        assert_sequences(only(model, {"memory": h, "tokens": x}), x, [T] * B, h[0])

    def test_what_a_users_pre_hook_made_of_the_inputs(self) -> None:
        model = nn.Sequential(nn.GRU(I, H))
        model[0].register_forward_pre_hook(lambda module, args: (2 * args[0],))
        x = random(T, B, I)
        assert_sequences(only(model, x), 2 * x, [T] * B)

    def test_modules_come_in_the_order_asked_for(self) -> None:
        model = Model(lambda self, x: self.first(self.second(x)[0]), first=nn.GRU(H, H), second=nn.GRU(I, H))
        x = random(T, B, I)
        first, second = recorded(model, x)
        assert_sequences(second, x, [T] * B)
        assert_sequences(first, model.second(x)[0], [T] * B)

    def test_later_changes_of_the_inputs_are_not_seen(self) -> None:
        def forward(self: Any, x: Tensor) -> None:
            x = x.clone()
            self.rnn(x)
            x.zero_()

        x = random(T, B, I)
        assert_sequences(only(Model(forward, rnn=nn.GRU(I, H)), x), x, [T] * B)


class TestSeveralCalls:
    def test_calls_of_their_own(self) -> None:
        x, h = random(T, B, I), random(1, B, H)

        def forward(self: Any, x: Tensor) -> None:
            self.rnn(x[:2])
            self.rnn(x, h)

        padded = torch.cat([F.pad(x[:2], (0, 0, 0, 0, 0, T - 2)), x], 1)
        state = torch.cat([torch.zeros(B, H), h[0]])
        assert_sequences(only(Model(forward, rnn=nn.GRU(I, H)), x), padded, [2] * B + [T] * B, state)

    @pytest.mark.parametrize("cell", [nn.RNNCell(I, H), nn.GRUCell(I, H), nn.LSTMCell(I, H)])
    @pytest.mark.parametrize("given", [True, False], ids=["from a state", "from zeros"])
    def test_a_cell_that_is_given_its_own_state_goes_on(self, cell: nn.Module, given: bool) -> None:
        x = random(T, B, I)
        is_lstm = isinstance(cell, nn.LSTMCell)
        start: Any = (random(B, H), random(B, H) + 1) if is_lstm else random(B, H)

        def forward(self: Any, x: Tensor) -> Any:
            state = start if given else None
            for u in x:
                state = self.cell(u, state)
            return state

        model = Model(forward, cell=cell)
        flat_start = torch.cat(start, -1) if is_lstm else start
        sequences = only(model, x)
        assert_sequences(sequences, x, [T] * B, flat_start if given else None)
        (stack,) = stacks(model)
        end = model(x)
        torch.testing.assert_close(
            stack.run(sequences.inputs, sequences.state, sequences.lengths), torch.cat(end, -1) if is_lstm else end
        )

    def test_every_pass_of_a_cell_is_a_sequence(self) -> None:
        x = random(T, B, I)

        def forward(self: Any, x: Tensor) -> None:
            for inputs in (x, 2 * x[:3]):
                h = torch.zeros(B, H)
                for u in inputs:
                    h = self.cell(u, h)

        padded = torch.cat([x, F.pad(2 * x[:3], (0, 0, 0, 0, 0, T - 3))], 1)
        expected = padded, [T] * B + [3] * B, torch.zeros(2 * B, H)
        assert_sequences(only(Model(forward, cell=nn.GRUCell(I, H)), x), *expected)

    @staticmethod
    def assert_single_steps(cell: nn.Module, change: Callable[[Any], Any]) -> None:
        """A loop in which the state is changed between steps is recorded step by step, from the states given."""
        x = random(T, B, I)
        given = []

        def forward(self: Any, x: Tensor) -> None:
            state: Any = torch.ones(B, H)
            state = (state, 2 * state) if isinstance(cell, nn.LSTMCell) else state
            for u in x:
                given.append(torch.cat(state, -1) if isinstance(state, tuple) else state.clone())
                state = change(self.cell(u, state))

        sequences = only(Model(forward, cell=cell), x)
        assert_sequences(sequences, x.flatten(0, 1)[None], [1] * (T * B), torch.cat(given))

    def test_a_masked_state_starts_anew(self) -> None:
        mask = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
        self.assert_single_steps(nn.GRUCell(I, H), lambda h: h * mask)
        self.assert_single_steps(nn.LSTMCell(I, H), lambda state: (state[0] * mask, state[1] * mask))

    def test_a_state_masked_in_place_starts_anew(self) -> None:
        def reset(h: Tensor) -> Tensor:
            h[1] = 0
            return h

        self.assert_single_steps(nn.GRUCell(I, H), reset)

    def test_part_of_a_state_is_not_the_state(self) -> None:
        self.assert_single_steps(nn.LSTMCell(I, H), lambda state: (state[0], torch.zeros(B, H)))
        self.assert_single_steps(nn.LSTMCell(I, H), lambda state: (state[0], state[0]))
        self.assert_single_steps(nn.LSTMCell(I, H), lambda state: (state[1], state[0]))

    def test_the_state_before_last_starts_anew(self) -> None:
        x = random(3, B, I)

        def forward(self: Any, x: Tensor) -> None:
            first = self.cell(x[0])
            self.cell(x[1], first)
            self.cell(x[2], first)

        model = Model(forward, cell=nn.GRUCell(I, H))
        inputs = torch.cat([x[:2], F.pad(x[2:], (0, 0, 0, 0, 0, 1))], 1)
        state = torch.cat([torch.zeros(B, H), model.cell(x[0]).detach()])
        assert_sequences(only(model, x), inputs, [2] * B + [1] * B, state)

    def test_an_input_buffer_that_is_filled_anew(self) -> None:
        x = random(T, B, I)

        def forward(self: Any, x: Tensor) -> None:
            buffer, h = torch.empty(B, I), None
            for u in x:
                h = self.cell(buffer.copy_(u), h)

        assert_sequences(only(Model(forward, cell=nn.GRUCell(I, H)), x), x, [T] * B)

    @pytest.mark.parametrize("module", [nn.GRU(I, H, 2), nn.LSTM(I, H, 2)])
    def test_a_layer_that_goes_on_with_its_state(self, module: nn.Module) -> None:
        x = random(T, B, I)

        def forward(self: Any, x: Tensor) -> None:
            _, state = self.rnn(x[:3])
            self.rnn(x[3:], state)

        assert_sequences(only(Model(forward, rnn=module), x), x, [T] * B)

    def test_ragged_sequences_at_the_end_of_a_chain(self) -> None:
        x = random(T, B, I)

        def forward(self: Any, x: Tensor) -> None:
            _, state = self.rnn(x[:2])
            self.rnn(pack_padded_sequence(x[2:], torch.tensor([1, 3, 2, 1]), enforce_sorted=False), state)

        assert_sequences(only(Model(forward, rnn=nn.GRU(I, H)), x), x, [3, 5, 4, 3])

    def test_ragged_sequences_are_not_continued_across_their_padding(self) -> None:
        short, long = random(1, I), random(3, I)

        def forward(self: Any, x: Tensor) -> None:
            _, state = self.rnn(pack_sequence([long, short]))
            self.rnn(x, state)

        model = Model(forward, rnn=nn.GRU(I, H))
        x = random(2, 2, I)
        padded = torch.stack([long, F.pad(short, (0, 0, 0, 2))], 1)
        state = model.rnn(pack_sequence([long, short]))[1][0].detach()
        expected = torch.cat([padded, F.pad(x, (0, 0, 0, 0, 0, 1))], 1)
        assert_sequences(only(model, x), expected, [3, 1, 2, 2], torch.cat([torch.zeros(2, H), state]))

    def test_a_bidirectional_layer_does_not_go_on(self) -> None:
        # The reverse direction is given the state in which it came out at the first step: no longer sequence says that.
        x = random(T, B, I)

        def forward(self: Any, x: Tensor) -> Any:
            _, state = self.rnn(x[:3])
            return self.rnn(x[3:], state)

        model = Model(forward, rnn=nn.GRU(I, H, bidirectional=True))
        between = model.rnn(x[:3])[1].detach()
        inputs = torch.cat([x[:3], F.pad(x[3:], (0, 0, 0, 0, 0, 1))], 1)
        state = torch.cat([torch.zeros(B, 2 * H), torch.cat([between[0], between[1]], -1)])
        assert_sequences(only(model, x), inputs, [3] * B + [2] * B, state)


class TestTheModelIsLeftAsItWas:
    @pytest.fixture
    def model(self) -> Model:
        def forward(self: Any, x: Tensor) -> None:
            self.rnn(F.dropout(self.norm(x.flatten(0, 1)).view_as(x), training=True))
            torch.rand(3)
            if x.isnan().any():
                raise ArithmeticError("the model's own")

        model = Model(forward, norm=nn.BatchNorm1d(I), rnn=nn.GRU(I, H), frozen=nn.Dropout())
        model.frozen.eval()
        return model

    @pytest.mark.parametrize("raises", [True, False])
    def test_modes_hooks_statistics_and_random_state(self, model: Model, raises: bool) -> None:
        model.rnn.register_forward_hook(lambda *_: None)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        modes = [module.training for module in model.modules()]
        hooks = [list(module._forward_hooks) + list(module._forward_pre_hooks) for module in model.modules()]
        rng = torch.get_rng_state()
        x = random(T, B, I)
        if raises:
            with pytest.raises(ArithmeticError, match="the model's own"):
                recorded(model, x * torch.nan)
        else:
            recorded(model, x)
        assert [module.training for module in model.modules()] == modes == [True, True, True, False]
        assert [list(m._forward_hooks) + list(m._forward_pre_hooks) for m in model.modules()] == hooks
        assert torch.equal(torch.get_rng_state(), rng)
        assert torch.is_grad_enabled()
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())

    def test_draws_come_from_the_generator(self, model: Model) -> None:
        x = random(T, B, I)
        (first,), (again,), (other,) = (recorded(model, x, seed) for seed in (1, 1, 2))
        assert torch.equal(first.inputs, again.inputs)
        assert not torch.equal(first.inputs, other.inputs)
        torch.rand(7)  # the global state plays no part
        assert torch.equal(recorded(model, x, 1)[0].inputs, first.inputs)

    def test_dropout_layers_are_off(self) -> None:
        model = nn.Sequential(nn.Dropout(0.9), nn.GRU(I, H))
        x = random(T, B, I)
        assert_sequences(only(model, x), x, [T] * B)

    def test_a_module_that_is_never_reached(self) -> None:
        model = Model(lambda self, x: self.rnn(x), rnn=nn.GRU(I, H), spare=nn.ModuleList([nn.LSTM(I, H)]))
        before = [list(module._forward_hooks) for module in model.modules()]
        with pytest.raises(RuntimeError, match=r"^the model's forward pass never reached 'spare\.0' \(LSTM\)$"):
            recorded(model, random(T, B, I))
        assert [list(module._forward_hooks) for module in model.modules()] == before


class TestSequences:
    def test_rows(self) -> None:
        state = random(3, H)
        chosen = Sequences(random(T, 3, I), torch.tensor([2, 5, 3]), state).rows(torch.tensor([2, 0]))
        assert len(chosen) == 2
        assert torch.equal(chosen.lengths, torch.tensor([3, 2]))
        assert torch.equal(chosen.inputs, random(T, 3, I)[:3, [2, 0]])
        assert chosen.state is not None and torch.equal(chosen.state, state[[2, 0]])
        assert Sequences(random(T, 3, I), torch.tensor([2, 5, 3])).rows(torch.tensor([1])).state is None
