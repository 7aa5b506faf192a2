"""However a batch enters a model, its recurrent layer receives the same sequences, and the same comes out."""

import copy
import inspect
import re
from collections import UserDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from devices import here
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset

from multistable import attractors, fixed_points, measure, warmup
from multistable.dynamics import dynamics
from multistable.dynamics._model_call import model_call

pytestmark = pytest.mark.usefixtures("device")

N, T, I, H = 6, 5, 2, 3
X = torch.randn(N, T, I, generator=torch.Generator().manual_seed(0))
Y, LENGTHS = torch.arange(N), torch.tensor([5, 3, 1, 4, 2, 5])


class Named(NamedTuple):
    x: Any
    y: Any


class Keyed:
    """Used like a mapping, and none."""

    def __init__(self, **values: Any) -> None:
        self._values = values

    def keys(self) -> Any:
        return self._values.keys()

    def __getitem__(self, key: str) -> Any:
        return self._values[key]


class Net(nn.Module):
    """A model around a GRU that is the same for all."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.rnn = nn.GRU(I, H, batch_first=True)


class OfX(Net):
    def forward(self, x: Any) -> Any:
        return self.rnn(x)


class OfUnknown(Net):
    def forward(self, values: "Unheard"):  # type: ignore[name-defined,no-untyped-def]  # noqa: F821
        return self.rnn(values)


class OfTensor(Net):
    def forward(self, values: Tensor) -> Any:
        return self.rnn(values)


class OfXAndState(Net):
    def forward(self, x: Any, state: Any = None) -> Any:
        return self.rnn(x, state)


class OfXAndLengths(Net):
    def forward(self, x: Any, lengths: Any) -> Any:
        return self.rnn(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))


class OfAll(Net):
    def forward(self, **inputs: Any) -> Any:
        return self.rnn(inputs["x"])


class OfBatch(Net):
    def forward(self, batch: Any) -> Any:
        return self.rnn(batch["x"] if hasattr(batch, "keys") else batch.x if hasattr(batch, "x") else batch[0])


class OfPair(Net):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Any:
        x, _ = pair
        return self.rnn(x)


class Step(Net):
    """What has no forward is called as Lightning calls it."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, _ = batch
        assert batch_idx == 0
        return self.rnn(x)[0].mean()


class Items(Dataset[Any]):
    """Examples, each made by a function of its number."""

    def __init__(self, item: Callable[[int], Any]) -> None:
        self.item = item

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> Any:
        return self.item(index)


FORMS: dict[str, tuple[type[Net], Any]] = {
    "tensor": (OfX, X),
    "annotation that can't be read": (OfUnknown, X),
    "pair": (OfX, (X, Y)),
    "pair, optional argument": (OfXAndState, (X, Y)),
    "list of pairs": (OfX, [(X, Y)]),
    "list in a list": (OfX, [[X, Y]]),
    "pair whole, by name": (OfBatch, (X, Y)),
    "pair whole, by annotation": (OfPair, (X, Y)),
    "mapping with labels": (OfX, {"x": X, "labels": Y}),
    "mapping for any keyword": (OfAll, {"x": X, "labels": Y}),
    "mapping whole": (OfBatch, {"x": X, "labels": Y}),
    "UserDict": (OfX, UserDict(x=X, labels=Y)),
    "UserDict whole": (OfBatch, UserDict(x=X, labels=Y)),
    "what is used as a mapping": (OfX, Keyed(x=X, labels=Y)),
    "named tuple by its fields": (OfX, Named(X, Y)),
    "named tuple whole": (OfBatch, Named(X, Y)),
    "named tuple for a tensor": (OfTensor, Named(X, Y)),
    "array": (OfX, X.numpy()),
    "array of doubles": (OfX, X.numpy().astype(np.float64)),
    "read-only array, backwards, big-endian": (OfX, np.flip(np.flip(X.numpy().astype(">f8")).copy())),
    "pair of arrays": (OfX, (X.numpy(), Y.numpy())),
    "array beside what is no number": (OfX, (X.numpy(), np.array(["a"] * N))),
    "mapping of arrays": (OfX, {"x": X.numpy(), "labels": Y.numpy()}),
    "training step": (Step, (X, Y)),
    "loader": (OfX, DataLoader(TensorDataset(X, Y), batch_size=N)),
    "loader of mappings": (OfX, DataLoader(Items(lambda k: {"x": X[k], "labels": Y[k]}), batch_size=N)),
    "loader of named tuples": (OfBatch, DataLoader(Items(lambda k: Named(X[k], Y[k])), batch_size=N)),
}
ITEMS: dict[str, tuple[type[Net], Callable[[int], Any]]] = {
    "tensor": (OfX, lambda k: X[k]),
    "pair": (OfX, lambda k: (X[k], Y[k])),
    "targets that can't be collated": (OfX, lambda k: (X[k], object())),
    "mapping with labels that can't be collated": (OfX, lambda k: {"x": X[k], "labels": object()}),
    "mapping whole": (OfBatch, lambda k: {"x": X[k], "labels": Y[k]}),
    "named tuple": (OfBatch, lambda k: Named(X[k], Y[k])),
    "arrays": (OfX, lambda k: (X[k].numpy().astype(np.float64), 0)),
    "training step": (Step, lambda k: (X[k], Y[k])),
}


def measured(model: nn.Module, inputs: Any, **options: Any) -> Any:
    return measure(here(model), inputs, horizon=3, generator=1, **options)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_batch(form: str) -> None:
    kind, batch = FORMS[form]
    expected, found = measured(OfX(), X), measured(kind(), batch)
    assert found == expected and torch.equal(found.states, expected.states)


@pytest.mark.parametrize("form", ITEMS)
def test_every_form_of_an_item_of_a_data_set(form: str) -> None:
    kind, item = ITEMS[form]
    expected, found = measured(OfX(), TensorDataset(X), n=4), measured(kind(), Items(item), n=4)
    assert found == expected and torch.equal(found.states, expected.states)


@pytest.mark.parametrize("batch", [
    (X, LENGTHS, Y), (X.numpy(), LENGTHS.numpy(), Y), {"lengths": LENGTHS, "y": Y, "x": X},
    Items(lambda k: (X[k], LENGTHS[k], Y[k])), Items(lambda k: {"x": X[k], "lengths": int(LENGTHS[k]), "y": Y[k]}),
], ids=["tuple", "arrays", "mapping", "items", "items that are mappings"])  # fmt: skip
def test_lengths_enter_where_forward_takes_them(batch: Any) -> None:
    prefixes = attractors(here(OfXAndLengths()), batch, horizon=128, generator=1).prefixes
    longest = LENGTHS[attractors(here(OfXAndLengths()), batch, horizon=128, generator=1).sequences]
    assert bool((prefixes <= longest).all())
    packed = pack_padded_sequence(X, LENGTHS, batch_first=True, enforce_sorted=False)
    if not isinstance(batch, Dataset):
        assert measured(OfXAndLengths(), batch) == measured(OfX(), packed)


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


def test_forward_gets_collated_items_whole() -> None:
    found = measured(OfX(), Items(lambda k: {"q": (X[k], Y[k])}), forward=lambda model, batch: model(batch["q"][0]))
    assert found == measured(OfX(), TensorDataset(X))


def test_a_recurrent_module_called_by_forward_is_seen_as_a_model_that_holds_one() -> None:
    rnn = OfX().rnn
    found = measured(rnn, {"x": X}, forward=lambda rnn, batch: rnn(batch["x"]))
    assert found.per_layer[0].name == "l0" and found.states.equal(measured(OfX(), X).states)


def test_arrays_for_a_recurrent_module() -> None:
    rnn, x = OfX().rnn, X.numpy().astype(np.float64)
    assert measured(rnn, x) == measured(rnn, X)
    assert measured(rnn, [*x]) == measured(rnn, [*X])
    assert measured(rnn, [(x, Y)]) == measured(rnn, [(X, Y)])
    assert measured(rnn, Items(lambda k: x[k])) == measured(rnn, TensorDataset(X))


def test_integers_stay_integers() -> None:
    class Tokens(Net):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(9, I)

        def forward(self, tokens: Any) -> Any:
            return self.rnn(self.embedding(tokens))

    tokens = torch.arange(N * T).view(N, T) % 9
    assert measured(Tokens(), tokens.numpy()) == measured(Tokens(), tokens)


def test_wrappers_of_torchs_have_no_name_and_the_signature_of_what_they_wrap() -> None:
    plain = measured(OfXAndLengths(), (X, LENGTHS, Y))
    compiled: Any = torch.compile(OfXAndLengths(), backend="eager")
    wrapped: list[nn.Module] = [nn.DataParallel(compiled, device_ids=[]), compiled]
    for model in wrapped:
        assert [one.name for one in dynamics(model)] == ["rnn.l0"]
        (entered,) = {model_call(model, (X, LENGTHS, Y)).args[1]}
        assert entered is LENGTHS
    assert measured(compiled, (X, LENGTHS, Y)) == plain
    assert [one.name for one in dynamics(nn.DataParallel(nn.GRU(I, H), device_ids=[]))] == ["l0"]


def test_lightning_without_a_trainer() -> None:
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.losses, self.count = OfX(), [], 0

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
            call(OfX(), X, forward=forward)  # type: ignore[operator]


def test_a_generator_that_has_ended() -> None:
    def batches() -> Iterator[Tensor]:
        yield X

    drawn = batches()
    assert measured(OfX(), drawn).n == N
    for call in (measure, attractors, fixed_points, warmup):
        with pytest.raises(ValueError, match=r"got a generator that has ended: pass an iterable that can start over"):
            call(here(OfX()), drawn)  # type: ignore[operator]


def table() -> list[tuple[str, str, str]]:
    """The rows of the page's table: a batch, a signature, and the call that is made."""
    page = (Path(__file__).parents[2] / "docs" / "your-own-model.md").read_text()
    start = page.index("| batch | the model has | what is called |")
    rows = page[start : page.index("\n\n", start)].splitlines()[2:]
    return [tuple(re.fullmatch(r"\| `(.*)` \| `(.*)` \| `(.*)` \|", row).groups()) for row in rows]  # type: ignore[misc,union-attr]


@pytest.mark.parametrize(("batch", "signature", "called"), table())
def test_the_table_of_the_documentation(batch: str, signature: str, called: str) -> None:
    known: dict[str, Any] = {"x": X, "y": Y, "lengths": LENGTHS, "Named": Named, "UserDict": UserDict, "Tensor": Tensor}

    def tell(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    name = signature.partition("(")[0]
    exec(f"class Model(base):\n    def {signature}: raise AssertionError", {**known, "base": nn.Module}, known)
    model = known["Model"]()
    call = model_call(model, eval(batch, {**known}))
    args, kwargs = eval(called, {**known, name: tell})
    takes_index = name == "training_step" and len(inspect.signature(model.training_step).parameters) > 1
    assert same((*call.args, 0) if takes_index else call.args, args) and same(call.kwargs, kwargs)


def same(one: Any, other: Any) -> bool:
    """Whether two structures of the very same tensors are equal."""
    if isinstance(one, Tensor):
        return one is other
    if isinstance(one, dict | UserDict):
        return type(one) is type(other) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, tuple | list):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_what_was_given_is_left_alone() -> None:
    batch = UserDict(x=X.numpy(), labels=[Y.numpy()])
    before = copy.deepcopy(batch)
    measured(OfX(), batch)
    assert isinstance(batch["x"], np.ndarray) and isinstance(batch["labels"][0], np.ndarray)
    assert np.array_equal(batch["x"], before["x"])
