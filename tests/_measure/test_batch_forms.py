"""However a batch enters a model, its recurrent layer receives the same sequences, and the same comes out."""

import copy
import inspect
import re
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from devices import here
from entering import (
    LENGTHS,
    I,
    Items,
    Keyed,
    N,
    Named,
    Net,
    OfAll,
    OfBatch,
    OfPair,
    OfTensor,
    OfUnknown,
    OfX,
    OfXAndLengths,
    OfXAndState,
    Step,
    T,
    X,
    Y,
    measured,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset

from multistable import attractors
from multistable.dynamics._model_call import model_call

pytestmark = pytest.mark.usefixtures("device")

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


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_batch(form: str) -> None:
    kind, batch = FORMS[form]
    expected, found = measured(OfX(), X), measured(kind(), batch)
    assert found == expected and torch.equal(found.states, expected.states)


def test_an_argument_that_may_be_none_or_a_tuple_gets_all_of_it() -> None:
    class OfPair(OfX):
        def forward(self, pair: tuple[Tensor, Tensor] | None) -> Any:
            assert pair is not None and len(pair) == 2
            return super().forward(pair[0])

    assert measured(OfPair(), (X, Y)) == measured(OfX(), X)


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


def table() -> list[tuple[str, str, str]]:
    """The rows of the page's table: a batch, a signature, and the call that is made."""
    page = (Path(__file__).parents[2] / "docs" / "your-own-model.md").read_text()
    start = page.index("| batch | the model has | what is called |")
    rows = page[start : page.index("\n\n", start)].splitlines()[2:]
    return [tuple(re.fullmatch(r"\| `(.*)` \| `(.*)` \| `(.*)` \|", row).groups()) for row in rows]  # type: ignore[union-attr]


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
    batch: Any = UserDict(x=X.numpy(), labels=[Y.numpy()])
    before = copy.deepcopy(batch)
    measured(OfX(), batch)
    assert isinstance(batch["x"], np.ndarray) and isinstance(batch["labels"][0], np.ndarray)
    assert np.array_equal(batch["x"], before["x"])
