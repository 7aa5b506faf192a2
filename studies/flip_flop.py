"""A trained flip-flop of three bits: what it remembers while nothing comes in, and its saddles, found in two ways.

Run: python studies/flip_flop.py
"""

import time
from typing import Any

import torch
from rows import Row, complete
from torch import Tensor, nn

from multistable import attractors, fixed_points
from multistable._attractors.grouping import first_of_groups
from multistable.dynamics import dynamics
from multistable.tasks import flip_flop, flip_flop_stream

CELLS = {"GRU": nn.GRU, "RNN": nn.RNN, "LSTM": nn.LSTM}
HIDDEN, LENGTH, BATCH, STEPS, SEEDS, BITS = 24, 40, 64, 1500, 5, 3
LR, LAST = 5e-3, 0.02
ASKED, BRUTE = 200, 100_000
STARTS, DESCENT, DESCENT_LR, STOPPED, LOW = 512, 20_000, 1e-2, 1e-20, 1e-16


def trained(cell: str, seed: int) -> tuple[Any, nn.Linear, float]:
    """The network, its head, and the share of bits that it gets right."""
    torch.manual_seed(seed)
    rnn, head = CELLS[cell](BITS, HIDDEN, batch_first=True), nn.Linear(HIDDEN, BITS)
    parameters = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=LR)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, LAST * LR)
    stream = iter(flip_flop_stream(LENGTH, BATCH, generator=seed))
    for _ in range(STEPS):
        inputs, targets = next(stream)
        loss = nn.functional.mse_loss(head(rnn(inputs)[0]), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        falling.step()
    inputs, targets = flip_flop(10 * LENGTH, ASKED, generator=1000 + seed).tensors
    with torch.no_grad():
        right = (head(rnn(inputs)[0]).sign() == targets)[targets != 0].float().mean()
    return rnn, head, round(right.item(), 4)


@torch.no_grad()
def by_brute_force(rnn: Any, reached: Tensor, u: Tensor) -> int:
    """How many states there are after so many steps, of all those that were reached."""
    (layer,) = dynamics(rnn.double())
    states = layer.hold(reached, u, BRUTE)
    return len(first_of_groups(states, 1e-4).unique())


def by_descent(rnn: Any, reached: Tensor) -> dict[str, Any]:
    """Fixed points as Sussillo and Barak (2013) find them: the speed is brought down by gradient descent (Adam)."""
    (layer,) = dynamics(rnn.double())
    began = time.perf_counter()
    generator = torch.Generator().manual_seed(0)
    which = torch.randint(len(reached), (STARTS,), generator=generator)
    noise = torch.randn(STARTS, reached.shape[1], generator=generator, dtype=torch.float64)
    noise[::2] = 0
    s = (reached[which] + (reached.std(0) + 0.1) * noise).requires_grad_()
    optimizer = torch.optim.Adam([s], lr=DESCENT_LR)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, DESCENT, 1e-5)
    u = torch.zeros(STARTS, BITS, dtype=torch.float64)
    for _ in range(DESCENT):
        speed = (layer.step(s, u) - s).square().sum(1) / 2
        optimizer.zero_grad()
        speed.sum().backward()
        optimizer.step()
        falling.step()
        if speed.max() < STOPPED:
            break
    points = s.detach()[speed < LOW]
    distinct = points[first_of_groups(points, 1e-3).unique()]
    return {"count": len(distinct), "seconds": round(time.perf_counter() - began, 1), "points": distinct}


def studied(cell: str, seed: int) -> Row:
    """What one network remembers."""
    rnn, _, right = trained(cell, seed)
    rnn.double()
    inputs = flip_flop(LENGTH, ASKED, generator=2000 + seed).tensors[0].double()
    none = torch.zeros(1, BITS, dtype=torch.float64)
    pulses = torch.cat([torch.eye(BITS, dtype=torch.float64), -torch.eye(BITS, dtype=torch.float64)])
    asked = torch.cat([none, pulses])
    found = attractors(rnn, inputs, u=asked, n=ASKED, generator=0)
    (layer,) = dynamics(rnn)
    with torch.no_grad():
        starts = torch.stack(
            [layer.run(one[:, None][:cut])[0] for one, cut in zip(inputs, found[0].prefixes.tolist(), strict=True)]
        )
    began = time.perf_counter()
    points = fixed_points(rnn, inputs, u=0, starts=STARTS, n=ASKED, generator=0)
    seconds = time.perf_counter() - began
    descended = by_descent(rnn, starts)
    theirs = descended.pop("points")
    both = sum(bool((torch.cdist(one[None], points.points) < 1e-3).any()) for one in theirs)
    return {
        "bits right": right,
        "attractors without input": found[0].count,
        "attractors under each pulse": [one.count for one in found[1:]],
        "shares without input": {kind: share for kind, share in found[0].shares.items() if share},
        "by brute force": [by_brute_force(rnn, starts, u) for u in asked],
        "fixed points": points.count,
        "unstable directions": torch.bincount(points.unstable).tolist(),
        "slow points": len(points.slow_points),
        "seconds": round(seconds, 2),
        "by gradient descent": descended | {"of them among ours": both},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("flip_flop", [{"cell": cell, "seed": seed} for seed in range(SEEDS) for cell in CELLS], studied)
