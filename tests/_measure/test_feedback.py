"""A module whose inputs are made of its own outputs is told from one that data drive, and the loop can be closed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from devices import here
from torch import Tensor, nn

from multistable import attractors, fixed_points, measure, warmup
from multistable.dynamics import record, register, registry, stacks

pytestmark = pytest.mark.usefixtures("device")

N, V, H = 8, 5, 4


class Decoder(nn.Module):
    """An encoder, a decoder and a loop that says what the decoder reads."""

    def __init__(self, loop: Callable[[Any, Tensor, Tensor], Any], layer: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.encoder = nn.GRU(H, H, batch_first=True)
        self.rnn: nn.Module = nn.GRU(H, H, batch_first=True) if layer else nn.GRUCell(H, H)
        self.above = nn.GRUCell(H, H)
        self.loop = loop
        self.kept: Any = None

    def forward(self, tokens: Tensor) -> Any:
        h = self.encoder(self.embedding(tokens))[1][0]
        self.loop(self, tokens, h)
        return self.above(h)


def greedy(model: Any, tokens: Tensor, h: Tensor) -> None:
    token = tokens[:, -1]
    for _ in range(4):
        h = model.rnn(model.embedding(token), h)
        token = model.head(h).argmax(-1)


def greedy_layer(model: Any, tokens: Tensor, h: Tensor) -> None:
    token, h = tokens[:, -1:], h[None]
    for _ in range(4):
        out, h = model.rnn(model.embedding(token), h)
        token = model.head(out).argmax(-1)


def by_attention(model: Any, tokens: Tensor, h: Tensor) -> None:
    context = model.embedding(tokens)
    for _ in range(3):
        weights = (context @ h[:, :, None]).softmax(1)
        h = model.rnn((weights * context).sum(1), h)


def through_another(model: Any, tokens: Tensor, h: Tensor) -> None:
    above, u = h, model.embedding(tokens[:, -1])
    for _ in range(3):
        h = model.rnn(u, h)
        u = above = model.above(h, above)


def sampled(model: Any, tokens: Tensor, h: Tensor) -> None:
    token = tokens[:, -1]
    for _ in range(4):
        h = model.rnn(model.embedding(token), h)
        token = torch.multinomial(model.head(h).softmax(-1), 1)[:, 0]


def kept_from_call_to_call(model: Any, tokens: Tensor, h: Tensor) -> None:
    model.kept = model.rnn(model.embedding(tokens[:, 0]), h if model.kept is None else model.kept)
    greedy(model, tokens, model.kept)


def teacher_forced(model: Any, tokens: Tensor, h: Tensor) -> None:
    for token in tokens.T:
        h = model.rnn(model.embedding(token), h)


def noisy(model: Any, tokens: Tensor, h: Tensor) -> None:
    for token in tokens.T:
        h = model.rnn(model.embedding(token) + torch.randn(H), h)


def once(model: Any, tokens: Tensor, h: Tensor) -> None:
    model.rnn(model.embedding(tokens[:, 0]), h)


def stacked(model: Any, tokens: Tensor, h: Tensor) -> None:
    above = h
    for token in tokens.T:
        h = model.rnn(model.embedding(token), h)
        above = model.above(h, above)


def fails_on_noise(model: Any, tokens: Tensor, h: Tensor) -> None:
    for token in tokens.T:
        h = model.rnn(model.embedding(token), h)
        assert bool((h.abs() <= 1).all())


def tokens() -> Tensor:
    return here(torch.randint(V, (N, 6), generator=torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(("loop", "layer", "expected"), [
    (greedy, False, ("rnn",)), (greedy_layer, True, ("rnn.l0",)), (by_attention, False, ("rnn",)),
    (through_another, False, ("rnn", "above")), (sampled, False, ("rnn",)), (kept_from_call_to_call, False, ("rnn",)),
    (teacher_forced, False, ()), (noisy, False, ()), (once, False, ()), (stacked, False, ()),
    (fails_on_noise, False, ()),
])  # fmt: skip
def test_who_is_fed_back(loop: Callable[..., Any], layer: bool, expected: tuple[str, ...]) -> None:
    model = here(Decoder(loop, layer))
    found = measure(model, tokens(), horizon=3, generator=0)
    assert found.open_loop == expected
    assert found.to_dict()["open_loop"] == list(expected)
    said = f"; inputs held from outside, though fed back: {', '.join(expected)})"
    assert repr(found).endswith(said) == bool(expected)
    assert model.kept is None  # not even the state of a run that was disturbed


def test_looking_changes_no_number() -> None:
    model = here(Decoder(sampled))
    first, second = (
        record(model, stacks(model), tokens(), torch.Generator().manual_seed(5), first=look) for look in (False, True)
    )
    assert [one.fed_back for one in first] == [False] * 3 and [one.fed_back for one in second] == [False, True, False]
    assert all(torch.equal(one.inputs, other.inputs) for one, other in zip(first, second, strict=True))


def test_every_result_says_it() -> None:
    model = here(Decoder(greedy))
    found = attractors(model, tokens(), horizon=128, generator=0)
    assert found.open_loop == ("rnn",) and [one.open_loop for one in found.per_layer] == [(), ("rnn",), ()]
    assert found.to_dict()["open_loop"] == ["rnn"] and "though fed back: rnn)" in repr(found)
    points = fixed_points(model, tokens(), starts=8, generator=0)
    assert points.open_loop == ("rnn",) and points.to_dict()["open_loop"] == ["rnn"]
    assert repr(points).endswith("though fed back: rnn)")
    result = warmup(model, tokens(), steps=1, horizon=1, generator=0)
    assert result.before.open_loop == result.after.open_loop == ("rnn",)


class Sign(nn.Module):
    """h' = tanh(2 sign(h)): the symbol that is written is the next input, and 2 states are stable, ±tanh 2."""

    def __init__(self, closed: bool) -> None:
        super().__init__()
        cell = nn.RNNCell(1, 1, bias=False)
        nn.init.constant_(cell.weight_ih, 2.0)
        nn.init.zeros_(cell.weight_hh)
        self.step = Loop(cell) if closed else cell

    def forward(self, h: Tensor) -> Tensor:
        for _ in range(5):
            h = self.step(torch.zeros_like(h) if isinstance(self.step, Loop) else h.sign(), h)
        return h


class Loop(nn.Module):
    input_size = hidden_size = 1

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, u: Tensor, h: Tensor) -> Tensor:
        after: Tensor = self.cell(h.sign() + u, h)
        return after


@pytest.fixture
def _loop_is_known() -> Iterator[None]:
    register(Loop, lambda loop, s, u: loop(u, s))
    yield
    del registry._ADAPTERS[Loop]


@pytest.mark.usefixtures("_loop_is_known")
@pytest.mark.parametrize("closed", [False, True])
def test_a_closed_loop_has_the_attractors_that_its_cell_has_not(closed: bool) -> None:
    starts = here(torch.linspace(-1, 1, 10)[:, None])
    model, n = here(Sign(closed)), len(starts)
    count = 2 if closed else 1
    found = measure(model, starts, u=0, horizon=20, generator=0)
    assert found.vaa == pytest.approx(count / n)
    assert found.open_loop == (() if closed else ("step",))
    ends = attractors(model, starts, u=0, generator=0)
    assert ends.count == count and set(ends.kinds) == {"equilibrium"}
    states = sorted(round(one.state.item(), 6) for one in ends.attractors)
    assert states == ([-0.964028, 0.964028] if closed else [0.0])
