"""Warm up in one, two and four processes: do they come to the same weights, and how long does it take?

Run: python studies/processes.py
"""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from rows import Row, complete
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from multistable import warmup

BATCH, SEQUENCES, LENGTH = 32, 640, 100
STEPS = (10, 30, 100)
PLAIN, WRAPPED, OWN = "before wrapping", "in DistributedDataParallel", "each on its own"
NUDGED = "one weight off by its last bit"


class Network(nn.Module):
    """A recurrent network of the usual kind."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        answers: Tensor = self.head(self.rnn(inputs)[0][:, -1])
        return answers


def warmed(steps: int, how: str, dtype: torch.dtype, rank: int, size: int) -> dict[str, Any]:
    """The weights after a warmup, as one of several processes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network().to(dtype)
    data = TensorDataset(torch.randn(SEQUENCES, LENGTH, 1, dtype=dtype))
    loader = DataLoader(data, batch_size=BATCH // size, sampler=DistributedSampler(data, size, rank))
    if how == NUDGED:
        with torch.no_grad():
            weight = network.rnn.get_parameter("weight_hh_l0")[0, 0]
            weight.copy_(torch.nextafter(weight, torch.ones_like(weight)))
    module = DistributedDataParallel(network) if how == WRAPPED else network
    group: Literal["alone"] | None = "alone" if how == OWN else None
    result = warmup(module, loader, steps=steps, batch_size=BATCH // size, generator=0, process_group=group)
    weights = nn.utils.parameters_to_vector(network.parameters()).detach()
    return {"weights": weights, "states": result.after.states, "seconds": result.seconds}


@cache
def of_one(steps: int, dtype: str) -> Tensor:
    """The weights after a warmup in this process alone."""
    weights: Tensor = warmed(steps, PLAIN, getattr(torch, dtype), 0, 1)["weights"]
    return weights


def study(processes: int, how: str, dtype: str) -> Row:
    """Warm up in so many processes, and in one, for 10, 30 and 100 steps."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), __file__, folder, how, dtype]
        subprocess.run([sys.executable, *words], check=True)
        found = [torch.load(Path(folder) / f"{rank}.pt") for rank in range(processes)]
    torch.manual_seed(0)
    new = nn.utils.parameters_to_vector(Network().to(getattr(torch, dtype)).parameters()).detach()
    last = [of_rank[STEPS[-1]] for of_rank in found]
    return {
        "largest difference to one process": {
            f"{steps} steps": max((of_one(steps, dtype) - one[steps]["weights"]).abs().max().item() for one in found)
            for steps in STEPS
        },
        "largest difference between replicas": max(
            (last[0]["weights"] - one["weights"]).abs().max().item() for one in last
        ),
        "replicas equal to the bit": all(torch.equal(last[0]["weights"], one["weights"]) for one in last),
        "measures equal to the bit": all(torch.equal(last[0]["states"], one["states"]) for one in last),
        "largest change": (last[0]["weights"] - new).abs().max().item(),
        "seconds": round(last[0]["seconds"], 1),
    }


if __name__ == "__main__":
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
        folder, how, dtype = sys.argv[1:]
        rank, size = distributed.get_rank(), distributed.get_world_size()
        torch.save(
            {steps: warmed(steps, how, getattr(torch, dtype), rank, size) for steps in STEPS},
            Path(folder) / f"{rank}.pt",
        )
        distributed.destroy_process_group()
    else:
        cases = [(1, PLAIN), (1, NUDGED), (2, PLAIN), (4, PLAIN), (2, WRAPPED), (4, WRAPPED), (2, OWN)]
        complete("processes", [{"processes": size, "how": how, "dtype": "float64"} for size, how in cases], study)
