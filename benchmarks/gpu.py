"""What the package takes on a GPU beside cuDNN: recurrences, steps of warmup, `measure` and `attractors`.

Beside a figure that has one stands the goal, and whether it was met; ratios are to be at most as large.

Run: python benchmarks/gpu.py
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from side_by_side import median_seconds, write
from torch import Tensor, nn
from warmup_step import CAP, training_step, warmup_step

from multistable import attractors, init, measure, warmup
from multistable.dynamics import stacks
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC

CUDNN: dict[str, Any] = {"cuDNN GRU": nn.GRU, "cuDNN LSTM": nn.LSTM}
OURS: dict[str, Any] = {"BRC": BRC, "nBRC": NBRC, "MGU": MGU, "GRU": GRU, "LSTM": LSTM}
IN_LAYERS: dict[str, Any] = {"GRU": nn.GRU, "LSTM": nn.LSTM, "nBRC": NBRC, "MGU": MGU}
LAYERS = 2
Size = tuple[int, int, int]


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        recurrences: T, B and H, inputs as wide as the state.
        step: T, B and H of a warmup step and a training step.
        held: steps, states and H of `measure`.
        reached: states and H of `attractors`.
        horizon: of `attractors`.
        warmup_steps: of the networks that are measured when warmed up.
        repeats: of which the median is taken, after one to warm up.
    """

    recurrences: tuple[Size, ...]
    step: Size
    held: Size
    reached: tuple[int, int]
    horizon: int
    warmup_steps: int
    repeats: int


FULL = Scale(
    recurrences=(
        (300, 32, 64), (300, 32, 128), (1000, 64, 128), (300, 512, 128),
        (300, 32, 256), (1000, 64, 256), (300, 512, 256), (300, 32, 512),
    ),
    step=(300, 32, 256),
    held=(10_000, 32, 128),
    reached=(256, 128),
    horizon=10_000,
    warmup_steps=100,
    repeats=11,
)  # fmt: skip
SMALL = Scale(((8, 4, 16),), (8, 4, 8), (250, 4, 8), (8, 4), 128, 2, 1)


class Bench:
    """Timings on one device, at one scale."""

    def __init__(self, device: torch.device, scale: Scale) -> None:
        self.device, self.scale = device, scale

    def rows(self) -> Iterator[dict[str, Any]]:
        """All of them."""
        for precision in ("tf32", "ieee"):
            with rnn_precision(precision):
                for size in self.scale.recurrences:
                    yield from self.recurrences(size, precision)
        for cell in IN_LAYERS:
            yield from self.steps(cell)
        for cell in ("GRU", "LSTM", "nBRC"):
            for warmed in (False, True):
                yield self.measured(cell, warmed)
        for name in ("new", "bistable_"):
            yield self.attracted(name)

    def recurrences(self, size: Size, precision: str) -> Iterator[dict[str, Any]]:
        """Forward and backward of one layer, to its parameters and inputs."""
        length, batch, hidden = size
        inputs = torch.randn(length, batch, hidden, device=self.device, requires_grad=True)
        tasks = {}
        for cell, kind in {**CUDNN, **OURS}.items():
            tasks[cell] = partial(train, kind(hidden, hidden, device=self.device), inputs)
        seconds, peaks = self.medians(tasks), {cell: self.peak_megabytes(task) for cell, task in tasks.items()}
        for cell in tasks:
            ratio = seconds[cell] / seconds["cuDNN GRU"]
            yield {
                "what": "recurrence",
                "T, B, H": list(size),
                "precision": precision,
                "cell": cell,
                "milliseconds": milliseconds(seconds[cell]),
                "peak megabytes": peaks[cell],
                "/ cuDNN GRU": round(ratio, 3),
                "/ cuDNN LSTM": round(seconds[cell] / seconds["cuDNN LSTM"], 3),
                **judged(ratio, goal(cell, size) if precision == "tf32" else None),
            }

    def steps(self, cell: str) -> Iterator[dict[str, Any]]:
        """A step of warmup beside a training step, on a network that has been warmed up."""
        length, batch, hidden = self.scale.step
        module, trained = self.network(cell, hidden), self.network(cell, hidden)
        head = nn.Linear(hidden, 1, device=self.device)
        inputs = torch.randn(length, batch, 1, device=self.device)
        warmup(module, inputs, steps=self.scale.warmup_steps, generator=0)
        (stack,) = stacks(module)
        of_training = torch.optim.Adam([*trained.parameters(), *head.parameters()])
        of_warmup = torch.optim.Adam(module.parameters(), lr=1e-5)
        tasks: dict[str, Callable[[int], object]] = {
            "training step": lambda _: training_step(trained, head, inputs, of_training),
            "whole prefixes": lambda turn: warmup_step(stack, inputs, None, turn, of_warmup),
            "default cap": lambda turn: warmup_step(stack, inputs, CAP, turn, of_warmup),
        }
        seconds, peaks = self.medians(tasks), {name: self.peak_megabytes(task) for name, task in tasks.items()}
        for prefixes, at_most in (("whole prefixes", 1.5), ("default cap", 0.8)):
            ratio = seconds[prefixes] / seconds["training step"]
            yield {
                "what": "warmup step",
                "cell": cell,
                "prefixes": prefixes,
                "milliseconds": milliseconds(seconds[prefixes]),
                "peak megabytes": peaks[prefixes],
                "training step, milliseconds": milliseconds(seconds["training step"]),
                "/ training step": round(ratio, 3),
                **judged(ratio, at_most),
            }

    @torch.no_grad()
    def measured(self, cell: str, warmed: bool) -> dict[str, Any]:
        """`measure` beside one call of the module on as many steps of a constant input."""
        horizon, n, hidden = self.scale.held
        module, inputs = self.network(cell, hidden).eval(), torch.randn(100, n, 1, device=self.device)
        if warmed:
            warmup(module, inputs, steps=self.scale.warmup_steps, generator=0)
        constant = torch.ones(1, 1, 1, device=self.device).expand(horizon, n, 1)
        tasks: dict[str, Callable[[int], object]] = {
            "measure": lambda _: measure(module, inputs, horizon=horizon, n=n, generator=0),
            "plain call": lambda _: module(constant),
        }
        seconds = self.medians(tasks)
        ratio = seconds["measure"] / seconds["plain call"]
        in_milliseconds = judged(1e3 * seconds["measure"], 100.0, "milliseconds")
        return {
            "what": "measure",
            "cell": cell,
            "network": "warmed up" if warmed else "new",
            "milliseconds": milliseconds(seconds["measure"]),
            "peak megabytes": self.peak_megabytes(tasks["measure"]),
            "plain call, milliseconds": milliseconds(seconds["plain call"]),
            "/ plain call": round(ratio, 3),
            **(in_milliseconds if cell == "nBRC" else judged(ratio, 1.2)),
        }

    def attracted(self, name: str) -> dict[str, Any]:
        """`attractors` of a GRU."""
        n, hidden = self.scale.reached
        module, inputs = nn.GRU(1, hidden, device=self.device), torch.randn(100, n, 1, device=self.device)
        if name == "bistable_":
            init.bistable_(module)
        task = partial(attractors, module, inputs, n=n, horizon=self.scale.horizon, generator=0)
        seconds = self.medians({name: lambda _: task()})
        return {
            "what": "attractors",
            "network": name,
            "milliseconds": milliseconds(seconds[name]),
            "peak megabytes": self.peak_megabytes(lambda _: task()),
        }

    def network(self, cell: str, hidden: int) -> Any:
        """Layers on top of each other, on data of a single feature."""
        return IN_LAYERS[cell](1, hidden, LAYERS, device=self.device)

    def medians(self, tasks: Mapping[str, Callable[[int], object]]) -> dict[str, float]:
        """The seconds that each task takes until the device has done it."""
        return median_seconds({name: partial(self.done, task) for name, task in tasks.items()}, self.scale.repeats)

    def done(self, task: Callable[[int], object], turn: int) -> None:
        task(turn)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def peak_megabytes(self, task: Callable[[int], object]) -> float | None:
        """What a task takes on the GPU above what was there before; None elsewhere."""
        if self.device.type != "cuda":
            return None
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        self.done(task, 0)
        return round((torch.cuda.max_memory_allocated(self.device) - before) / 2**20, 1)


def train(module: nn.Module, inputs: Tensor, turn: int) -> None:
    """Forward and backward; nothing is added up from turn to turn."""
    for one in (inputs, *module.parameters()):
        one.grad = None
    outputs, _ = module(inputs)
    outputs.sum().backward()


@contextmanager
def rnn_precision(name: str) -> Iterator[None]:
    """In which precision recurrent layers multiply: "tf32", torch's default, or "ieee"."""
    settings: Any = torch.backends.cudnn.rnn
    before = settings.fp32_precision
    settings.fp32_precision = name
    try:
        yield
    finally:
        settings.fp32_precision = before


def goal(cell: str, size: Size) -> float | None:
    """How long a layer may take, in units of cuDNN's GRU."""
    _, batch, hidden = size
    if cell == "BRC":
        return {(300, 32, 128): 0.9}.get(size) or {256: 0.15}.get(hidden)
    if cell in ("nBRC", "MGU"):
        return (0.5 if batch == 512 else 1.6) if hidden <= 128 else {256: 1.0, 512: 2.2}[hidden]
    return None


def judged(value: float, at_most: float | None, of: str = "ratio") -> dict[str, Any]:
    """The goal, and whether it was met."""
    return {} if at_most is None else {"goal": f"{of} <= {at_most:g}", "met": value <= at_most}


def milliseconds(seconds: float) -> float:
    return round(1e3 * seconds, 3)


def versions(device: torch.device) -> dict[str, Any]:
    """The card, and what it was used with."""
    try:
        triton: str | None = version("triton")
    except PackageNotFoundError:
        triton = None
    on_cuda = device.type == "cuda"
    return {
        "card": torch.cuda.get_device_name(device) if on_cuda else "none",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if on_cuda else None,
        "triton": triton,
    }


def main(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Time everything, print it, and, at full scale on a GPU, write it to `results/gpu.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny sizes, which show that all of it runs; not written")
    chosen = parser.parse_args(arguments)
    device = torch.device(chosen.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "torch finds no GPU here: `--device cpu --small` shows that the script runs, and times nothing"
        )
    if device.type != "cuda" and not chosen.small:
        parser.error(f"{device} is not timed: add --small")
    torch.manual_seed(0)
    rows = []
    for row in Bench(device, SMALL if chosen.small else FULL).rows():
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    if not chosen.small:
        write("gpu", rows, versions(device))
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
