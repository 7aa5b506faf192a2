"""How much of what the networks of hard_gates.py remember is proven to last for ever, and that none of it moves.

Run: python studies/hard_gates_held.py
"""

import copy
from typing import Any

import torch
from hard_gates import Network, cases
from hard_gates import trained as trained_before
from rows import Row, complete
from torch import Tensor

from multistable import Held, held

BOUNDS, STATES, REACHED = (1.0, 3.0, 5.0), 64, 100
STEPS, PIECE, ADVERSARIAL, FOLLOWED = 1_000_000, 1000, 200, 4


def reached(network: Network, seed: int) -> Any:
    """The states after some steps of noise."""
    generator = torch.Generator().manual_seed(4000 + seed)
    with torch.no_grad():
        return network(torch.randn(REACHED, STATES, 1, generator=generator))[1]


def few(state: Any) -> Any:
    """The states of the first sequences."""
    return tuple(few(one) for one in state) if isinstance(state, tuple) else state[:, :FOLLOWED].contiguous()


def memory(state: Any) -> Tensor:
    """What a held unit keeps, (L, B, H): h, of an LSTM c."""
    kept: Tensor = state[-1] if isinstance(state, tuple) else state
    return kept


def moved(network: Network, state: Any, found: Held, bound: float, seed: int) -> int:
    """How many certified units move under inputs at the bound, drawn with random signs; of a few of the states."""
    generator = torch.Generator().manual_seed(6000 + seed)
    now, units = few(state), torch.stack(found.units)[:, :FOLLOWED]
    before = memory(now)
    with torch.no_grad():
        for _ in range(STEPS // PIECE):
            signs = torch.randint(0, 2, (PIECE, FOLLOWED, 1), generator=generator)
            _, now = network.rnn(bound * (2.0 * signs - 1), now)
    return int(((memory(now) != before) & units).sum())


def moved_by_an_adversary(network: Network, state: Any, found: Held, bound: float) -> int:
    """The same under inputs whose signs follow the gradient of the distance to where units were, ten times over."""
    units, before = torch.stack(found.units), memory(state)
    network = copy.deepcopy(network).requires_grad_(False)
    inputs = bound * torch.ones(ADVERSARIAL, STATES, 1)
    worst = 0
    for _ in range(10):
        inputs.requires_grad_()
        _, now = network.rnn(inputs, state)
        worst = max(worst, int(((memory(now) != before) & units).sum()))
        # Of all units, as those held have no gradient: the others are pushed as far as they go.
        (slope,) = torch.autograd.grad((memory(now) - before).square().sum(), inputs)
        inputs = bound * torch.where(slope == 0, inputs.detach().sign(), slope.sign())
    return worst


def proven(cell: str, gates: str, seed: int) -> Row:
    """What is proven at each bound, and how many of the units that are proven to be held move all the same."""
    network, _ = trained_before(cell, "copy", "chrono", gates, seed)
    state, at = reached(network, seed), {}
    for bound in BOUNDS:
        found = held(network.rnn, state, bound, readout=network.head)
        at[f"{bound:g}"] = found.to_dict() | {
            "moved by an adversary": moved_by_an_adversary(network, state, found, bound),
            "moved in a million steps": moved(network, state, found, bound, seed)
            if (gates, seed) == ("margin", 0)
            else None,
        }
    return {"bounds": at}


def all_cases() -> list[Row]:
    """The networks that are hard and start from chrono gates; three of a kind, and all that were trained for it."""
    return [
        {"cell": case["cell"], "gates": case["gates"], "seed": case["seed"]}
        for cell in ("gru", "lstm")
        for case in cases(cell)
        if case["task"] == "copy" and case["start"] == "chrono"
        if case["gates"] == "margin" or (case["gates"] == "hard" and case["seed"] < 3)
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("hard_gates_held", all_cases(), proven)
