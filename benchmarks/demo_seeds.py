"""The demonstration for five seeds, GRU and LSTM.

Run: python benchmarks/demo_seeds.py
"""

import torch
from side_by_side import write

from multistable.experiments.demo import DemoConfig, run_demo

SEEDS = 5

if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = []
    for seed in range(SEEDS):
        for cell in ("gru", "lstm"):
            rows.append(run_demo(DemoConfig(cell=cell, seed=seed)).to_dict())
            write("demo_seeds", rows)
