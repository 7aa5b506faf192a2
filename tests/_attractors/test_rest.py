"""The kind *held*: what hard gates keep under a constant input, and what they don't."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import attractors, init
from multistable._attractors.rest import held_at_rest
from multistable.dynamics import dynamics, stacks
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer

KINDS: dict[str, tuple[Any, list[tuple[int, float]]]] = {
    "gru": (GRU, [(1, 1)]),
    "lstm": (LSTM, [(0, -1), (1, 1)]),
    "mgu": (MGU, [(0, -1)]),
    "brc": (BRC, [(0, 1)]),
    "nbrc": (NBRC, [(0, 1)]),
}
each = pytest.mark.parametrize("kind", KINDS)


def holding(kind: str, units: Tensor, num_layers: int = 1, **options: Any) -> Any:
    """Small weights; the gates of `units` are biased to their ends, and those of all others to let go."""
    torch.manual_seed(0)
    layer_type, gates = KINDS[kind]
    layer = layer_type(1, len(units), num_layers, **{"hardness": 0.3, "dtype": torch.float64, **options})
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.1, 0.1)
        for name, bias in layer.named_parameters():
            if name.startswith(("bias_ih", "bias_l")):
                for gate, sign in gates:
                    bias[gate * len(units) :][: len(units)] = torch.where(units, sign * 6.0, -sign * 6.0)
    return layer


def reached(n: int = 8) -> Tensor:
    return torch.randn(20, n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def find(module: nn.Module) -> Any:
    return attractors(module, reached(), horizon=512, generator=0)


@each
@pytest.mark.parametrize("num_layers", [1, 2])
def test_states_with_units_held_and_the_others_at_rest(kind: str, num_layers: int) -> None:
    found = find(holding(kind, torch.tensor([True, False, True, False]), num_layers))
    assert set(found.kinds) == {"held"} and found.shares["held"] == 1
    assert found.count == 0 and set(found.labels) == {-1}
    assert "100% are held" in repr(found)
    assert all(set(layer.kinds) == {"held"} for layer in found.per_layer)


@each
def test_soft_gates_hold_nothing(kind: str) -> None:
    found = find(holding(kind, torch.tensor([True, False, True, False]), hardness=0.0))
    assert found.shares["held"] == 0


@each
def test_where_no_unit_is_held_there_is_an_equilibrium(kind: str) -> None:
    found = find(holding(kind, torch.zeros(4, dtype=torch.bool)))
    assert set(found.kinds) == {"equilibrium"} and found.count == 1


def test_a_unit_that_goes_back_and_forth_beside_a_held_one() -> None:
    gru = holding("gru", torch.tensor([True, False]))
    with torch.no_grad():
        gru.weight_hh_l0[4:] = torch.tensor([[0.0, 0.0], [0.0, -5.0]])  # n of the free unit is tanh(-5 r h)
        gru.bias_ih_l0[1] = 6.0  # with r open
    found = find(gru)
    assert set(found.kinds) == {"slow"}


def test_a_held_unit_beside_one_that_still_moves() -> None:
    """A unit that forgets slowly is on its way, and is at rest only where it has come to."""
    gru = holding("gru", torch.tensor([True, False]))
    with torch.no_grad():
        gru.bias_ih_l0[3] = 1.3  # z = 0.96: some 25 steps
    (part,) = dynamics(gru)
    u = torch.zeros(1, dtype=torch.float64)
    start = torch.tensor([[0.3, 0.9]], dtype=torch.float64)
    _, late = part.scan(u.expand(3000, 1, -1), start)
    assert held_at_rest(part, start, u, 1e-4).tolist() == [False]
    assert held_at_rest(part, late, u, 1e-3).tolist() == [True]
    assert torch.equal(late[:, 0], start[:, 0])


def test_what_reads_from_the_end_or_is_of_another_type_is_not_looked_at() -> None:
    units = torch.tensor([True, True])
    for module in (
        nn.GRU(1, 2, dtype=torch.float64),
        holding("gru", units, bidirectional=True),
        DoubleLayer(GRU, 1, 4, hardness=0.3, dtype=torch.float64),
    ):
        (stack,) = stacks(module)
        s = torch.zeros(2, stack.state_size, dtype=torch.float64)
        assert held_at_rest(stack, s, torch.zeros(1, dtype=torch.float64), 1e-4).tolist() == [False, False]


def test_a_bistable_network_of_ours_has_the_equilibria_that_torchs_has() -> None:
    torch.manual_seed(0)
    theirs = init.bistable_(nn.GRU(1, 6))
    ours = GRU(1, 6)
    ours.load_state_dict(theirs.state_dict())
    inputs = reached(20).float()
    one, other = (attractors(module, inputs, generator=0) for module in (theirs, ours))
    assert one.kinds == other.kinds and one.labels == other.labels and one.count == other.count > 1
