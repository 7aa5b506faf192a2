"""What `forward=` says, what wrappers and trainers leave behind, and what is said where a batch can't enter a model."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from devices import here
from entering import LENGTHS, H, I, Items, N, Net, OfAll, OfX, OfXAndLengths, X, Y, measured
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from multistable import attractors, fixed_points, measure, warmup
from multistable.dynamics import dynamics
from multistable.dynamics._model_call import model_call

pytestmark = pytest.mark.usefixtures("device")


def test_forward_says_it() -> None:
    seen = []

    def enters(model: Any, batch: Any) -> None:
        seen.append(batch)
        model.rnn(batch["deep"]["x"])

    batch = {"deep": {"x": X.numpy()}, "name": "some"}
    assert measured(OfX(), batch, forward=enters) == measured(OfX(), X)
    assert all(one["name"] == "some" and one["deep"]["x"].dtype is torch.float32 for one in seen)
    assert batch["deep"]["x"] is not seen[0]["deep"]["x"]  # type: ignore[index]
    for call in (attractors, fixed_points):
        options: Any = {"generator": 1, "n": N, **({"starts": 8} if call is fixed_points else {"horizon": 128})}
        assert repr(call(here(OfX()), batch, forward=enters, **options)) == repr(call(here(OfX()), X, **options))
    models = [here(OfX()), here(OfX())]
    warmup(models[0], batch, forward=enters, steps=2, horizon=2, generator=1)
    warmup(models[1], X, steps=2, horizon=2, generator=1)
    assert all(torch.equal(one, other) for one, other in zip(*(m.parameters() for m in models), strict=True))


def test_forward_may_be_given_what_only_it_knows() -> None:
    class Graph:
        nodes = X

    found = measured(OfX(), Graph(), forward=lambda model, graph: model(here(graph.nodes)))
    assert found == measured(OfX(), X) and found == measured(OfX(), [Graph()], forward=lambda model, _: model(here(X)))


def test_forward_gets_collated_items_whole() -> None:
    found = measured(OfX(), Items(lambda k: {"q": (X[k], Y[k])}), forward=lambda model, batch: model(batch["q"][0]))
    assert found == measured(OfX(), TensorDataset(X))


def test_a_recurrent_module_called_by_forward_is_seen_as_a_model_that_holds_one() -> None:
    rnn = OfX().rnn
    found = measured(rnn, {"x": X}, forward=lambda rnn, batch: rnn(batch["x"]))
    assert found.per_layer[0].name == "l0" and found.states.equal(measured(OfX(), X).states)


def test_wrappers_of_torchs_have_no_name_and_the_signature_of_what_they_wrap() -> None:
    plain = measured(OfXAndLengths(), (X, LENGTHS, Y))
    compiled: Any = torch.compile(OfXAndLengths(), backend="eager")
    wrapped: list[nn.Module] = [nn.DataParallel(compiled, device_ids=[]), compiled]
    for model in wrapped:
        assert [one.name for one in dynamics(model)] == ["rnn.l0"]
        (entered,) = {model_call(model, (X, LENGTHS, Y)).args[1]}
        assert entered is LENGTHS
    assert measured(compiled, (X, LENGTHS, Y)) == plain
    cell, sequences = here(nn.GRUCell(I, H)), here(torch.randn(7, 5, I))
    bare = measure(cell, sequences, horizon=3, generator=0)
    cells: list[Any] = [torch.compile(cell, backend="eager"), nn.DataParallel(cell, device_ids=[])]
    for wrapped_cell in cells:
        assert measure(wrapped_cell, sequences, horizon=3, generator=0) == bare
    with pytest.warns(DeprecationWarning, match="jit.script"):
        scripted: Any = torch.jit.script(nn.GRU(I, H))
    with pytest.raises(ValueError, match="module must be or hold a recurrent layer, got .*RecursiveScriptModule"):
        measure(scripted, sequences)
    assert [one.name for one in dynamics(nn.DataParallel(nn.GRU(I, H), device_ids=[]))] == ["l0"]


def test_lightning_without_a_trainer() -> None:
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.count = OfX(), 0
            self.losses: list[Any] = []

        def training_step(self, batch: Any) -> Any:
            x, _ = batch
            loss = self.net(x)[0].mean()
            self.log("loss", loss)
            self.log_dict({"again": loss})
            self.losses.append(loss)
            self.count += 1
            return loss

    model = Module()
    before = dict(vars(model))
    found = measured(model, DataLoader(TensorDataset(X, Y), batch_size=N))
    assert found.states.equal(measured(OfX(), X).states)
    assert vars(model) == before and model.losses == [] and model.count == 0
    model.automatic_optimization = False
    with pytest.raises(TypeError, match=r"tried Module.training_step\(tuple of 2\), .* optimises by hand.*forward="):
        measured(model, (X, Y))


@pytest.mark.parametrize(("model", "batch", "message"), [
    (OfXAndLengths, X, r"tried OfXAndLengths.forward\(Tensor \(6, 5, 2\)\), got TypeError\(\"missing a required"),
    (OfXAndLengths, {"x": X}, r"tried OfXAndLengths.forward\(x=Tensor \(6, 5, 2\)\), got TypeError"),
    (OfX, {"values": X}, r"tried OfX.forward\(dict\), got "),
    (OfX, {"values": X, 3: Y}, r"tried OfX.forward\(dict\), got "),
    (OfAll, (X, Y), r"tried OfAll.forward\(Tensor \(6, 5, 2\)\), got TypeError\('too many positional arguments'\)"),
    (OfX, (), r"tried OfX.forward\(\), got TypeError"),
])  # fmt: skip
def test_a_batch_that_cannot_enter(model: type[Net], batch: Any, message: str) -> None:
    expected = f"^a batch could not enter the model: {message}.*; forward=lambda model, batch: ... says how a batch"
    with pytest.raises(TypeError, match=expected) as raised:
        measured(model(), batch)
    assert isinstance(raised.value.__cause__, TypeError | AttributeError)


def test_an_error_within_the_model_stays_and_has_a_note() -> None:
    class Failing(Net):
        def forward(self, x: Any) -> Any:
            raise ArithmeticError("the model's own")

    with pytest.raises(ArithmeticError) as raised:
        measured(Failing(), X)
    assert str(raised.value) == "the model's own"
    assert "While Failing.forward(Tensor (6, 5, 2)) ran; if that is not how" in raised.value.__notes__[0]
    with pytest.raises(ArithmeticError) as raised:
        measured(Failing(), X, forward=lambda model, batch: model(batch))
    assert not hasattr(raised.value, "__notes__")


def test_an_error_of_ours_is_not_taken_for_the_models() -> None:
    class Catches(Net):
        def forward(self, x: Any) -> Any:
            try:
                return self.rnn(x[:, :, :1].expand(-1, -1, I)[:0])
            except Exception:
                return None

    with pytest.raises(ValueError, match="^inputs of GRU must hold at least one sequence"):
        measured(Catches(), X)


def test_neither_forward_nor_a_training_step() -> None:
    with pytest.raises(TypeError, match="^Net must have a forward or a training_step, got neither; forward=lambda"):
        measured(Net(), X)


@pytest.mark.parametrize("forward", [1, "model(batch)"])
def test_forward_must_be_a_function(forward: Any) -> None:
    message = rf"^forward must be a function \(model, batch\), got {type(forward).__name__}$"
    for call in (measure, warmup, attractors, fixed_points):
        with pytest.raises(TypeError, match=message):
            call(OfX(), X, forward=forward)


def test_a_generator_that_has_ended() -> None:
    def batches() -> Iterator[Tensor]:
        yield X

    drawn = batches()
    assert measured(OfX(), drawn).n == N
    for call in (measure, attractors, fixed_points, warmup):
        with pytest.raises(ValueError, match=r"got a generator that has ended: pass an iterable that can start over"):
            call(here(OfX()), drawn)
