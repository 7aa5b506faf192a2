"""What each process of test_together.py does; a process alone does the same on all data.

Run: torchrun --nproc-per-node N tests/_warmup/in_processes.py FOLDER
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from multistable import attractors, fixed_points, measure, warmup
from multistable._utils import together
from multistable._utils.randomness import draw_seed
from multistable.nn import GRU

BATCH = 8  # in all processes together
F64 = torch.float64


class Tagger(nn.Module):
    """A model with buffers, which `DistributedDataParallel` sends around in each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(2, 3, dtype=F64)
        self.rnn = nn.GRU(3, 5, num_layers=2, batch_first=True, dtype=F64)
        self.norm = nn.BatchNorm1d(5, dtype=F64)

    def forward(self, values: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.rnn(self.embedding(values))[0][:, -1])
        return normed


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make()


def gru() -> nn.Module:
    return seeded(lambda: nn.GRU(2, 4, dtype=F64))


def hard(hardness: float) -> nn.Module:
    return seeded(lambda: GRU(2, 4, dtype=F64, hardness=hardness))


def frozen(one: bool) -> nn.Module:
    module = gru()
    next(module.parameters()).requires_grad_(not one)
    return module


def contracting() -> nn.Module:
    """States that soon lie within `tol` of each other, in the first layer sooner than in the second."""
    module = seeded(lambda: nn.GRU(2, 4, num_layers=2, dtype=F64))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.3)
    return module


def sequences() -> Tensor:
    return torch.randn(24, 12, 2, dtype=F64, generator=torch.Generator().manual_seed(1))


def ragged(rank: int, size: int) -> list[Tensor]:
    """Sequences of different lengths; the first process has three more than the others have."""
    counts = [3 + 3 * (process == 0) for process in range(size)]
    return [sequences()[(j * size + rank) % 24, : 1 + (5 * j + 3 * rank) % 12] for j in range(counts[rank])]


def loader(rank: int, size: int) -> DataLoader[Any]:
    data = TensorDataset(sequences(), torch.zeros(24))
    sampler: DistributedSampler[Any] = DistributedSampler(data, size, rank, shuffle=False)
    return DataLoader(data, batch_size=BATCH // size, sampler=sampler)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[int, int], Any], dict[str, Any]]] = {
    # In batches of four some processes have no sequence at all.
    "tensor": (
        contracting,
        lambda rank, size: sequences()[rank::size].transpose(0, 1),
        {"objective": "contraction", "batch": 4, "horizon": 60, "horizon_increment": 60},
    ),
    "ragged": (gru, ragged, {"steps": 4}),
    "data set": (lambda: seeded(Tagger), lambda rank, size: TensorDataset(sequences()[rank::size]), {"batch": 4}),
    "loader": (lambda: seeded(Tagger), loader, {"steps": 9, "max_prefix": 5}),
    "function": (gru, lambda rank, size: lambda count, _: sequences()[rank::size][:count].transpose(0, 1), {}),
}
"""Modules, inputs and options of warmups."""


def vector(module: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def warmed(name: str, rank: int, size: int, inputs: Any = None) -> dict[str, Any]:
    """Warm up as one of several processes, one of the models in `DistributedDataParallel`."""
    make, draw, options = CASES[name]
    options = {"steps": 6, "horizon": 12, "batch": BATCH} | options
    module = make()
    calls: list[int] = []
    if size > 1 and name == "data set":
        module = DistributedDataParallel(module)

        def hook(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
            calls.append(bucket.index())
            return torch.futures.Future().then(lambda _: bucket.buffer())

        module.register_comm_hook(None, hook)
    module.train()
    before = vector(module)
    batch_size = options.pop("batch") // size
    result = warmup(
        module, draw(rank, size) if inputs is None else inputs, batch_size=batch_size, generator=5 * rank, **options
    )
    return {
        "before": before,
        "weights": vector(module),
        "history": result.history,
        "vaa": (result.before.vaa, result.after.vaa),
        "states": result.after.states,
        "untouched": module.training and not calls and all(one.grad is None for one in module.parameters()),
        "module": module,
    }


def trained(module: nn.Module, rank: int, size: int) -> Tensor:
    """The weights after a training step in `DistributedDataParallel`, each process with data of its own."""
    wrapped = DistributedDataParallel(module)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
    wrapped(sequences()[rank::size]).square().mean().backward()
    optimizer.step()
    return vector(module)


def looked(rank: int, size: int, inputs: Any = None) -> dict[str, Any]:
    """What is found in a GRU by the other functions."""
    mine = ragged(rank, size) if inputs is None else inputs
    found = measure(gru(), mine, u="data", horizon=4, n=7, generator=rank)
    batches = [sequences()[:3].transpose(0, 1)] * (1 if rank < size - 1 else 3)
    kinds = attractors(gru(), mine, horizon=200, generator=rank)
    points = fixed_points(gru(), mine, u=0, starts=32, generator=rank)
    return {
        "states": found.states,
        "n": measure(gru(), batches, horizon=1, generator=rank).n,
        "sequences": kinds.sequences,
        "prefixes": kinds.prefixes,
        "points": points.points,
    }


def attempts(rank: int, size: int) -> dict[str, Callable[[], Any]]:
    """Calls that fail in at least one process."""
    mine = sequences()[rank::size].transpose(0, 1)
    last = rank == size - 1
    options: dict[str, Any] = {"steps": 3, "horizon": 4, "batch_size": 25, "generator": 0}
    calls = iter(range(9))
    numpys: Any = np.int64(10 + last)

    def broken_off(count: int, _: torch.Generator) -> Tensor:
        """Fails in the second step, after two calls for the measure and one for the first step."""
        if next(calls) == 3 and last:
            raise ConnectionError("no more data")
        return mine[:, :count]

    def few() -> Iterator[Tensor]:
        yield from [mine] * (40 if last else 12)

    def sharded() -> nn.Module:
        module = nn.Sequential(gru())
        fully_shard(module, mesh=init_device_mesh("cpu", (size,)))
        return module

    return {
        "an error in one": lambda: unchanged(gru(), broken_off, options),
        "the end in one": lambda: warmup(gru(), few(), **options | {"steps": 90}),
        "a bad module in one": lambda: measure(nn.Linear(2, 2) if last else gru(), mine),
        "another argument": lambda: warmup(gru(), mine, **options | {"lr": 0.1 + last}),
        "another constant input": lambda: measure(gru(), mine, u=torch.ones(2) * rank),
        "other weights": lambda: warmup(nn.GRU(2, 4, dtype=F64) if last else gru(), mine, **options),
        "another hardness": lambda: measure(hard(0.1 * last), mine),
        "frozen in one": lambda: warmup(frozen(last), mine, **options),
        "another horizon of NumPy": lambda: measure(gru(), mine, horizon=numpys),
        "another call": lambda: (measure if last else attractors)(gru(), mine),
        "another form of inputs": lambda: measure(gru(), [mine] if last else mine),
        "no group": lambda: warmup(gru(), mine, process_group="us", **options),  # type: ignore[arg-type]
        "others' group": lambda: measure(gru(), mine, process_group=distributed.new_group([0])).n,
        "sharded": lambda: measure(sharded(), mine),
        "sharded by a wrapper": lambda: measure(FullyShardedDataParallel(gru(), device_id=torch.device("cpu")), mine),
        "only some": lambda: None if last else measure(gru(), mine),
        "alone": lambda: None if last else measure(gru(), mine, process_group="alone").n,
        "given states": lambda: None if last else attractors(gru(), states=torch.zeros(2, 4), horizon=200).n,
    }


def unchanged(module: nn.Module, inputs: Any, options: dict[str, Any]) -> Any:
    """Warm up, and see to it that an error leaves the module as it was."""
    before = vector(module)
    try:
        return warmup(module, inputs, **options)
    finally:
        assert torch.equal(vector(module), before)


def outcome(call: Callable[[], Any]) -> str:
    """What came of it in this process, when all are through; the group goes on to work."""
    try:
        return str(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        distributed.barrier()


def moved_on(rank: int, size: int) -> bool:
    """Whether a process's own generator has moved on by a draw."""
    own, other = (torch.Generator().manual_seed(rank) for _ in range(2))
    measure(gru(), sequences()[rank::size].transpose(0, 1), horizon=1, generator=own)
    draw_seed(other)
    return torch.equal(torch.rand(3, generator=own), torch.rand(3, generator=other))


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    together._WAIT = 1.0
    distributed.init_process_group("gloo", timeout=timedelta(seconds=60))
    rank, size = distributed.get_rank(), distributed.get_world_size()
    found: dict[str, Any] = {"attempts": {}}
    if size == 2:
        found["attempts"] = {name: outcome(call) for name, call in attempts(rank, size).items()}
    together._WAIT = 60.0
    found["warmed"] = {name: warmed(name, rank, size) for name in CASES}
    modules = {name: one.pop("module") for name, one in found["warmed"].items()}
    found["trained"] = trained(modules["loader"], rank, size)
    found["looked"] = looked(rank, size)
    found["generator moved on"] = moved_on(rank, size)
    torch.save(found, Path(sys.argv[1]) / f"{rank}.pt")
    distributed.destroy_process_group()
