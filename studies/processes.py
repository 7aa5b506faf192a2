"""Warm up in one, two and four processes: do they come to the same weights, and how long does it take?

Run: python studies/processes.py
"""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rows import Row, complete
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from multistable import warmup

BATCH, STEPS, SEQUENCES, LENGTH = 32, 100, 640, 100
PLAIN, WRAPPED, OWN = "before wrapping", "in DistributedDataParallel", "each on its own"


class Network(nn.Module):
    """A recurrent network of the usual kind."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        answers: Tensor = self.head(self.rnn(inputs)[0][:, -1])
        return answers


def warmed(how: str, dtype: torch.dtype, rank: int, size: int) -> dict[str, Any]:
    """The weights after a warmup, as one of several processes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network().to(dtype)
    data = TensorDataset(torch.randn(SEQUENCES, LENGTH, 1, dtype=dtype))
    sampler = DistributedSampler(data, size, rank, seed=0)
    loader = DataLoader(data, batch_size=BATCH // size, sampler=sampler)
    module = DistributedDataParallel(network) if size > 1 and how == WRAPPED else network
    group = "alone" if how == OWN else None
    result = warmup(module, loader, steps=STEPS, batch_size=BATCH // size, generator=0, process_group=group)
    weights = nn.utils.parameters_to_vector(network.parameters()).detach()
    return {"weights": weights, "states": result.after.states, "seconds": result.seconds}


@cache
def of_one(dtype: str) -> Tensor:
    """The weights after a warmup in this process alone."""
    weights: Tensor = warmed(PLAIN, getattr(torch, dtype), 0, 1)["weights"]
    return weights


def study(processes: int, how: str, dtype: str) -> Row:
    """Warm up in so many processes, and in one."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), __file__, folder, how, dtype]
        subprocess.run([sys.executable, *words], check=True)
        first, *others = (torch.load(Path(folder) / f"{rank}.pt") for rank in range(processes))
    torch.manual_seed(0)
    new = nn.utils.parameters_to_vector(Network().to(getattr(torch, dtype)).parameters()).detach()
    weights = [found["weights"] for found in (first, *others)]
    return {
        "largest change by the warmup": (first["weights"] - new).abs().max().item(),
        "largest difference to one process": max((of_one(dtype) - found).abs().max().item() for found in weights),
        "largest difference between replicas": max((weights[0] - found).abs().max().item() for found in weights),
        "replicas equal to the bit": all(torch.equal(weights[0], found) for found in weights),
        "measures equal to the bit": all(torch.equal(first["states"], found["states"]) for found in others),
        "seconds": round(first["seconds"], 1),
    }


if __name__ == "__main__":
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
        folder, how, dtype = sys.argv[1:]
        rank = distributed.get_rank()
        found = warmed(how, getattr(torch, dtype), rank, distributed.get_world_size())
        torch.save(found, Path(folder) / f"{rank}.pt")
        distributed.destroy_process_group()
    else:
        cases = [(1, PLAIN, "float64"), *((size, how, "float64") for how in (PLAIN, WRAPPED) for size in (2, 4))]
        cases += [(2, OWN, "float64"), (1, PLAIN, "float32"), (2, WRAPPED, "float32"), (4, WRAPPED, "float32")]
        complete("processes", [dict(zip(("processes", "how", "dtype"), case, strict=True)) for case in cases], study)
