"""The studies of memory that lasts: what they compute is what they say."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scripts import scripts
from torch import nn

from multistable.nn import set_hardness


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("hard_gates", "million_steps", "hard_t_maze", "hard_tasks") as found:
        yield found


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@torch.no_grad()
def test_networks_side_by_side_are_the_networks(cell: str, modules: SimpleNamespace) -> None:
    networks = [modules.hard_gates.new_network(cell, "chrono", seed) for seed in range(3)]
    for network in networks:
        set_hardness(network, 0.3)
    together = modules.million_steps.Together(cell, networks)
    states, own = None, [None] * 3
    for _ in range(2):
        inputs = torch.randn(20, 3, 5, 1)
        answers, states = together(inputs, states)
        for k, network in enumerate(networks):
            expected, own[k] = network(inputs[:, k], own[k])
            # The same operations, whose sums may run in another order.
            torch.testing.assert_close(answers[k], expected, rtol=1e-5, atol=1e-6)


class Obedient(nn.Module):
    """An agent that goes right until a given step, and turns to the goal that it saw, or always up."""

    def __init__(self, until: int, remembers: bool) -> None:
        super().__init__()
        self.until, self.remembers = until, remembers

    def zero_state(self, count: int) -> torch.Tensor:
        return torch.zeros(count, 2)

    def forward(self, inputs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = []
        for now in inputs:
            state = torch.stack([state[:, 0] + 1, state[:, 1] + now[:, 6]], 1)  # steps, and whether the goal is down
            turn = state[:, 1] * self.remembers
            at_junction = torch.stack([0 * turn, 1 - turn, 0 * turn, turn], 1)
            right = torch.tensor([1.0, 0, 0, 0]).expand(len(turn), -1)
            astray = torch.tensor([0, 0, 1.0, 0]).expand(len(turn), -1)
            on_the_way = torch.where(state[:, :1] <= self.until, right, astray)
            values.append(torch.where(now[:, 8:9] == 1, at_junction, on_the_way))
        return torch.stack(values), state


@pytest.mark.parametrize(("until", "remembers", "optimal"), [
    (10**6, True, [True, True, True]),
    (10**6, False, [False, False, False]),
    (2500, True, [True, True, False]),
    (1999, True, [True, False, False]),
])  # fmt: skip
def test_a_walk_is_optimal_if_it_goes_right_and_then_to_the_goal(
    until: int, remembers: bool, optimal: list[bool], modules: SimpleNamespace
) -> None:
    found = modules.hard_t_maze.walk(Obedient(until, remembers), (20, 2000, 3000))
    assert list(found.values()) == optimal


@pytest.mark.parametrize("length", [0, 492, 495, 992])
def test_a_sequence_in_pieces_is_the_sequence(
    length: int, modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = modules.hard_tasks
    torch.manual_seed(0)
    network: Any = tasks.Network(8, 10, 1)
    inputs, classes = tasks.padded(*tasks.digits()[1], length)
    with torch.no_grad():
        answers, _ = network(inputs)
    assert tasks.score(network, "rows", length, 0) == pytest.approx(
        (answers.argmax(-1) == classes).float().mean().item(), abs=1e-4
    )
