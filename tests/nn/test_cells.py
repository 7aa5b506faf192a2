"""MGUCell, BRCCell and NBRCCell: a step of the layer, called as `nn.GRUCell` is."""

import re
from functools import partial
from typing import Any

import pytest
import torch
from devices import current, here, random
from torch import Tensor, nn

from multistable import attractors, init, measure, warmup
from multistable.dynamics import dynamics
from multistable.nn import BRC, MGU, NBRC, BRCCell, Hardening, MGUCell, NBRCCell, convert
from multistable.nn._cell import RecurrentCell
from multistable.nn._layer import RecurrentLayer

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 4, 6

PAIRS: dict[str, tuple[type[RecurrentCell], type[RecurrentLayer]]] = {
    "mgu": (MGUCell, MGU),
    "brc": (BRCCell, BRC),
    "nbrc": (NBRCCell, NBRC),
}
each = pytest.mark.parametrize(("kind", "layer_kind"), PAIRS.values(), ids=PAIRS)
each_cell = pytest.mark.parametrize("kind", [cell for cell, _ in PAIRS.values()], ids=PAIRS)
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)


def make(kind: Any, **options: Any) -> Any:
    """A cell or layer whose every parameter is random, so that each counts."""
    module = here(kind(I, H, **{"dtype": torch.float64, **options}))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(here(torch.randn(parameter.shape)) / 2)
    return module


@each
@pytest.mark.parametrize("hardness", [0, 0.3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(B,), ()], ids=["batched", "single"])
def test_steps_are_those_of_the_layer_whose_weights_it_has(
    kind: Any, layer_kind: Any, hardness: float, bias: bool, batch: tuple[int, ...]
) -> None:
    layer, cell = make(layer_kind, bias=bias, hardness=hardness), make(kind, bias=bias)
    weights = {name.removesuffix("_l0"): value for name, value in layer.state_dict().items()}
    assert cell.load_state_dict(weights) and cell.hardness == layer.hardness
    x, h0 = random(T, *batch, I).requires_grad_(), random(*batch, H).requires_grad_()
    expected, _ = layer(x, h0[None])
    h, states = h0, []
    for now in x:
        h = cell(now, h)
        states.append(h)
    equal(torch.stack(states), expected)
    equal(
        torch.autograd.grad(torch.stack(states).square().sum(), [x, h0, *cell.parameters()]),
        torch.autograd.grad(expected.square().sum(), [x, h0, *layer.parameters()]),
    )
    equal(cell(x[0]), cell(x[0], torch.zeros_like(h0)))


@each_cell
def test_a_held_unit_keeps_its_value_and_its_gradient_to_the_bit(kind: Any) -> None:
    cell = make(kind, hardness=0.1, dtype=torch.float32)
    with torch.no_grad():
        cell.bias[:2] += -99 if kind is MGUCell else 99  # of the gate that keeps, of two units
    h = here(torch.tensor([[0.1, -0.7, 0.2, 0.3, 0.4], [1e-30, 1 / 3, 3.0, 0.0, 1.0]])).requires_grad_()
    after = cell(random(2, I).float(), h)
    assert torch.equal(after[:, :2], h[:, :2]) and not torch.equal(after[:, 2:], h[:, 2:])
    (gradient,) = torch.autograd.grad(after[:, :2].sum(), h)
    assert torch.equal(gradient[:, :2], torch.ones_like(gradient[:, :2])) and not gradient[:, 2:].any()


@each_cell
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, when a dual tensor is first made
def test_all_derivatives(kind: Any) -> None:
    cell = make(kind, hardness=0.1)
    x, h = random(2, I).requires_grad_(), random(2, H).requires_grad_()
    assert torch.autograd.gradgradcheck(cell, (x, h))
    forward_mode = torch.func.jacfwd(cell, argnums=1)(x, h)
    equal(forward_mode, torch.func.jacrev(cell, argnums=1)(x, h))


@each_cell
def test_an_ensemble_of_different_hardness_under_vmap(kind: Any) -> None:
    cells, x = [make(kind, hardness=hardness) for hardness in (0.0, 0.1, 0.4)], random(B, I)
    parameters, buffers = torch.func.stack_module_state(cells)
    call = torch.func.vmap(lambda p, b: torch.func.functional_call(cells[0], (p, b), (x,)))
    equal(call(parameters, buffers), torch.stack([cell(x) for cell in cells]))


def test_exported_and_compiled_cells_follow_their_hardness() -> None:
    torch.compiler.reset()
    cell, x, h = make(NBRCCell), random(B, I), random(B, H)
    batch = torch.export.Dim("batch", min=1)
    exported: Any = torch.export.export(cell, (x, h), dynamic_shapes=({0: batch}, {0: batch})).module()
    compiled: Any = torch.compile(cell, backend="eager", fullgraph=True)
    for hardness in (0.0, 0.3):
        for one in (cell, exported):
            one.hardness.fill_(hardness)
        equal(exported(x[:3], h[:3]), cell(x[:3], h[:3]))
        equal(compiled(x, h), cell(x, h))


@each_cell
def test_autocast_keeps_the_state_in_the_dtype_of_the_weights(kind: Any) -> None:
    cell, x, h = make(kind, dtype=torch.float32), random(B, I).bfloat16(), random(B, H).bfloat16()
    with torch.autocast(current().type, torch.bfloat16):
        after = cell(x, h)
    assert torch.equal(after, cell(x.float(), h.float()))


@each
def test_it_is_drawn_as_a_layer_is_and_says_what_it_is(kind: Any, layer_kind: Any) -> None:
    torch.manual_seed(1)
    cell = kind(I, H)
    torch.manual_seed(1)
    layer = layer_kind(I, H)
    for one, other in zip(cell.parameters(), layer.parameters(), strict=True):
        assert torch.equal(one, other)
    assert list(cell.state_dict()) == ["weight_ih", "weight_hh", "bias"]
    assert repr(cell) == f"{kind.__name__}(3, 5)" and isinstance(cell, nn.RNNCellBase)
    hard = kind(I, H, bias=False, hardness=0.25)
    assert list(hard.state_dict()) == ["weight_ih", "weight_hh", "hardness"] and hard.bias is None
    assert repr(hard) == f"{kind.__name__}(3, 5, bias=False, hardness=0.25)"


class Reader(nn.Module):
    """A model that reads sequences with a cell."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Any:
        h = None
        for now in x:
            h = self.cell(now, h)
        return h


@each
def test_it_is_measured_warmed_up_and_searched_as_its_layer_is(kind: Any, layer_kind: Any) -> None:
    layer, cell, x = make(layer_kind), make(kind), random(T, 8, I)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    (part,) = dynamics(cell)
    assert part.name == "cell" and list(map(id, part.parameters())) == list(map(id, cell.parameters()))
    equal(part.step(random(B, H, seed=0), random(B, I, seed=1)), cell(random(B, I, seed=1), random(B, H, seed=0)))
    for one, other in ((cell, layer), (Reader(cell), nn.Sequential(layer))):
        equal(measure(one, x, horizon=20, generator=0).states, measure(other, x, horizon=20, generator=0).states)
    assert attractors(cell, x, horizon=200, generator=0).labels == attractors(layer, x, horizon=200, generator=0).labels
    of_layer = warmup(layer, x, steps=2, horizon=10, generator=0)
    of_cell = warmup(cell, x, steps=2, horizon=10, generator=0)
    assert of_cell.history.loss == pytest.approx(of_layer.history.loss, rel=1e-9)
    for ours, others in zip(cell.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(ours, others, rtol=1e-9, atol=1e-9)


@each
def test_initialisers_do_what_they_do_to_its_layer(kind: Any, layer_kind: Any) -> None:
    methods: list[Any] = [partial(init.paper_), partial(init.chrono_, t_max=20), init.uniform_gates_]
    methods += [] if kind is BRCCell else [init.orthogonal_]
    methods += [init.bistable_] if kind is MGUCell else []
    for method in methods:
        cell, layer = kind(I, H), layer_kind(I, H)
        cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
        drawn = {} if method is init.bistable_ else {"generator": 0}
        method(cell, **drawn)
        method(layer, **drawn)
        for one, other in zip(cell.parameters(), layer.parameters(), strict=True):
            assert torch.equal(one, other)
    with pytest.raises(ValueError, match=f"^chrono_ sets biases, got {kind.__name__} with bias=False$"):
        init.chrono_(kind(I, H, bias=False), t_max=20)


def test_cells_are_hardened_and_need_no_conversion() -> None:
    model = nn.ModuleList([BRCCell(I, H), MGUCell(I, H)])
    assert convert(model) is model
    Hardening(model, steps=1, start=0, end=1, to=0.3).step()
    assert [round(cell.hardness.item(), 6) for cell in model] == [0.3, 0.3]


WRONG: list[tuple[Any, Any, type[Exception], str]] = [
    ([0.0] * I, None, TypeError, "BRCCell: Expected input to be a tensor, got list"),
    (torch.ones(1, B, I), None, ValueError, "BRCCell: Expected input to be 1D or 2D, got 3D instead"),
    (
        torch.ones(B, 2),
        None,
        RuntimeError,
        "BRCCell: input.size(-1) must be equal to input_size. Expected 3, got 2",
    ),
    (
        torch.ones(B, I).double(),
        None,
        ValueError,
        "RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: "
        "input.to(torch.float32), or convert model: model.to(torch.float64)",
    ),
    (torch.ones(B, I), (torch.ones(B, H),), TypeError, "BRCCell: Expected hx to be a tensor, got tuple"),
    (torch.ones(B, I), torch.ones(H), RuntimeError, "BRCCell: Expected hidden size (4, 5), got [5]"),
    (torch.ones(I), torch.ones(1, H), RuntimeError, "BRCCell: Expected hidden size (5,), got [1, 5]"),
    (torch.ones(B, I), torch.ones(B, 1), RuntimeError, "BRCCell: Expected hidden size (4, 5), got [4, 1]"),
]


@pytest.mark.parametrize(("x", "hx", "error", "message"), WRONG, ids=[message[:60] for *_, message in WRONG])
def test_calls_that_do_not_fit(x: Any, hx: Any, error: type[Exception], message: str) -> None:
    on_device = [here(one) if isinstance(one, Tensor) else one for one in (x, hx)]
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        here(BRCCell(I, H))(*on_device)


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="^hidden_size must be greater than zero, got 0$"):
        MGUCell(I, 0)
    with pytest.raises(TypeError, match="^bias should be of type bool, got: int$"):
        MGUCell(I, H, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^hardness must be finite and not negative, got -1$"):
        MGUCell(I, H, hardness=-1)


def test_a_buffer_that_was_set_wrong_is_noticed_at_the_call() -> None:
    cell = MGUCell(I, H)
    for wrong in (-1.0, float("nan")):
        cell.hardness.fill_(wrong)
        with pytest.raises(ValueError, match="^hardness must be finite and not negative, got "):
            cell(torch.ones(B, I))
