"""The demonstration for five seeds, GRU and LSTM.

Run: python studies/demo_seeds.py
"""

from dataclasses import asdict
from typing import Any

import torch
from rows import Row, complete

from multistable.experiments.demo import DemoConfig, run_demo

SEEDS = 5
STEPS = {"gru": (100, 1000), "lstm": (200, 2000)}  # of warmup and of training: an LSTM needs more of both

CASES = [
    {"settings": asdict(DemoConfig(cell=cell, seed=seed, warmup_steps=warmup_steps, steps=steps))}
    for seed in range(SEEDS)
    for cell, (warmup_steps, steps) in STEPS.items()
]


def demonstrate(settings: dict[str, Any]) -> Row:
    """The whole demonstration."""
    return run_demo(DemoConfig(**settings)).to_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("demo_seeds", CASES, demonstrate)
