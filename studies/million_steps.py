"""The networks of hard_gates.py, asked after a million steps: all seeds of one kind in one pass.

Run: python studies/million_steps.py
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hard_gates import CELLS, HIDDEN, LAYERS, Network, cases
from hard_gates import trained as trained_before
from rows import Row, complete
from torch import Tensor

LENGTHS, PIECE, TESTED = (100_000, 1_000_000), 50, 16

Run = Callable[[Tensor, Tensor, Tensor, float, Tensor], Tensor]
"""(drive (T, S, B, G * H), states (S, B, parts * H), recurrent weights (S, H, G' * H), hardness, where h goes (T, S, B,
H)) -> the last states. What `multistable.nn.ops` does, with the weights of S networks side by side."""


def gru(drive: Tensor, h: Tensor, recurrent: Tensor, hardness: float, states: Tensor) -> Tensor:
    for now, after in zip(drive, states, strict=True):
        n = now[..., :HIDDEN]
        r_and_z, m = torch.bmm(h, recurrent).add_(now[..., HIDDEN:]).split([2 * HIDDEN, HIDDEN], -1)
        r, z = r_and_z.sigmoid_().chunk(2, -1)
        z.mul_(1 + 2 * hardness).sub_(hardness).clamp_(0, 1)
        n.addcmul_(r, m).mul_(2).sigmoid_().mul_(2).sub_(1)
        h = torch.lerp(n, h, z, out=after)
    return h.clone()


def lstm(drive: Tensor, s: Tensor, recurrent: Tensor, hardness: float, states: Tensor) -> Tensor:
    h, c = s.chunk(2, -1)
    c = c.clone()
    for now, after in zip(drive, states, strict=True):
        gates = torch.bmm(h, recurrent).add_(now)
        i, f, o, g = gates.chunk(4, -1)
        g.mul_(2)
        gates.sigmoid_()
        gates[..., : 2 * HIDDEN].mul_(1 + 2 * hardness).sub_(hardness).clamp_(0, 1)
        c.mul_(f).addcmul_(i, g, value=2).sub_(i)
        h = after.copy_(c).mul_(2).sigmoid_().mul_(2).sub_(1).mul_(o)
    return torch.cat([h, c], -1)


RUNS: dict[str, Run] = {"gru": gru, "lstm": lstm}


class Together:
    """Several networks of one cell, each on sequences of its own."""

    def __init__(self, cell: str, networks: list[Network]) -> None:
        self._run, self._parts = RUNS[cell], CELLS[cell].recurrence.parts
        self._hardness = float(networks[0].rnn.hardness)
        self._layers = []
        for k in range(LAYERS):
            given = [one.rnn.as_given(one.rnn.weights(f"_l{k}")) for one in networks]
            weight_ih, weight_hh, bias = (torch.stack([one[part] for one in given]) for part in range(3))  # type: ignore[misc]
            inner = bias.shape[1] - weight_ih.shape[1]  # of gates that the input doesn't enter
            weights = F.pad(weight_ih, (0, 0, 0, inner)), weight_hh
            self._layers.append((*(one.mT.contiguous() for one in weights), bias[:, None]))
        self._head = torch.stack([one.head.weight for one in networks]).mT
        self._bias = torch.stack([one.head.bias for one in networks])[:, None]

    def __call__(self, inputs: Tensor, states: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """(T, S, B, 1) -> answers at the last step (S, B, 1), and the last states of each layer."""
        steps, networks, batch, _ = inputs.shape
        if states is None:
            states = [inputs.new_zeros(networks, batch, self._parts * HIDDEN)] * LAYERS
        last = []
        for (weight_ih, recurrent, bias), state in zip(self._layers, states, strict=True):
            rows = inputs.transpose(0, 1).flatten(1, 2)
            drive = torch.bmm(rows, weight_ih).add_(bias).unflatten(1, (steps, batch)).transpose(0, 1)
            inputs = drive.new_empty(networks, steps, batch, HIDDEN).transpose(0, 1)
            last.append(self._run(drive, state, recurrent, self._hardness, inputs))
        return torch.baddbmm(self._bias, inputs[-1], self._head), last


@torch.no_grad()
def after_a_million(cell: str, task: str, start: str, gates: str, seeds: list[int]) -> Row:
    """The squared error of each network, or the share of signs that are right."""
    together = Together(cell, [trained_before(cell, task, start, gates, seed)[0] for seed in seeds])
    generator = torch.Generator().manual_seed(7000)
    scores: dict[str, list[float]] = {}
    states: Any = None
    step, first = 0, torch.empty(0)
    for length in LENGTHS:
        while step < length:
            inputs = torch.randn(PIECE, len(seeds), TESTED, 1, generator=generator)
            first = inputs[0] if step == 0 else first
            answers, states = together(inputs, states)
            step += PIECE
        right = (answers - first).square() if task == "copy" else ((answers > 0) == (first > 0)).float()
        scores[str(length)] = [float(f"{one:.5g}") for one in right.mean((1, 2)).tolist()]
    return {"test": scores}


def all_cases() -> list[Row]:
    """The kinds with hard gates."""
    kinds: dict[tuple[str, ...], list[int]] = {}
    for cell in RUNS:
        for case in cases(cell):
            if case["gates"] != "soft":
                kinds.setdefault((cell, case["task"], case["start"], case["gates"]), []).append(case["seed"])
    return [
        {"cell": cell, "task": task, "start": start, "gates": gates, "seeds": seeds}
        for (cell, task, start, gates), seeds in kinds.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("million_steps", all_cases(), after_a_million)
