"""Numbers of the paper's published implementation: LSTM and GRU."""

import pytest
import torch
from parity import assert_matches, load, reference_name, torch_module
from torch import Tensor, nn

from multistable import vaa, vaa_star
from multistable.dynamics import Stack, stacks

NETWORKS = [("lstm", nn.LSTM), ("gru", nn.GRU)]


def stack_of(module: nn.Module) -> Stack:
    (stack,) = stacks(module)
    return stack


def flat(states: Tensor) -> Tensor:
    """(states, layers, B, H) as flat states: layer by layer, h before c within a layer."""
    return states.permute(2, 1, 0, 3).flatten(1)


@pytest.mark.parametrize(("cell", "kind"), NETWORKS)
def test_outputs_and_states(cell: str, kind: type[nn.GRU | nn.LSTM]) -> None:
    reference = load(cell)
    stack = stack_of(torch_module(kind, reference))
    outputs, last = stack.scan(reference["x"], stack.zero_state(reference["x"].shape[1]))
    assert_matches(
        nn.functional.linear(outputs, reference["param/linear.weight"], reference["param/linear.bias"]), reference["y"]
    )
    assert_matches(last, flat(reference["hn"]))


@pytest.mark.parametrize(("cell", "kind"), NETWORKS)
def test_prefixes_lead_to_the_states(cell: str, kind: type[nn.GRU | nn.LSTM]) -> None:
    reference = load(cell)
    assert_matches(
        stack_of(torch_module(kind, reference)).run(reference["x"], lengths=reference["cut"]), flat(reference["h0"])
    )


@pytest.mark.parametrize(("cell", "kind"), NETWORKS)
def test_vaa_star_loss_and_every_gradient(cell: str, kind: type[nn.GRU | nn.LSTM]) -> None:
    reference = load(cell)
    module = torch_module(kind, reference)
    stack = stack_of(module)
    reached = stack.split(stack.run(reference["x"], lengths=reference["cut"]))
    values = torch.stack(
        [
            vaa_star(layer.hold(start, reference[f"u{k}"], int(reference["M"])))
            for k, (layer, start) in enumerate(zip(stack.parts, reached, strict=True))
        ]
    )
    loss = ((values - 0.95) ** 2).mean()
    loss.backward()
    assert_matches(values.detach(), reference["vaa_star"])
    assert_matches(loss.detach(), reference["loss"])
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        assert_matches(parameter.grad, reference[reference_name(name).replace("param/", "grad/")])


@pytest.mark.parametrize(("cell", "kind"), NETWORKS)
def test_whole_stack_under_one_constant_input(cell: str, kind: type[nn.GRU | nn.LSTM]) -> None:
    reference = load(cell)
    stack = stack_of(torch_module(kind, reference))
    states = stack.hold(flat(reference["h0"]), reference["vaa/u"], int(reference["vaa/M"])).detach()
    assert_matches(states, reference["vaa/states"])
    for tolerance in ("1e-2", "1e-4"):
        assert_matches(vaa(states, float(tolerance)), reference[f"vaa/value_eps{tolerance}"])
