"""Other people's layers in short form: in one pass as step by step, and as torch has them."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from scripts import scripts
from torch import nn

NAMES = ("GRU", "LSTM", "minGRU", "minLSTM", "LRU", "LRU, slow", "Mamba", "sLSTM", "transformer")
TOLERANCE = 1e-10
"""Some hundred operations of rounding errors of 1e-16, on numbers that normalisation may enlarge."""


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("sequence_models", "scans") as found:
        yield found


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_every_model_is_tried(modules: SimpleNamespace) -> None:
    assert set(modules.sequence_models.MODELS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_equals_steps_and_members_equal_networks_alone(name: str, modules: SimpleNamespace) -> None:
    make, members = modules.sequence_models.MODELS[name], modules.sequence_models.members
    network = members(make, (3, 4)).double()
    inputs = drawn(2, 9, 3, 1)
    whole = network(inputs)[0]
    states = None
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            answers, states = network(inputs[:, t : t + 1], states)
            torch.testing.assert_close(answers, network(inputs[:, : t + 1])[0], rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(answers, whole, rtol=TOLERANCE, atol=TOLERANCE)
    for place, seed in enumerate((3, 4)):
        alone = members(make, (seed,)).double()(inputs[place : place + 1])[0]
        torch.testing.assert_close(whole[place : place + 1], alone, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("lstm", [False, True])
def test_plain_layers_are_those_of_torch(lstm: bool, modules: SimpleNamespace) -> None:
    torch.manual_seed(0)
    layer = modules.sequence_models.Plain(2, 5, lstm=lstm).double()
    theirs = (nn.LSTM if lstm else nn.GRU)(2, 5).double()
    order = [0, 1, 3, 2] if lstm else [0, 1, 2]  # ours to theirs: the cell's input comes third in torch
    names = {"enter": "weight_ih_l0", "recurrent": "weight_hh_l0", "enter_bias": "bias_ih_l0"}
    for ours, name in (names | {"recurrent_bias": "bias_hh_l0"}).items():
        parts = getattr(layer, ours).detach()[0].chunk(len(order), dim=-1)
        value = torch.cat([parts[place] for place in order], dim=-1).T
        getattr(theirs, name).data = value.reshape(getattr(theirs, name).shape)
    inputs = drawn(7, 3, 2)
    torch.testing.assert_close(layer(inputs[None], None, False)[0][0], theirs(inputs)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradient_of_the_linear_scan(dtype: torch.dtype, modules: SimpleNamespace) -> None:
    torch.manual_seed(0)
    given = [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in ((2, 4, 1, 3), (2, 4, 1, 3), (2, 1, 3))]
    assert torch.autograd.gradcheck(modules.scans.linear_scan, given)


def test_gradient_of_the_selective_scan(modules: SimpleNamespace) -> None:
    shapes = ((2, 4, 2, 3), (2, 5, 3), (2, 4, 2, 5), (2, 4, 2, 5), (2, 4, 2, 3))
    given = [drawn(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(lambda *one: modules.scans.selective_scan(*one, None)[0], given)
