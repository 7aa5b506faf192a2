"""Arguments on another device than the module: they are moved there, or turned away with a message that says so."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from devices import here
from torch import Tensor, nn

import multistable
from multistable import attractors, fixed_points, held, margin_loss, measure, warmup

pytestmark = pytest.mark.usefixtures("device")
META = torch.device("meta")


class Model(nn.Module):
    """Two recurrent modules one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.GRU(2, 3), nn.GRU(3, 3)

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.second(self.first(values)[0])[0]
        return outputs


ENTRIES: dict[str, Callable[..., Any]] = {
    "measure": lambda *given, **options: measure(*given, horizon=20, **options),
    "warmup": lambda *given, **options: warmup(*given, steps=1, **options),
    "attractors": lambda *given, **options: attractors(*given, horizon=128, **options),
    "fixed_points": lambda *given, **options: fixed_points(*given, starts=4, **options),
}
entries = pytest.mark.parametrize("entry", ENTRIES)


@entries
@pytest.mark.parametrize("kind", [lambda: nn.GRU(2, 3), Model], ids=["layer", "model"])
def test_inputs_are_moved_to_the_module(entry: str, kind: Callable[[], nn.Module], device: torch.device) -> None:
    torch.manual_seed(0)
    module, inputs = here(kind()), torch.randn(6, 4, 2)
    mapped = {"values": inputs} if isinstance(module, Model) else [*inputs.unbind(1)]
    for given in (inputs, mapped, [inputs, here(inputs)]):
        ENTRIES[entry](module, given, generator=torch.Generator(device))
    assert all(parameter.device.type == device.type for parameter in module.parameters())


@pytest.mark.parametrize("entry", ["measure", "attractors", "fixed_points"])
def test_a_constant_input_is_moved_to_the_module(entry: str) -> None:
    module, inputs, u = here(nn.GRU(2, 3)), torch.randn(6, 4, 2), torch.randn(2)
    ENTRIES[entry](module, inputs, u=u)
    ENTRIES[entry](module, inputs, u=here(u))


@pytest.mark.parametrize("entry", ["attractors", "fixed_points"])
def test_states_are_moved_to_the_module(entry: str) -> None:
    states = torch.randn(4, 3)
    ENTRIES[entry](here(nn.GRU(2, 3)), states=states)
    ENTRIES[entry](here(nn.GRU(2, 3)), states=here(states))


@entries
def test_meta_tensors_are_turned_away(entry: str) -> None:
    gru, inputs = here(nn.GRU(2, 3)), torch.randn(6, 4, 2)
    message = "^inputs must be an ordinary tensor, got a meta tensor$"
    for module, given in (
        (gru, inputs.to(META)),
        (gru, [inputs[:, 0], inputs[:, 1].to(META)]),
        (here(Model()), inputs.to(META)),
        (here(Model()), {"values": inputs.to(META)}),
    ):
        with pytest.raises(ValueError, match=message):
            ENTRIES[entry](module, given)


@entries
def test_modules_on_two_devices_are_turned_away(entry: str, device: torch.device) -> None:
    model, inputs = here(Model()), here(torch.randn(6, 4, 2))
    model.second.to(META)
    message = (
        rf"^recurrent modules must be on one device, got 'first\.l0' on {device}(:\d)?, 'second\.l0' on meta; `lay"
    )
    with pytest.raises(ValueError, match=message):
        ENTRIES[entry](model, inputs)


@pytest.mark.parametrize("function", [held, margin_loss])
def test_states_of_held_are_where_the_layer_is(function: Callable[..., Any], device: torch.device) -> None:
    layer = here(multistable.nn.GRU(2, 3, hardness=0.3))
    states = torch.randn(1, 4, 3)
    function(layer, here(states), 1.0)
    with pytest.raises(ValueError, match=rf"must have the module's dtype and device \(torch\.float32, {device}"):
        function(layer, states.to(META), 1.0)
    with pytest.raises(ValueError, match="^hardness of module must be an ordinary tensor, got a meta tensor$"):
        function(layer.to(META), states.to(META), 1.0)


def test_given_states_on_the_meta_device_are_turned_away() -> None:
    with pytest.raises(ValueError, match="^states must be an ordinary tensor, got a meta tensor$"):
        attractors(here(nn.GRU(2, 3)), states=torch.randn(4, 3, device=META))
