import copy
import re
from typing import Any

import pytest
import torch
from torch import nn

from multistable import measure, warmup
from multistable.nn import BRC, NBRC, DoubleLayer
from multistable.rl import DRQN

I, H, A = 5, 6, 3

RECURRENT: dict[str, Any] = {
    "rnn": lambda: nn.RNN(I, H, 2),
    "gru": lambda: nn.GRU(I, H, 2),
    "gru, batch first": lambda: nn.GRU(I, H, 2, batch_first=True),
    "lstm": lambda: nn.LSTM(I, H, 2),
    "projected lstm": lambda: nn.LSTM(I, H, proj_size=4),
    "nbrc": lambda: NBRC(I, H, 2),
    "double lstm": lambda: DoubleLayer(nn.LSTM, I, H, 2),
    "gru cell": lambda: nn.GRUCell(I, H),
}
every = pytest.mark.parametrize("kind", RECURRENT)


def build(kind: str, device: torch.device | str = "cpu") -> DRQN:
    torch.manual_seed(0)
    return DRQN(RECURRENT[kind](), A).double().to(device)


@every
def test_a_step_at_a_time_is_the_whole_sequence(kind: str, device: torch.device) -> None:
    network = build(kind, device)
    inputs = torch.randn(7, 4, I, dtype=torch.float64, device=device)
    values, last = network(inputs)
    state = network.zero_state(4)
    for t in range(7):
        now, state = network.step(inputs[t], state)
        torch.testing.assert_close(now, values[t], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(state, last, rtol=1e-12, atol=1e-12)
    later, _ = network(inputs[4:], network(inputs[:4])[1])
    torch.testing.assert_close(later, values[4:], rtol=1e-12, atol=1e-12)


@every
def test_last_values_are_those_at_the_ends_whatever_comes_behind(kind: str, device: torch.device) -> None:
    network = build(kind, device)
    inputs = torch.randn(7, 4, I, dtype=torch.float64, device=device)
    lengths = torch.tensor([3, 7, 1, 5])
    values, _ = network(inputs)
    expected = torch.stack([values[length - 1, row] for row, length in enumerate(lengths)])
    torch.testing.assert_close(network.last_values(inputs, lengths), expected, rtol=1e-12, atol=1e-12)
    behind = torch.arange(7)[:, None] >= lengths
    changed = inputs.masked_fill(behind[..., None].to(device), 9)
    torch.testing.assert_close(network.last_values(changed, lengths), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["gru", "lstm", "nbrc"])
def test_values_are_those_of_the_module_and_the_head(kind: str) -> None:
    network = build(kind)
    inputs = torch.randn(7, 4, I, dtype=torch.float64)
    expected = network.head(network.recurrent(inputs)[0])
    torch.testing.assert_close(network(inputs)[0], expected, rtol=1e-12, atol=1e-12)


def test_a_copy_has_weights_of_its_own() -> None:
    network = build("gru")
    inputs = torch.randn(3, 2, I, dtype=torch.float64)
    before, _ = network(inputs)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert torch.equal(network(inputs)[0], before)
    assert not other(inputs)[0].any()


def test_the_head_has_the_layers_dtype() -> None:
    assert DRQN(nn.GRU(I, H, dtype=torch.float64), A).head.weight.dtype == torch.float64


def test_what_remembers_can_be_measured_and_warmed_up() -> None:
    network = build("double lstm").float()
    histories = [torch.randn(length, I) for length in (4, 9, 6)]
    head = network.head.weight.clone()
    result = warmup(network.recurrent, histories, steps=2, horizon=5, generator=0)
    assert result.history.layers == ("first.0.l0", "first.1.l0")
    assert measure(network.recurrent, histories, horizon=50, generator=0).horizon == 50
    assert torch.equal(network.head.weight, head)


@pytest.mark.parametrize(
    ("recurrent", "num_actions", "error", "message"),
    [
        ("gru", A, TypeError, "recurrent must be an nn.Module, got str"),
        (nn.Linear(I, H), A, ValueError, "recurrent must be a recurrent module, such as nn.GRU, got Linear"),
        (nn.Sequential(nn.GRU(I, H)), A, ValueError, "must be a recurrent module, such as nn.GRU, got Sequential"),
        (nn.GRU(I, H, 2, dropout=0.5), A, ValueError, "recurrent must have no dropout, got GRU with dropout 0.5"),
        (DoubleLayer(nn.GRU, I, H, 2, dropout=0.5), A, ValueError, "no dropout, got DoubleLayer with dropout 0.5"),
        (nn.LSTM(I, H, bidirectional=True), A, ValueError, "must run forwards alone, got a bidirectional LSTM"),
        (BRC(I, H, bidirectional=True), A, ValueError, "must run forwards alone, got a bidirectional BRC"),
        (nn.GRU(I, H), 0, ValueError, "num_actions must be at least 1, got 0"),
        (nn.GRU(I, H), 2.0, TypeError, "num_actions must be an int, got float"),
    ],
)
def test_bad_arguments(recurrent: Any, num_actions: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        DRQN(recurrent, num_actions)
