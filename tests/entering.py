"""Models around one GRU that take their batches in different forms."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from devices import here
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import Dataset

from multistable import measure

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


def measured(model: nn.Module, inputs: Any, **options: Any) -> Any:
    return measure(here(model), inputs, horizon=3, generator=1, **options)
