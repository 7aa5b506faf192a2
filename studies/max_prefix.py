"""What the cap on prefixes costs and brings: warmup, then training on copy first input at T = 200.

Run: python studies/max_prefix.py
"""

import torch
from rows import Row, complete

from multistable import warmup
from multistable.experiments.demo import DemoConfig, evaluate, new_network, train
from multistable.tasks import copy_first_input

LENGTH, STEPS, SEEDS = 200, 500, 3
CAPS = (10, 30, None)

CASES = [
    {"cell": cell, "max_prefix": cap, "seed": seed} for seed in range(SEEDS) for cell in ("gru", "lstm") for cap in CAPS
]


def trained(cell: str, max_prefix: int | None, seed: int) -> Row:
    """Warm up and train one network."""
    config = DemoConfig(cell=cell, length=LENGTH, steps=STEPS, seed=seed)
    torch.manual_seed(seed)
    model = new_network(config)
    sequences, _ = copy_first_input(LENGTH, 1000, generator=seed).tensors
    result = warmup(model.rnn, sequences, max_prefix=max_prefix, generator=seed)
    losses = train(model, config, "training", progress=False)
    return {
        "warmup seconds": round(result.seconds, 1),
        "vaa at 2,000 steps": round(result.after.vaa, 3),
        "residual": float(f"{result.after.residual:.1e}"),
        "loss, mean of each 100 training steps": [
            round(sum(losses[k : k + 100]) / 100, 4) for k in range(0, STEPS, 100)
        ],
        "test error": round(evaluate(model, config), 4),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("max_prefix", CASES, trained)
