"""Whether a warmup costs precision where networks are trained until they no longer improve: copy first input.

The learning rate falls whenever the test error has stalled, and training ends with the last such stall, or after a
number of steps.

Run: python studies/convergence.py
"""

import torch
import torch.nn.functional as F
from rows import Row, complete
from starts import CELLS
from starts_learning import BATCH, LR, descend, score
from torch.optim.lr_scheduler import ReduceLROnPlateau
from who_leads import LENGTH, begun, drawn

STARTS = ("new", "warmup", "warmup, doubled")
EVERY, PATIENCE, BETTER = 500, 6, 0.1  # steps between tests; tests without an error lower by that share, for a stall
FALLS, FACTOR = 2, 0.25  # of the learning rate
MOST, TESTED, SEEDS = 30_000, 2_000, 2


def converged(cell: str, start: str, seed: int) -> Row:
    """The test errors of one network until it no longer improves."""
    network, _, optimizer, generator = begun(cell, start, seed)
    test = drawn(TESTED, torch.Generator().manual_seed(2000 + seed))
    schedule = ReduceLROnPlateau(optimizer, factor=FACTOR, patience=PATIENCE - 1, threshold=BETTER)
    errors: list[float] = []
    stalled = False
    for step in range(1, MOST + 1):
        sequences, targets = drawn(BATCH, generator)
        loss = F.mse_loss(network(sequences), targets)
        descend(network, optimizer, loss)
        if step % EVERY == 0:
            errors.append(score(network, test))
            schedule.step(errors[-1])
            stalled = float(schedule.get_last_lr()[0]) < LR * FACTOR**FALLS
            if stalled:
                break
    return {"length": LENGTH, "every": EVERY, "stalled": stalled, "error": errors}


CASES = [{"cell": cell, "start": start, "seed": seed} for seed in range(SEEDS) for start in STARTS for cell in CELLS]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("convergence", CASES, converged)
