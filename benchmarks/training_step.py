"""A training step of a run beside one of a bare PyTorch loop, on the same network and batches.

Run: python benchmarks/training_step.py
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from side_by_side import write

from multistable.experiments.config import Config
from multistable.experiments.data import Data, Examples, examples_to_train, seed_for, shuffled, task_of
from multistable.experiments.network import Network, new_network
from multistable.experiments.training import Training, fit

Times = np.ndarray[tuple[int], np.dtype[np.float64]]

REPEATS, STEPS = 7, 100
CONFIG = Config(
    task="copy_first_input", length=100, cell="gru", hidden=64, layers=2, batch_size=32, samples=4000, epochs=1
)


def bare_loop(network: Network, train: Examples) -> None:
    """What one writes by hand."""
    optimizer = torch.optim.Adam(network.parameters(), lr=CONFIG.lr)
    score = task_of(CONFIG).score
    for inputs, targets in shuffled(train, CONFIG.batch_size, seed_for(CONFIG.seed, "order", 1)):
        loss = score.loss(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Timed(Training):
    """Training that notes how long the steps of an epoch take, and does nothing at its end."""

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.start: Times = now()

    def on_train_epoch_end(self) -> None:
        self.spent: Times = now() - self.start


def now() -> Times:
    """Wall time, and the processor's time in this process, which other work on the machine disturbs less."""
    return np.array([time.perf_counter(), time.process_time()])


def of_run(network: Network, data: Data) -> Times:
    """What the steps of an epoch of a run take."""
    with tempfile.TemporaryDirectory() as folder:
        training = Timed(CONFIG, network, data, task_of(CONFIG).score, [{"epoch": 0}], Path(folder))
        fit(training, CONFIG, Path(folder))
    return training.spent


def of_loop(network: Network, data: Data) -> Times:
    """What they take in a bare loop."""
    start = now()
    bare_loop(network, data.train)
    spent: Times = now() - start
    return spent


def row() -> dict[str, Any]:
    drawn = examples_to_train(CONFIG)
    data = drawn._replace(train=Examples(*(one[: STEPS * CONFIG.batch_size] for one in drawn.train)))
    loops, runs = [], []
    for _ in range(REPEATS + 1):
        by_hand, by_run = (new_network(CONFIG, data.train) for _ in range(2))
        loops.append(of_loop(by_hand, data))
        runs.append(of_run(by_run, data))
        assert torch.equal(by_hand.head.weight, by_run.head.weight), "both must come to the same weights"
    loop, run = (np.median(one[1:], axis=0) / STEPS for one in (loops, runs))  # the first ones warm up
    ratios = np.array(runs[1:]) / np.array(loops[1:])
    return {
        "network": "2 x 64 GRU, T 100, B 32",
        "median milliseconds a step, bare loop": round(1e3 * loop[0], 2),
        "median milliseconds a step, run": round(1e3 * run[0], 2),
        "run / bare loop, wall time": round(float(np.median(ratios[:, 0])), 3),
        "run / bare loop, processor time": round(float(np.median(ratios[:, 1])), 3),
        "processor time, each": ratios[:, 1].round(3).tolist(),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("training_step", [row()])
