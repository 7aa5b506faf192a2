"""Initialisers: what they set, what they leave, what they refuse, and the dynamics that they are meant to give."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import init, measure
from multistable.dynamics import dynamics
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer

I, H, B = 3, 8, 5
RELU = partial(nn.RNN, nonlinearity="relu")

INITIALISERS: dict[str, Callable[..., Any]] = {
    "paper_": init.paper_,
    "chrono_": partial(init.chrono_, t_max=100),
    "forget_bias_": init.forget_bias_,
    "orthogonal_": init.orthogonal_,
    "identity_": init.identity_,
    "quasi_periodic_": init.quasi_periodic_,
    "bistable_": init.bistable_,
    "uniform_gates_": init.uniform_gates_,
    "critical_": init.critical_,
}
LAYERS: dict[str, Callable[..., Any]] = {
    "RNN": nn.RNN, "RNN relu": RELU, "GRU": nn.GRU, "LSTM": nn.LSTM, "MGU": MGU, "BRC": BRC, "NBRC": NBRC,
    "GRU of ours": GRU, "LSTM of ours": LSTM,
}  # fmt: skip
CELLS: dict[str, Callable[..., Any]] = {
    "RNN": nn.RNNCell, "RNN relu": partial(nn.RNNCell, nonlinearity="relu"), "GRU": nn.GRUCell, "LSTM": nn.LSTMCell,
}  # fmt: skip
MEANT_FOR = {
    "paper_": {"GRU", "LSTM", "MGU", "BRC", "NBRC"},
    "chrono_": {"GRU", "LSTM", "MGU", "BRC", "NBRC"},
    "forget_bias_": {"LSTM"},
    "orthogonal_": {"RNN", "RNN relu", "GRU", "LSTM", "MGU", "NBRC"},
    "identity_": {"RNN relu"},
    "quasi_periodic_": {"RNN", "GRU"},
    "bistable_": {"RNN", "GRU", "LSTM", "MGU"},
    "uniform_gates_": {"GRU", "LSTM", "MGU", "BRC", "NBRC"},
    "critical_": {"RNN", "GRU", "LSTM", "MGU", "BRC", "NBRC"},
}
MEANT_FOR = {name: kinds | {f"{kind} of ours" for kind in kinds & {"GRU", "LSTM"}} for name, kinds in MEANT_FOR.items()}
DRAW_NOTHING = {"forget_bias_", "bistable_"}
DRAWN_BY_NONE = {("critical_", "BRC"), ("critical_", "NBRC")}
PAIRS = [(name, kind) for name in INITIALISERS for kind in LAYERS]
ACCEPTED = [pair for pair in PAIRS if pair[1] in MEANT_FOR[pair[0]]]
REFUSED = [pair for pair in PAIRS if pair[1] not in MEANT_FOR[pair[0]]]
DRAWING = [pair for pair in ACCEPTED if pair[0] not in DRAW_NOTHING and pair not in DRAWN_BY_NONE]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def values(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def differs(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not torch.equal(before[name], parameter)}


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_every_layer_and_direction_is_set_as_a_single_one(name: str, kind: str) -> None:
    deep = INITIALISERS[name](LAYERS[kind](I, H, 2, bidirectional=True), **seeded(name, 0))
    before = values(deep)
    # Drawn once more, all that is drawn differs, and all that is set is the same.
    changed = differs(before, INITIALISERS[name](deep, **seeded(name, 1)))
    single = INITIALISERS[name](LAYERS[kind](I, H), **seeded(name, 0))
    once = values(single)
    drawn = differs(once, INITIALISERS[name](single, **seeded(name, 1)))
    assert changed == {
        one.replace("_l0", suffix) for one in drawn for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
    }
    assert bool(drawn) == ((name, kind) in DRAWING)


def seeded(name: str, seed: int) -> dict[str, int]:
    return {} if name in DRAW_NOTHING else {"generator": seed}


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_both_parts_of_a_double_layer(name: str, kind: str) -> None:
    nonlinearity: dict[str, Any] = {"nonlinearity": "relu"} if kind == "RNN relu" else {}
    double = DoubleLayer(type(LAYERS[kind](I, H)), I, 2 * H, 2, **nonlinearity)
    for parameter in double.parameters():
        nn.init.constant_(parameter, 7.0)
    assert INITIALISERS[name](double) is double
    for part in [*double.first, *double.second]:
        untouched = {one for one, parameter in part.named_parameters() if bool((parameter == 7).all())}
        lone = LAYERS[kind](I, H)
        for parameter in lone.parameters():
            nn.init.constant_(parameter, 7.0)
        INITIALISERS[name](lone)
        assert untouched == {one for one, parameter in lone.named_parameters() if bool((parameter == 7).all())}


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[1] in CELLS])
def test_a_cell_is_set_as_a_layer(name: str, kind: str) -> None:
    cell, layer = CELLS[kind](I, H), LAYERS[kind](I, H)
    layer.load_state_dict({f"{one}_l0": value for one, value in cell.state_dict().items()})
    INITIALISERS[name](cell, **seeded(name, 0))
    INITIALISERS[name](layer, **seeded(name, 0))
    for (_, one), (_, other) in zip(cell.named_parameters(), layer.named_parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("name", "kind"), REFUSED)
@pytest.mark.parametrize("doubled", [False, True], ids=["plain", "doubled"])
def test_what_it_has_no_meaning_for_is_refused_and_unchanged(name: str, kind: str, doubled: bool) -> None:
    module = LAYERS[kind](I, H)
    if doubled:
        double = DoubleLayer(BRC, I, 2 * H)
        double.first, double.second = nn.ModuleList([module]), nn.ModuleList([LAYERS[kind](I, H)])
        module = double
    before = values(module)
    with pytest.raises(TypeError, match=f"{name} takes .*, got "):
        INITIALISERS[name](module)
    assert not differs(before, module)


@pytest.mark.parametrize("name", INITIALISERS)
def test_other_modules_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} takes .*, a DoubleLayer of them or a model with some, got Linear$"):
        INITIALISERS[name](nn.Linear(I, H))
    with pytest.raises(TypeError, match=f"{name} takes .*, got str$"):
        INITIALISERS[name]("GRU")


@pytest.mark.parametrize(("name", "kind"), [("chrono_", "GRU"), ("bistable_", "LSTM"), ("identity_", "RNN relu")])
def test_a_model_is_set_as_its_recurrent_modules_one_by_one(name: str, kind: str) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.encoder = nn.Linear(2, I), LAYERS[kind](I, H, 2)
            self.inner = nn.ModuleDict({"cell": CELLS[kind](I, H), "shared": self.encoder, "head": nn.Linear(H, 2)})

    model = Model()
    alone = copy.deepcopy(model)
    assert INITIALISERS[name](model, **seeded(name, 0)) is model
    generator: dict[str, Any] = {} if name in DRAW_NOTHING else {"generator": torch.Generator().manual_seed(0)}
    for one in (alone.encoder, alone.inner["cell"]):
        INITIALISERS[name](one, **generator)
    assert not differs(values(alone), model) and len(differs(values(Model()), model)) > 4


@pytest.mark.parametrize("name", [name for name in INITIALISERS if not {"BRC", "RNN"} <= MEANT_FOR[name]])
def test_a_model_with_one_that_it_has_no_meaning_for_is_unchanged(name: str) -> None:
    good = next(kind for kind in LAYERS if kind in MEANT_FOR[name])
    bad = next(kind for kind in ("BRC", "RNN") if kind not in MEANT_FOR[name])
    model = nn.ModuleDict({"good": LAYERS[good](I, H), "bad": LAYERS[bad](I, H)})
    before = values(model)
    with pytest.raises(TypeError, match=rf"{name} takes .*, got {bad} \('bad'\)$"):
        INITIALISERS[name](model)
    assert not differs(before, model)


@pytest.mark.parametrize(("name", "kind"), DRAWING)
def test_a_seed_gives_the_same_and_leaves_the_global_state(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H, 2)
    before = torch.get_rng_state()
    first = values(INITIALISERS[name](module, generator=3))
    second = values(INITIALISERS[name](module, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[one], second[one]) for one in first)
    assert differs(first, INITIALISERS[name](module, generator=4))


@pytest.mark.parametrize(("name", "kind"), DRAWING)
def test_without_a_generator_torchs_global_one_draws(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H, 2)
    torch.manual_seed(5)
    first = values(INITIALISERS[name](module))
    assert differs(first, INITIALISERS[name](module))
    torch.manual_seed(5)
    assert not differs(first, INITIALISERS[name](module))


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_gradients_flow_as_before(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H)
    INITIALISERS[name](module)(torch.randn(4, B, I))[0].sum().backward()
    assert all(parameter.requires_grad and parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_reparametrised_weights_are_refused_before_anything_changes(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H, 2)
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l1")
    before = values(module)
    with pytest.raises(TypeError, match="weight_hh_l1 of .* must be an nn.Parameter"):
        INITIALISERS[name](module)
    assert not differs(before, module)


@pytest.mark.parametrize(
    ("name", "kind"), [pair for pair in ACCEPTED if pair[0] in ("paper_", "orthogonal_", "identity_")]
)
def test_without_biases(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H, bias=False)
    before = values(module)
    assert differs(before, INITIALISERS[name](module))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("chrono_", "LSTM"), ("chrono_", "GRU"), ("forget_bias_", "LSTM"), ("quasi_periodic_", "GRU")]
    + [("bistable_", kind) for kind in ("GRU", "LSTM", "MGU")],
)
def test_biases_that_are_missing(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H, bias=False)
    before = values(module)
    with pytest.raises(ValueError, match=f"{name} sets biases, got {kind} with bias=False"):
        INITIALISERS[name](module)
    assert not differs(before, module)


def test_half_precision() -> None:
    gru: Any = init.paper_(nn.GRU(I, H, dtype=torch.bfloat16))
    reset = gru.weight_hh_l0[:H].detach().float()
    torch.testing.assert_close(reset @ reset.T, torch.eye(H), rtol=0, atol=0.02)  # 8 bits of mantissa


def test_paper_gru() -> None:
    gru: Any = init.paper_(nn.GRU(I, H, 2, dtype=torch.float64))
    for k, width in ((0, I), (1, H)):
        bound = math.sqrt(6 / (H + width))
        for gate in getattr(gru, f"weight_ih_l{k}").split(H):
            assert 0.7 * bound < gate.abs().max() <= bound
        for gate in getattr(gru, f"weight_hh_l{k}").split(H):
            torch.testing.assert_close(gate @ gate.T, torch.eye(H, dtype=torch.float64))
    assert not gru.bias_ih_l0.any() and not gru.bias_hh_l1.any()


def test_paper_lstm_is_torchs_default() -> None:
    lstm = init.paper_(nn.LSTM(I, 16, proj_size=4))
    for parameter in lstm.parameters():
        assert 0.2 < parameter.abs().max() <= 0.25
        assert parameter.min() < 0 < parameter.max()


@pytest.mark.parametrize("kind", [MGU, BRC, NBRC])
def test_paper_draws_our_layers_as_they_draw_themselves(kind: type[MGU | BRC | NBRC]) -> None:
    module = kind(I, H, 2)
    for parameter in module.parameters():
        nn.init.constant_(parameter, 7.0)
    torch.manual_seed(1)
    init.paper_(module)
    torch.manual_seed(1)
    assert not differs(values(module), kind(I, H, 2))


def test_chrono_lstm() -> None:
    lstm: Any = init.chrono_(nn.LSTM(1, 1000), t_max=100)
    before_sum = lstm.bias_ih_l0.detach(), lstm.bias_hh_l0.detach()
    forget = before_sum[0].split(1000)[1]
    u = forget.exp()
    assert u.min() >= 1 - 1e-5 and u.max() <= 99 + 1e-3
    # Uniform on [1, 99]: mean 50, standard deviation 28.3, of a thousand draws 0.9.
    assert abs(u.mean() - 50) < 4.5
    assert torch.equal(before_sum[0].split(1000)[0], -forget)
    assert not before_sum[0][2000:].any() and not before_sum[1].any()


def test_chrono_doubled_is_twice_the_bias() -> None:
    right: Any = init.chrono_(nn.LSTM(I, H), t_max=50, generator=0)
    doubled: Any = init.chrono_(nn.LSTM(I, H), t_max=50, doubled=True, generator=0)
    assert torch.equal(doubled.bias_ih_l0, right.bias_ih_l0)
    assert torch.equal(doubled.bias_hh_l0, right.bias_ih_l0)


@pytest.mark.parametrize(("kind", "memory"), [(nn.LSTM, slice(H, None)), (nn.GRU, slice(None))])
def test_chrono_gives_the_time_constants_it_says(kind: type[nn.LSTM | nn.GRU], memory: slice) -> None:
    # Without weights and input each unit decays by sigmoid(log u) = u / (1 + u) a step.
    module: Any = init.chrono_(kind(I, H, dtype=torch.float64), t_max=80, generator=0)
    for name, parameter in module.named_parameters():
        if "weight" in name:
            nn.init.zeros_(parameter)
    u = (module.bias_ih_l0 + module.bias_hh_l0).detach()[H : 2 * H].exp()
    (layer,) = dynamics(module)
    s = torch.ones(1, layer.state_size, dtype=torch.float64)
    held = layer.hold(s, torch.zeros(I, dtype=torch.float64), 20)
    torch.testing.assert_close(held[0, memory], (u / (1 + u)) ** 20)


@pytest.mark.parametrize(("kind", "sign"), [(nn.LSTM, 1), (nn.GRU, 1), (MGU, -1), (BRC, 1), (NBRC, 1)])
def test_uniform_gates_are_spread_evenly(kind: Callable[..., Any], sign: int) -> None:
    units = 1000
    module: Any = init.uniform_gates_(kind(1, units), generator=0)
    first: Any = module.bias_ih_l0 if kind in (nn.LSTM, nn.GRU) else module.bias_l0
    gates = first.detach().split(units)
    keeping = sign * gates[1 if kind in (nn.LSTM, nn.GRU) else 0]
    u = keeping.sigmoid().sort().values
    assert u[0] >= 1 / units - 1e-6 and u[-1] <= 1 - 1 / units + 1e-6
    # Kolmogorov and Smirnov: a thousand draws stray from the line by 0.062 in one of a thousand cases.
    assert (u - torch.linspace(0, 1, units)).abs().max() < 0.062
    if isinstance(module, nn.LSTM):
        assert torch.equal(gates[0], -gates[1])


def test_uniform_gates_need_two_units() -> None:
    with pytest.raises(ValueError, match="uniform_gates_ takes layers of two hidden units or more"):
        init.uniform_gates_(nn.GRU(I, 1))


@pytest.mark.parametrize(("t_max", "error", "message"), [
    (1.5, ValueError, "t_max must be at least 2, got 1.5"), (0, ValueError, "t_max must be finite and above 0, got 0"),
    (math.nan, ValueError, "t_max must be finite and above 0, got nan"),
    ("9", TypeError, "t_max must be a number, got str"),
])  # fmt: skip
def test_chrono_times(t_max: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        init.chrono_(nn.LSTM(I, H), t_max)


def test_forget_bias_adds_up_and_leaves_the_rest() -> None:
    lstm: Any = nn.LSTM(I, H)
    before = copy.deepcopy(lstm)
    init.forget_bias_(lstm, 2.5)
    assert torch.equal((lstm.bias_ih_l0 + lstm.bias_hh_l0)[H : 2 * H], torch.full((H,), 2.5))
    assert differs(values(before), lstm) == {"bias_ih_l0", "bias_hh_l0"}
    for name in ("bias_ih_l0", "bias_hh_l0"):
        ours, theirs = getattr(lstm, name), getattr(before, name)
        assert torch.equal(ours[:H], theirs[:H]) and torch.equal(ours[2 * H :], theirs[2 * H :])


def test_forget_bias_may_be_negative_but_not_infinite() -> None:
    init.forget_bias_(nn.LSTM(I, H), -1)
    with pytest.raises(ValueError, match="value must be finite, got inf"):
        init.forget_bias_(nn.LSTM(I, H), math.inf)
    with pytest.raises(TypeError, match="value must be a number, got str"):
        init.forget_bias_(nn.LSTM(I, H), "1")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(MEANT_FOR["orthogonal_"]))
def test_orthogonal_leaves_all_but_the_recurrent_matrices(kind: str) -> None:
    module = LAYERS[kind](I, H, dtype=torch.float64)
    before = values(module)
    assert differs(before, init.orthogonal_(module, gain=1.5)) == {"weight_hh_l0"}
    for gate in module.get_parameter("weight_hh_l0").split(H):
        torch.testing.assert_close(gate @ gate.T, 2.25 * torch.eye(H, dtype=torch.float64))


def test_identity_keeps_every_state_without_input() -> None:
    rnn: Any = init.identity_(nn.RNN(I, H, nonlinearity="relu"))
    (layer,) = dynamics(rnn)
    s = torch.rand(B, H)
    assert torch.equal(layer.hold(s, torch.zeros(I), 50), s)
    assert 0 < rnn.weight_ih_l0.abs().max() < 5e-3


def test_identity_in_double_precision() -> None:
    rnn = init.identity_(RELU(I, H, dtype=torch.float64), 0.1)
    assert rnn.get_parameter("weight_hh_l0")[0, 0].item() == 0.1


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_another_default_device_is_of_no_account(name: str, kind: str) -> None:
    module = LAYERS[kind](I, H)
    with torch.device("meta"):
        INITIALISERS[name](module)
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


def test_identity_gain() -> None:
    rnn = init.identity_(RELU(I, H), 0.5)
    assert torch.equal(rnn.get_parameter("weight_hh_l0"), 0.5 * torch.eye(H))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_quasi_periodic_states_go_round_and_keep_their_phase(kind: type[nn.RNN | nn.GRU]) -> None:
    module = init.quasi_periodic_(kind(1, 2, dtype=torch.float64), angles=(0.5, 0.5))
    (layer,) = dynamics(module)
    phases = torch.linspace(0, 2 * math.pi, 9, dtype=torch.float64)[:-1]
    s = layer.hold(0.1 * torch.stack([phases.cos(), phases.sin()], 1), torch.zeros(1, dtype=torch.float64), 10_000)
    # On one closed curve around the origin, each still at a place of its own.
    assert s.norm(dim=1).min() > 0.3
    assert torch.pdist(s).min() > 0.1
    turned = []
    for _ in range(400):
        after = layer.step(s, torch.zeros(len(s), 1, dtype=torch.float64))
        angle = torch.atan2(s[:, 0] * after[:, 1] - s[:, 1] * after[:, 0], (s * after).sum(1))
        turned.append(angle)
        s = after
    # The linear part turns by the angle of the eigenvalue.
    pull = 0.5 * 1.5 / (1 + math.exp(-4))
    expected = 0.5 if kind is nn.RNN else math.atan2(pull * math.sin(0.5), 0.5 + pull * math.cos(0.5))
    mean = torch.stack(turned).mean()
    assert 0.5 * expected < mean < 1.2 * expected


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_quasi_periodic_eigenvalues(kind: type[nn.RNN | nn.GRU]) -> None:
    module = init.quasi_periodic_(kind(I, H, dtype=torch.float64), gain=1.4, angles=(0.2, 0.6))
    (layer,) = dynamics(module)
    zero = torch.zeros(1, H, dtype=torch.float64)
    slope = torch.func.jacrev(lambda s: layer.step(s[None], torch.zeros(1, I, dtype=torch.float64))[0])(zero[0])
    found = torch.linalg.eigvals(slope)
    if kind is nn.GRU:
        found = (found - 0.5) / (0.5 / (1 + math.exp(-4)))
    torch.testing.assert_close(found.abs(), torch.full((H,), 1.4, dtype=torch.float64))
    angles = found.angle().abs()
    assert angles.min() >= 0.2 and angles.max() <= 0.6
    assert len(angles.round(decimals=6).unique()) == H // 2


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_quasi_periodic_networks_hold_what_data_have_made_different(kind: type[nn.RNN | nn.GRU]) -> None:
    module = init.quasi_periodic_(kind(1, 16), generator=0)
    result = measure(module, torch.randn(30, 20, 1), horizon=2000, generator=0)
    assert result.vaa == 1 and result.residual > 0.05


@pytest.mark.parametrize(("arguments", "message"), [
    ({"gain": 1.0}, "gain must be above 1, got 1.0"),
    ({"angles": (0.5,)}, r"angles must be two, the smallest and the largest, got \(0.5,\)"),
    ({"angles": (0.5, 0.2)}, r"angles must ascend within \(0, pi\), got \(0.5, 0.2\)"),
    ({"angles": (0.5, 3.2)}, r"angles must ascend within \(0, pi\)"),
    ({"angles": (0.0, 0.2)}, "angles must be finite and above 0, got 0.0"),
])  # fmt: skip
def test_quasi_periodic_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        init.quasi_periodic_(nn.RNN(I, H), **arguments)


def test_quasi_periodic_needs_pairs_and_an_unstable_origin() -> None:
    with pytest.raises(ValueError, match="quasi_periodic_ needs an even number of hidden units, got 7"):
        init.quasi_periodic_(nn.RNN(I, 7))
    init.quasi_periodic_(nn.RNN(I, H), angles=(1, 3))
    with pytest.raises(
        ValueError, match="gain must be large enough to make the origin of a GRU unstable at 3.0, got 1.5"
    ):
        init.quasi_periodic_(nn.GRU(I, H), angles=(1, 3))
