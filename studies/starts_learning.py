"""What starts are worth: learning at equal cost, in which the time that a start takes counts.

Costs are seconds of the processor, so that others on the same machine are of no account. On the archive's sets
only the two cells that most people use are trained. `mnist`, which is downloaded, is run by its name alone.

Run: python studies/starts_learning.py [TASK ...]
"""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import product

import torch
import torch.nn.functional as F
from hard_tasks import digits, loss_of, padded
from rows import Row, complete
from starts import HIDDEN, STARTS, started
from torch import Tensor, nn
from ucr import SETS, ucr

from multistable import measure
from multistable.tasks import copy_first_input, denoising

DRAWN = ("copy", "denoising")
OURS = (*DRAWN, "rows")
TASKS = (*OURS, *SETS, "mnist")
COMMON = ("GRU", "LSTM")
BUDGET, LOOKS, SEEDS = 20.0, 4, 3  # seconds for start and training together; in how many equal parts it is tested
READOUT = 100  # steps in which the readout is trained alone, where it is first
LAYERS, BATCH, LR, CLIP, TESTED = 1, 32, 2e-3, 1.0, 500
LENGTH, FORGETTING, BLANK = 100, 60, 100  # of copy first input and denoising, of the latter, and after the digits
N, HORIZON = 64, 2_000  # of VAA

Batch = tuple[Tensor, Tensor]


class Network(nn.Module):
    """A recurrent network that answers at its last steps."""

    def __init__(self, rnn: nn.Module, outputs: int, asked: int) -> None:
        super().__init__()
        self.rnn = rnn
        self.asked = asked
        self.head = nn.Linear(HIDDEN, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(T, B, I) -> (B, asked, outputs)."""
        outputs, _ = self.rnn(inputs)
        answers: Tensor = self.head(outputs[-self.asked :]).transpose(0, 1)
        return answers


def drawn(task: str, count: int, generator: torch.Generator, length: int = LENGTH) -> Batch:
    """New sequences (T, B, I) and targets (B, asked, 1)."""
    if task == "copy":
        inputs, targets = copy_first_input(length, count, generator=generator).tensors
        return inputs.transpose(0, 1), targets[:, None]
    inputs, targets = denoising(length, count, forgetting=FORGETTING, generator=generator).tensors
    return inputs.transpose(0, 1), targets


def recorded(task: str, testing: bool = False) -> Batch:
    """All sequences (T, B, I) and classes (B, 1) of a data set to train or to test with."""
    if task in SETS:
        series, classes = ucr(task)[testing]
        return series.transpose(0, 1), classes[:, None]
    return padded(*digits("mnist" if task == "mnist" else "digits")[testing], BLANK)


@torch.no_grad()
def score(network: Network, test: Batch) -> float:
    """The squared error, or the share of sequences whose class is right."""
    answers, targets = network(test[0]), test[1]
    right = F.mse_loss(answers, targets) if targets.is_floating_point() else (answers.argmax(-1) == targets).float()
    return float(f"{right.mean().item():.4g}")


def descend(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of training."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()


def learnt(task: str, cell: str, start: str, seed: int) -> Row:
    """How well a network does after each part of the budget; None where the start itself took longer."""
    if task in DRAWN:
        inputs, known = drawn(task, 1000, torch.Generator().manual_seed(7000 + seed))
        test = drawn(task, TESTED, torch.Generator().manual_seed(2000 + seed))
        outputs = 1
    else:
        inputs, known = recorded(task)
        test = recorded(task, testing=True)
        outputs = int(known.max()) + 1
    rnn, cost = started(cell, start, inputs, seed, LAYERS)
    vaa = measure(rnn, inputs, n=N, horizon=HORIZON, generator=seed).vaa
    torch.manual_seed(seed)
    network = Network(rnn, outputs, known.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    generator = torch.Generator().manual_seed(1000 + seed)
    spent, steps = cost, 0
    scores: list[float | None] = []
    for until in (BUDGET * part / LOOKS for part in range(1, LOOKS + 1)):
        in_time = spent < until
        while spent < until:
            began = time.process_time()
            if STARTS[start].readout_first and steps in (0, READOUT):
                rnn.requires_grad_(steps == READOUT)
            if task in DRAWN:
                sequences, targets = drawn(task, BATCH, generator)
            else:
                which = torch.randint(len(known), (BATCH,), generator=generator)
                sequences, targets = inputs[:, which], known[which]
            loss = loss_of(network(sequences), targets)
            descend(network, optimizer, loss)
            spent += time.process_time() - began
            steps += 1
        scores.append(score(network, test) if in_time else None)
    return {
        "vaa before training": round(vaa, 4),
        "seconds of the start": round(cost, 2),
        "steps": steps,
        "test": scores,
    }


def cases(tasks: Iterable[str]) -> Iterator[Row]:
    """Every start of every cell, seed by seed; the common cells before the others."""
    for common, seed in product((True, False), range(SEEDS)):
        for task, (name, start) in product(tasks, STARTS.items()):
            for cell in start.cells:
                if (cell in COMMON) == common and (common or task in OURS):
                    yield {"task": task, "cell": cell, "start": name, "seed": seed}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in cases(sys.argv[1:] or [task for task in TASKS if task != "mnist"]):
        complete(f"starts_learning_{case['task']}", [case], learnt)
