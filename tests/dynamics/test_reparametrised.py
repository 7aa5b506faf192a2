"""Layers whose weights are computed from others are seen as they compute, and warmed up by those others."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import multistable.nn
from multistable import attractors, measure, warmup
from multistable.dynamics import jacobians, stacks

pytestmark = pytest.mark.usefixtures("device")

I, H, B, T = 2, 4, 5, 6


class Shifted(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight + 1


def own(module: nn.Module, name: str) -> None:
    parametrize.register_parametrization(module, name, Shifted())


def pruned_twice(module: nn.Module, name: str) -> None:
    prune.l1_unstructured(module, name, amount=0.3)
    prune.random_unstructured(module, name, amount=0.2)


def old_weight_norm(module: nn.Module, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(module, name)


METHODS: dict[str, tuple[Callable[..., Any], int]] = {
    "weight norm": (parametrizations.weight_norm, 2),
    "spectral norm": (parametrizations.spectral_norm, 1),
    "orthogonal": (parametrizations.orthogonal, 1),
    "one's own": (own, 1),
    "pruned": (lambda module, name: prune.l1_unstructured(module, name, amount=0.5), 1),
    "pruned twice": (pruned_twice, 1),
    "weight norm as a hook": (old_weight_norm, 2),
    "spectral norm as a hook": (nn.utils.spectral_norm, 1),
}
MODULES: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "GRU": (lambda: nn.GRU(I, H), "weight_hh_l0"),
    "LSTM": (lambda: nn.LSTM(I, H, 2, bidirectional=True), "weight_ih_l1_reverse"),
    "RNNCell": (lambda: nn.RNNCell(I, H), "weight_hh"),
    "our GRU": (lambda: multistable.nn.GRU(I, H), "weight_hh_l0"),
}
every_method = pytest.mark.parametrize("method", METHODS)


def made(kind: str, method: str) -> Any:
    torch.manual_seed(0)
    module, name = MODULES[kind][0](), MODULES[kind][1]
    METHODS[method][0](module, name)
    return here(module.double())


def called(module: Any, inputs: Tensor) -> Tensor:
    """What it makes of sequences, by its own calls."""
    if isinstance(module, nn.RNNCellBase):
        state: Any = None
        for u in inputs:
            state = module(u, state)
        return state  # type: ignore[no-any-return]
    outputs: Tensor = module(inputs)[0]
    return outputs


@pytest.mark.parametrize(("kind", "method"), [
    *(("GRU", method) for method in METHODS), *((kind, "weight norm") for kind in MODULES if kind != "GRU"),
    ("our GRU", "pruned"), ("RNNCell", "spectral norm"),
])  # fmt: skip
def test_the_map_is_the_modules_with_all_gradients(kind: str, method: str) -> None:
    module = made(kind, method)
    module.eval()
    inputs = random(T, B, I)
    (stack,) = stacks(module)
    expected, found = called(module, inputs), stack.run(inputs)
    if kind == "LSTM":
        expected = module(inputs)[1]
        expected = torch.cat([torch.cat(layer, -1) for layer in zip(*expected, strict=True)], -1)
    elif kind != "RNNCell":
        expected = expected[-1]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    parameters = list(module.parameters())
    assert {id(one) for one in stack.parameters()} == {id(one) for one in parameters}
    of_end = random(*expected.shape)
    torch.testing.assert_close(
        torch.autograd.grad(found, parameters, of_end), torch.autograd.grad(expected, parameters, of_end)
    )


@every_method
def test_the_map_has_slopes(method: str) -> None:
    module = made("our GRU", method)
    (stack,) = stacks(module)
    s, u = random(3, H), random(I)
    step = 1e-6
    expected = [
        (stack.step(s + step * one, u) - stack.step(s - step * one, u)) / (2 * step) for one in here(torch.eye(H))
    ]
    torch.testing.assert_close(jacobians(stack, s, u), torch.stack(expected, -1), rtol=1e-6, atol=1e-8)


@every_method
def test_warmup_reaches_what_the_weights_are_computed_from(method: str) -> None:
    module = made("GRU", method)
    module.train()
    inputs = random(T, B, I)
    module(inputs)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    measure(module, inputs, horizon=3, generator=0)
    attractors(module, inputs, horizon=128, generator=0)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    warmup(module, inputs, steps=2, horizon=2, generator=0)
    changed = {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {key for key, _ in module.named_parameters()}
    assert len(changed) == 3 + METHODS[method][1]
    after = stacks(module)[0].run(inputs)
    torch.testing.assert_close(module.eval()(inputs)[1][0], after, rtol=1e-12, atol=1e-12)


@every_method
def test_attractors_are_those_of_a_layer_with_these_weights(method: str) -> None:
    module = made("GRU", method)
    module.eval()
    inputs = random(T, B, I)
    module(inputs)
    plain = here(nn.GRU(I, H).double())
    with torch.no_grad():
        for key in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(plain, key).copy_(getattr(module, key))
    found, expected = (attractors(one, inputs, horizon=128, generator=0) for one in (module, plain))
    torch.testing.assert_close(found.attractors[0].state, expected.attractors[0].state, rtol=1e-9, atol=1e-9)
    assert found.labels == expected.labels and found.kinds == expected.kinds


def test_a_pruned_weight_stays_pruned() -> None:
    module = made("GRU", "pruned")
    gone = module.weight_hh_l0_mask == 0
    original = module.weight_hh_l0_orig.detach().clone()
    warmup(module, random(T, B, I), steps=3, horizon=3, generator=0)
    assert torch.equal(module.weight_hh_l0_orig[gone], original[gone])
    assert not torch.equal(module.weight_hh_l0_orig[~gone], original[~gone])


def test_what_is_frozen_stays() -> None:
    module = made("GRU", "weight norm")
    module.parametrizations.weight_hh_l0.original0.requires_grad_(False)
    before = module.parametrizations.weight_hh_l0.original0.clone()
    warmup(module, random(T, B, I), steps=2, horizon=2, generator=0)
    assert torch.equal(module.parametrizations.weight_hh_l0.original0, before)
