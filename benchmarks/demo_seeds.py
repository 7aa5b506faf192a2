"""The demonstration for five seeds, GRU and LSTM.

Run: python benchmarks/demo_seeds.py
"""

import torch
from side_by_side import write

from multistable.experiments.demo import DemoConfig, run_demo

SEEDS = 5
STEPS = {"gru": (100, 1000), "lstm": (200, 2000)}  # of warmup and of training: an LSTM needs more of both

if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = []
    for seed in range(SEEDS):
        for cell, (warmup_steps, steps) in STEPS.items():
            config = DemoConfig(cell=cell, seed=seed, warmup_steps=warmup_steps, steps=steps)
            rows.append(run_demo(config).to_dict())
            write("demo_seeds", rows)
