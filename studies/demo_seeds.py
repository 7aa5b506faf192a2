"""The demonstration for five seeds, GRU and LSTM.

Run: python studies/demo_seeds.py
"""

import torch
from rows import Row, complete

from multistable.experiments.demo import DemoConfig, run_demo

SEEDS = 5
STEPS = {"gru": (100, 1000), "lstm": (200, 2000)}  # of warmup and of training: an LSTM needs more of both
CASES = [{"cell": cell, "seed": seed} for seed in range(SEEDS) for cell in STEPS]


def demonstrate(cell: str, seed: int) -> Row:
    """The whole demonstration."""
    warmup_steps, steps = STEPS[cell]
    return run_demo(DemoConfig(cell=cell, seed=seed, warmup_steps=warmup_steps, steps=steps)).to_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("demo_seeds", CASES, demonstrate)
