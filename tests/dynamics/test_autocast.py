"""Models that run under autocast: what their layers receive in half precision is read in the layers' own."""

from typing import Any

import pytest
import torch
from devices import current, here, randn
from torch import Tensor, nn

from multistable import measure, warmup
from multistable.dynamics import record, stacks
from multistable.nn import GRU, BRCCell, DoubleLayer

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 4, 6, 5


class Model(nn.Module):
    """Half precision from the first layer to the second, in time or step by step."""

    def __init__(self, rnn: nn.Module, cell: bool) -> None:
        super().__init__()
        self.embedding, self.rnn, self.cell = nn.Linear(2, I), rnn, cell

    def forward(self, x: Tensor) -> Any:
        with torch.autocast(current().type, torch.bfloat16):
            x = self.embedding(x)
            assert x.dtype == torch.bfloat16
            if not self.cell:
                state = torch.full((1, x.shape[1], H), 0.5, dtype=x.dtype, device=x.device)
                return self.rnn(x, (state, state) if isinstance(self.rnn, nn.LSTM) else state)[0]
            h = None
            for now in x:
                h = self.rnn(now, h)
            return h


MODELS = {
    "gru": (nn.GRU, False), "lstm": (nn.LSTM, False), "ours": (GRU, False), "cell": (nn.GRUCell, True),
    "lstm cell": (nn.LSTMCell, True), "our cell": (BRCCell, True),
    "double": (lambda i, h: DoubleLayer(nn.GRU, i, h), False),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "cell"), MODELS.values(), ids=MODELS)
def test_models_are_measured_and_warmed_up(kind: Any, cell: bool) -> None:
    torch.manual_seed(0)
    model, x = here(Model(kind(I, H), cell)), randn(T, B, 2, seed=0)
    (received,) = record(model, stacks(model), x, torch.Generator())
    assert received.inputs.dtype == torch.float32 and received.inputs.shape == (T, B, I)
    with torch.autocast(current().type, torch.bfloat16):
        assert torch.equal(received.inputs, model.embedding(x).float())
    assert cell or (received.state is not None and bool((received.state == 0.5).all()))
    assert measure(model, x, horizon=5, generator=0).states.dtype == torch.float32
    before = [parameter.clone() for parameter in model.rnn.parameters()]
    warmup(model, x, steps=1, horizon=5, generator=0)
    assert not all(torch.equal(one, other) for one, other in zip(model.rnn.parameters(), before, strict=True))


def test_without_autocast_another_dtype_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="^inputs of GRU must have its parameters' dtype torch.float32, got torch.bfl"):
        measure(here(nn.GRU(I, H)), randn(T, B, I, seed=0).bfloat16(), horizon=5)
