"""What `FlopCounterMode` counts of the operators: what it counts of the same in plain operations."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.flop_counter import FlopCounterMode

from multistable.nn import BRC, GRU, LSTM, MGU, NBRC

I, H, B, T = 3, 2, 4, 7  # H = 2 makes weight_hh of a BRC square


def counted(function: Any, *arguments: Any) -> tuple[int, int]:
    """Of the call, and with the backward pass."""
    with FlopCounterMode(display=False) as counter:
        outputs, _ = function(*arguments)
        of_call = counter.get_total_flops()
        (outputs if isinstance(outputs, Tensor) else outputs.data).sum().backward()
    return of_call, counter.get_total_flops()


@pytest.mark.parametrize("kind", [LSTM, MGU, BRC, NBRC])
@pytest.mark.parametrize("of_inputs", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_the_same_as_of_the_reference(kind: Any, of_inputs: bool, packed: bool) -> None:
    layer, lengths = kind(I, H), [5, 3, 3, 1]
    weights = [one.detach().requires_grad_() for one in layer.as_given(layer.weights("_l0"))]
    x = torch.randn(sum(lengths), I) if packed else torch.randn(T, B, I)
    sizes = pack_sequence([torch.ones(length) for length in lengths]).batch_sizes if packed else None
    h = torch.zeros(B, H * kind.recurrence.parts, requires_grad=True)
    given = (x.requires_grad_(of_inputs), h, *weights, sizes)
    assert counted(kind.recurrence, *given) == counted(kind.recurrence.reference, *given)


@pytest.mark.parametrize("kind", [GRU, LSTM, MGU, BRC, NBRC])
def test_a_held_state_counts_as_its_steps(kind: Any) -> None:
    recurrence, weight_hh = kind.recurrence, kind(I, H).weight_hh_l0.detach()
    drive, h = torch.randn(recurrence.bias_gates * H), torch.randn(B, recurrence.parts * H)
    with FlopCounterMode(display=False) as of_steps:
        for _ in range(3):
            recurrence.step(drive, h, weight_hh)
    with FlopCounterMode(display=False) as of_hold:
        recurrence.hold(drive, h, weight_hh, 3)
    assert of_hold.get_total_flops() == of_steps.get_total_flops()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gru_counts_as_torchs(layers: int) -> None:
    x, h = torch.randn(T, B, I, requires_grad=True), torch.zeros(layers, B, H, requires_grad=True)
    assert counted(GRU(I, H, layers), x, h) == counted(nn.GRU(I, H, layers), x, h)
