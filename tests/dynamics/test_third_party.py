"""Modules of other packages: that they are seen as what they are, and how many attractors they can have.

Each package that is not installed is left out.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import attractors, measure
from multistable.dynamics import dynamics, record, stacks

T, B = 7, 5
Built = tuple[Any, Callable[[Any, Tensor], Tensor]]
"""A module, and from it and inputs (B, T, I) the state that it comes to by itself, flat."""


def package(name: str) -> Any:
    # Some of them need a build for the very version of torch.
    return pytest.importorskip(name, exc_type=ImportError)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def continuous(kind: str, units: Any = 6, **options: Any) -> Built:
    ncps = package("ncps.torch")

    def last(module: Any, inputs: Tensor) -> Tensor:
        # The zeros that it starts from by itself are in single precision.
        zeros = inputs.new_zeros(len(inputs), module.state_size)
        given = inputs if module.batch_first else inputs.transpose(0, 1)
        _, state = module(given, (zeros, zeros) if module.use_mixed else zeros)
        return torch.cat(state, -1) if module.use_mixed else state

    return getattr(ncps, kind)(3, units, **options), last


def wired(kind: str) -> Built:
    return continuous(kind, package("ncps.wirings").AutoNCP(12, 2))


def mingru(**options: Any) -> Built:
    module = package("minGRU_pytorch").minGRU(3, **options)
    return module, lambda module, inputs: module(inputs, return_next_prev_hidden=True)[1][:, 0]


def mamba(**options: Any) -> Any:
    package("mambapy")
    file = package("mambapy.mamba")
    return file.MambaBlock(file.MambaConfig(d_model=3, n_layers=1, d_state=4, **options))


def slstm(**options: Any) -> Built:
    file = package("xlstm.blocks.slstm.layer")
    options = {"num_heads": 2, "recurrent_weight_init": "standard", "bias_init": "standard"} | options
    module = file.sLSTMLayer(file.sLSTMLayerConfig(embedding_dim=4, backend="vanilla", **options))
    module.reset_parameters()

    def last(module: Any, inputs: Tensor) -> Tensor:
        _, states = module(inputs, return_last_state=True)
        window = states["conv_state"]
        cell = states["slstm_state"].transpose(0, 1).flatten(1)
        return cell if window is None else torch.cat([cell, window.flatten(1)], -1)

    return module, last


def slstm_cell() -> Built:
    layer, _ = slstm()
    return layer.slstm_cell, lambda cell, gates: cell(gates)[1].transpose(0, 1).flatten(1)


def torchrl_layer(kind: str, **options: Any) -> Built:
    module = getattr(package("torchrl.modules"), kind)(3, 4, **options)

    def last(module: Any, inputs: Tensor) -> Tensor:
        _, state = module(inputs if module.batch_first else inputs.transpose(0, 1))
        parts = state if isinstance(state, tuple) else (state,)
        return torch.cat([part for layer in zip(*parts, strict=True) for part in layer], -1)

    return module, last


BUILT: dict[str, Callable[[], Built]] = {
    "CfC": lambda: continuous("CfC", backbone_units=9),
    "CfC, time first": lambda: continuous("CfC", batch_first=False, proj_size=2),
    "CfC, no gate": lambda: continuous("CfC", mode="no_gate", backbone_layers=2, return_sequences=False),
    "CfC, pure": lambda: continuous("CfC", mode="pure", backbone_layers=0),
    "CfC, mixed memory": lambda: continuous("CfC", mixed_memory=True),
    "CfC, wired": lambda: wired("CfC"),
    "LTC": lambda: continuous("LTC"),
    "LTC, mixed memory": lambda: continuous("LTC", mixed_memory=True, batch_first=False),
    "LTC, wired": lambda: wired("LTC"),
    "minGRU": mingru,
    "minGRU, expanded": lambda: mingru(expansion_factor=2.0),
    "sLSTM": slstm,
    "sLSTM, no convolution": lambda: slstm(conv1d_kernel_size=0),
    "sLSTM cell": slstm_cell,
    "torchrl GRU": lambda: torchrl_layer("GRU", num_layers=2),
    "torchrl LSTM": lambda: torchrl_layer("LSTM", num_layers=2, batch_first=False, bias=False),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", BUILT)
def test_steps_lead_to_the_state_that_the_module_comes_to(name: str) -> None:
    module, last = BUILT[name]()
    (stack,) = stacks(module.double())
    inputs = random(T, B, stack.input_size)
    with torch.no_grad():
        expected = last(module, inputs.transpose(0, 1))
        state = torch.zeros_like(expected)
        for u in inputs:
            state = stack.step(state, u)
    equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)
    equal(stack.run(inputs), expected)
    equal(state, expected)
    # A copy in double precision computes the same.
    equal(stack.in_float64().run(inputs), expected)


@pytest.mark.parametrize("window", [2, 4])
def test_a_mamba_block_goes_on_from_the_state(window: int) -> None:
    block = mamba(d_conv=window).double()
    (layer,) = dynamics(block)
    inputs = random(T, B, 3)
    h, kept = layer.run(inputs[:-1]).split([6 * 4, 6 * (window - 1)], -1)
    with torch.no_grad():
        output, _ = block.step(inputs[-1], (h.unflatten(1, (6, 4)), kept.unflatten(1, (6, window - 1))))
        torch.testing.assert_close(output, block(inputs.transpose(0, 1))[:, -1], rtol=1e-6, atol=1e-7)


class InTwoCalls(nn.Module):
    """Runs a layer on the first steps of sequences, and goes on from where that came to."""

    def __init__(self, layer: nn.Module, go_on: Callable[[Any], dict[str, Any]], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.layer, self.go_on, self.options = layer, go_on, options

    def forward(self, inputs: Tensor) -> Tensor:
        first, second = inputs.split([3, inputs.shape[1] - 3], 1)
        _, state = self.layer(first, **self.options)
        outputs: Tensor = self.layer(second, **self.go_on(state), **self.options)[0]
        return outputs


@pytest.mark.parametrize(("name", "go_on", "options"), [
    ("CfC", lambda state: {"hx": state}, {}),
    ("CfC, mixed memory", lambda state: {"hx": state}, {}),
    ("minGRU", lambda state: {"prev_hidden": state}, {"return_next_prev_hidden": True}),
    ("sLSTM", lambda state: state, {"return_last_state": True}),
    ("sLSTM cell", lambda state: {"state": state}, {}),
    ("torchrl GRU", lambda state: {"hx": state}, {}),
])  # fmt: skip
def test_calls_that_go_on_are_read_with_their_state(
    name: str, go_on: Callable[[Any], dict[str, Any]], options: dict[str, Any]
) -> None:
    layer, last = BUILT[name]()
    model = InTwoCalls(layer, go_on, options)
    (stack,) = stacks(model)
    inputs = random(B, T, stack.input_size).float()
    (seen,) = record(model, [stack], inputs, torch.Generator())
    reached = stack.run(seen.inputs, seen.state, seen.lengths)[-B:]
    torch.testing.assert_close(reached, last(layer, inputs))


def test_time_spans_are_refused() -> None:
    layer, _ = continuous("CfC")

    class Sampled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = layer

        def forward(self, inputs: Tensor) -> Tensor:
            return self.rnn(inputs, timespans=inputs[..., 0])[0]  # type: ignore[no-any-return]

    message = (
        r"^timespans of ncps\.torch\.cfc\.CfC must be None, got Tensor: under a constant input, steps are 1.0 apart$"
    )
    with pytest.raises(ValueError, match=message):
        measure(Sampled(), torch.randn(6, T, 3), horizon=10)


# What is given to them under a constant input decides where they go, whatever the state: exactly one attractor.


def certified(module: nn.Module, inputs: Tensor, **options: Any) -> Any:
    found = attractors(module, inputs, generator=0, **options)
    assert found.shares["equilibrium"] == 1
    return found


def test_a_mingru_goes_where_its_input_says() -> None:
    layer, _ = mingru()
    found = certified(layer, torch.randn(20, T, 3))
    hidden, _ = layer.to_hidden_and_gate.double()(found.u).chunk(2)
    assert found.count == 1
    torch.testing.assert_close(
        found.attractors[0].state, torch.where(hidden >= 0, hidden + 0.5, hidden.sigmoid()), rtol=1e-9, atol=1e-9
    )


def test_a_mamba_block_has_one_attractor() -> None:
    block = mamba()
    for parameter in block.parameters():  # whatever the weights
        parameter.data.add_(0.5 * torch.randn_like(parameter))
    assert certified(block, torch.randn(20, T, 3)).count == 1


def test_an_slstm_without_recurrent_weights_has_one_attractor() -> None:
    layer, _ = slstm(recurrent_weight_init="zeros")
    found = certified(layer, torch.randn(20, T, 4))
    assert found.count == 1
    bias = layer.slstm_cell._bias_int2ext(layer.slstm_cell._bias).double()  # (heads, gates, width)
    z, o = layer.double().zgate(found.u) + bias[:, 2].flatten(), layer.ogate(found.u) + bias[:, 3].flatten()
    torch.testing.assert_close(found.attractors[0].state[:4], o.sigmoid() * z.tanh(), rtol=1e-9, atol=1e-9)


# These can have many, and by which weights is known by hand.


def test_a_cfc_can_have_as_many_as_a_tanh_network() -> None:
    """Without a backbone and with a closed time gate, h' = tanh(W h): for W = 2 there are 2^6, at ±m = tanh(±2 m)."""
    layer, _ = continuous("CfC", backbone_layers=0)
    cell = layer.rnn_cell
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(cell.time_b.bias, -1e3)
    cell.ff1.weight.data[:, 3:] = 2 * torch.eye(6)
    found = attractors(layer, states=torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 6), u=0)
    assert (found.count, found.shares["equilibrium"]) == (2**6, 1)
    m = found.attractors[0].state.abs()
    torch.testing.assert_close(m, (2 * m).tanh(), rtol=1e-9, atol=0)


def test_an_ltc_can_have_two_in_a_unit() -> None:
    """One unit that excites itself: 0.1 v = w(v) (1 - v) has two stable solutions, one near 0 and one near 1."""
    layer, _ = continuous("LTC", 1, input_mapping=None, implicit_param_constraints=False)
    cell = layer.rnn_cell
    values = {"gleak": 0.1, "vleak": 0.0, "cm": 1.0, "w": 1.0, "erev": 1.0, "mu": 0.5, "sigma": 20.0, "sensory_w": 1.0}
    for name, value in values.items():
        nn.init.constant_(getattr(cell, name), value)
    nn.init.constant_(cell.sensory_erev, 0.0)
    nn.init.constant_(cell.sensory_mu, 1e3)  # inputs do nothing
    states = torch.linspace(0, 1, 20)[:, None]
    found = attractors(layer, states=states, u=0)
    assert (found.count, found.shares["equilibrium"]) == (2, 1)
    for one in found.attractors:
        v = one.state
        pull = (20 * (v - 0.5)).sigmoid() * (1 - v) - 0.1 * v
        torch.testing.assert_close(pull, torch.zeros_like(v), rtol=0, atol=1e-7)


def test_an_slstm_can_have_two_in_a_unit() -> None:
    """y = σ(o) tanh(w y): for σ(o) = 1 and w = 2 two stable solutions, ±m with m = tanh(2 m)."""
    layer, _ = slstm(num_heads=4, conv1d_kernel_size=0)
    cell = layer.slstm_cell
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    weight, bias = torch.zeros(4, 1, 4, 1), torch.zeros(4, 4, 1)  # heads, in, gates (i, f, z, o), out
    weight[:, :, 2] = 2
    bias[:, 3] = 30
    cell._recurrent_kernel_.data = cell._recurrent_kernel_ext2int(weight)
    cell._bias_.data = cell._bias_ext2int(bias)
    y, n = 2 * torch.rand(64, 4) - 1, torch.ones(64, 4)
    found = attractors(layer, states=torch.cat([y, y, n, 0 * n], -1), u=0)
    assert (found.count, found.shares["equilibrium"]) == (2**4, 1)
    m = found.attractors[0].state[:4].abs()
    torch.testing.assert_close(m, (2 * m).tanh(), rtol=1e-9, atol=0)


def test_the_normaliser_does_not_tell_states_apart() -> None:
    """With a forget gate that is open to 1 - e^-8, n takes thousands of steps, where y is at its end at once."""
    layer, _ = slstm(recurrent_weight_init="zeros", conv1d_kernel_size=0)
    bias = torch.zeros(2, 4, 2)
    bias[:, 1] = 8
    layer.slstm_cell._bias_.data = layer.slstm_cell._bias_ext2int(bias)
    nn.init.zeros_(layer.zgate.weight)
    for gate in (layer.fgate, layer.igate):
        nn.init.normal_(gate.weight)
    found = measure(layer, torch.randn(30, T, 4), horizon=200, generator=0)
    assert found.vaa == pytest.approx(1 / 30)
    assert found.residual > 0.1  # of the whole state
