"""What would a user take instead? Copy first input, learned on short sequences by other people's networks.

Run: python studies/lasting_others.py [MODEL ...]
"""

import json
import math
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch
from sequence_models import MODELS, Network, State, members
from torch import Tensor

SEEDS, TUNING_SEED = (0, 1, 2), 10
SHORTEST, LONGEST, STEPS, BATCH = 5, 200, 2500, 32
LRS, TUNING_STEPS = (1e-3, 3e-3), 400
LENGTHS, PIECE = (100, 200, 1_000, 10_000, 100_000, 1_000_000), 50
SEQUENCES, SEQUENCES_LONG = 32, 8  # for each seed; the latter beyond 100,000 steps
UNTIL, UNTIL_UNLEARNED = {"transformer": 10_000}, 10_000
UNLEARNED = 0.9  # of the error of the answer 0
NOTES = {
    "LRU, slow": "phases start below pi / 100, and in the second layer absolute values from 0.99 to 0.9999; with "
    "those of the plain LRU, anywhere in the unit disk, nothing was learned",
    "transformer": "asked up to 10,000 steps: a step looks at all before it, so that ten times as many cost a hundred "
    "times as much, and each adds 640 bytes to what is kept of a sequence",
}
FILE = Path(__file__).parent / "results" / "lasting_others.json"
HEAD: dict[str, Any] = {
    "versions": {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()},
    "description": "Mean squared error of copy first input (chance is 1) after so many steps, for each seed; "
    "networks of others, trained on 5 to 200 steps.",
    "command": "python studies/lasting_others.py",
    "settings": {
        "lengths in training": [SHORTEST, LONGEST],
        "steps": STEPS,
        "batch": BATCH,
        "optimiser": "Adam; gradient norm clipped at 1; constant for half, then cosine to 5 %",
        "learning rates tried": list(LRS),
        "tuned": f"by the training loss of a network of seed {TUNING_SEED} at the end of {TUNING_STEPS} steps",
        "seeds": list(SEEDS),
        "sequences for each seed": SEQUENCES,
        "sequences for each seed, beyond 100,000 steps": SEQUENCES_LONG,
        "dtype": "float32",
    },
}


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate: all of it for half of the steps, then along a cosine to 5 %."""
    return 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * max(0.0, 2 * step / steps - 1)))


def clip(network: Network) -> None:
    """Each member's gradient to a norm of at most 1."""
    grads = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    norms = torch.stack([grad.flatten(1).norm(dim=1) for grad in grads]).norm(dim=0)
    scale = (1 / (norms + 1e-6)).clamp(max=1)
    for grad in grads:
        grad.mul_(scale.view(-1, *[1] * (grad.dim() - 1)))


def train(network: Network, seeds: tuple[int, ...], lr: float, steps: int) -> list[float]:
    """Each member on sequences of its own, one length for each batch; their mean losses in the last tenth."""
    lengths = torch.Generator().manual_seed(999)
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, steps))
    losses = []
    for step in range(steps):
        length = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=lengths))
        inputs = torch.stack([torch.randn(length, BATCH, 1, generator=one) for one in generators])
        loss = (network(inputs)[0] - inputs[:, 0]).square().mean(dim=(1, 2))
        optimizer.zero_grad()
        loss.sum().backward()
        clip(network)
        optimizer.step()
        scheduler.step()
        losses.append(loss.detach())
        if step % 100 == 99:
            show(f"{step + 1} {rounded(torch.stack(losses[-100:]).mean(dim=0))}")
    return rounded(torch.stack(losses[-steps // 10 :]).mean(dim=0))


def rounded(values: Tensor) -> list[Any]:
    """Each to four digits; one that isn't finite as None."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.tolist()]


def show(line: str) -> None:
    """Progress."""
    print(line, flush=True)


def tuned(name: str) -> dict[str, Any]:
    """The loss that each learning rate came to."""
    found = {}
    for lr in LRS:
        show(f"{name}, learning rate {lr:g}")
        network = members(MODELS[name], (TUNING_SEED,))
        found[f"{lr:g}"] = train(network, (TUNING_SEED,), lr, TUNING_STEPS)[0]
    return found


def study(name: str, entry: dict[str, Any]) -> None:
    """Train and test one model; `entry` is written as it grows, and has its seconds at the end."""
    start = time.perf_counter()
    entry["tuning"] = tuned(name)
    entry["learning rate"] = min(LRS, key=lambda lr: entry["tuning"][f"{lr:g}"] or math.inf)
    network = members(MODELS[name], SEEDS)
    entry["parameters"] = sum(parameter[0].numel() for parameter in network.parameters())
    entry["training loss"] = train(network, SEEDS, entry["learning rate"], STEPS)
    entry["seconds of training"] = round(time.perf_counter() - start)
    entry["notes"] = [NOTES[name]] if name in NOTES else []
    entry["mse"], entry["mse of 0"] = {}, {}
    with torch.inference_mode():
        evaluate(name, network, entry)
    if any(None in values for values in entry["mse"].values()):
        entry["notes"].append("null: an error that is not finite")
    entry["seconds"] = round(time.perf_counter() - start)


def evaluate(name: str, network: Network, entry: dict[str, Any]) -> None:
    """The squared errors as sequences go by."""
    generator = torch.Generator().manual_seed(2000)
    states: list[State] | None = None
    step, until, sequences = 0, UNTIL.get(name, LENGTHS[-1]), SEQUENCES
    first = torch.empty(0)
    for length in LENGTHS:
        if length > 100_000 and states is not None:
            sequences, first = SEQUENCES_LONG, first[:, :SEQUENCES_LONG]
            states = [tuple(part[:, :SEQUENCES_LONG].contiguous() for part in state) for state in states]
        while step < length <= until:
            inputs = torch.randn(len(SEEDS), PIECE, sequences, 1, generator=generator)
            first = inputs[:, 0] if step == 0 else first
            answers, states = network(inputs, states)
            step += PIECE
        if length <= until:
            errors, chance = ((answers - first).square().mean(dim=(1, 2)), first.square().mean(dim=(1, 2)))
            entry["mse"][str(length)] = rounded(errors)
            entry["mse of 0"][str(length)] = rounded(chance)
            show(f"{name} {length} {entry['mse'][str(length)]}")
            write()
        if length == LENGTHS[0] and bool((errors > UNLEARNED * chance).all()):
            until = UNTIL_UNLEARNED
            entry["notes"].append(f"no network learned; asked up to {UNTIL_UNLEARNED:,} steps")


def write() -> None:
    """What is known so far."""
    FILE.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    results = HEAD | {"models": json.loads(FILE.read_text())["models"] if FILE.exists() else {}}
    for model in sys.argv[1:] or MODELS:
        if "seconds" not in results["models"].get(model, {}):
            results["models"][model] = {}
            study(model, results["models"][model])
            write()
