"""The demonstration for five seeds, GRU and LSTM.

Run: python benchmarks/demo_seeds.py
"""

import torch
from side_by_side import write

from multistable.experiments.demo import DemoConfig, run_demo

SEEDS = 5
WARMUP_STEPS = {"gru": 100, "lstm": 200}  # an LSTM's lower layer is often on its way after 100

if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = []
    for seed in range(SEEDS):
        for cell, steps in WARMUP_STEPS.items():
            rows.append(run_demo(DemoConfig(cell=cell, seed=seed, warmup_steps=steps)).to_dict())
            write("demo_seeds", rows)
