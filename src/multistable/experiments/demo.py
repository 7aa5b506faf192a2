"""The demonstration: a recurrent network that can't learn a task becomes one that can."""

import copy
import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from multistable import init, plot
from multistable._measure import Multistability, measure
from multistable._utils.checks import check_int, check_not_negative, check_rate
from multistable._utils.progress import progress_bar
from multistable._utils.wording import shown
from multistable._warmup import WarmupResult, warmup
from multistable.experiments.config import CELLS as PLAIN_CELLS
from multistable.experiments.memory import asking, check_memory, of_network
from multistable.experiments.network import Network, recurrent_layers
from multistable.nn import Hardening
from multistable.tasks import CopyFirstInput, copy_first_input, copy_first_input_stream

__all__ = ["CELLS", "DemoConfig", "DemoResult", "new_network", "run_demo"]

CELLS = (*PLAIN_CELLS, "chrono")
"""What the demonstration takes as a cell: those of experiments, and the LSTM with chrono initialisation."""

# 10,000 sequences: the variance of their targets, which is the error without memory, is known to 1.4 %.
_TEST_BATCH, _TEST_BATCHES = 500, 20
_MEASURED = 1000
_EARLY = 2000  # steps, ten times the warmup's horizon


@dataclass(frozen=True)
class DemoConfig:
    """Settings of the demonstration.

    Attributes:
        cell: one of the cells of experiments, or `"chrono"`, an LSTM with chrono initialisation.
        length: T, steps in a sequence.
        hidden: H, hidden units in a layer.
        layers: recurrent layers.
        steps: training steps, the same without and with warmup.
        warmup_steps: steps of warmup.
        batch_size: B, sequences in a batch.
        lr: Adam's learning rate in training.
        seed: draws weights, sequences and the warmup.
        double: whether each layer is a double layer, of which the first half is warmed up.
        hardness: of the gates that keep, at the end of training; 0 for ordinary gates.
    """

    cell: str = "gru"
    length: int = 100
    hidden: int = 64
    layers: int = 2
    steps: int = 1000
    warmup_steps: int = 100
    batch_size: int = 32
    lr: float = 1e-3
    seed: int = 0
    double: bool = False
    hardness: float = 0.0

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {shown(self.cell)}")
        for name in ("length", "hidden", "layers", "steps", "warmup_steps", "batch_size"):
            check_int(name, getattr(self, name))
        check_rate("lr", self.lr)
        check_int("batch_size", self.batch_size, at_least=2)
        if check_not_negative("hardness", self.hardness) > 0 and self.cell == "rnn":
            raise ValueError("hardness is of gates, and the cell rnn has none")
        if self.double:
            check_int("hidden", self.hidden, at_least=2)
        if not 0 <= self.seed < 2**62:
            raise ValueError(f"seed must lie in 0..2^62 - 1, got {self.seed}")
        check_memory(
            {
                "hidden and layers": of_network(self.hidden, self.layers),
                "length": 4 * _MEASURED * self.length,
                "batch_size, length and hidden": 4 * self.batch_size * self.length * self.hidden,
            }
        )


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found.

    Attributes:
        config: the settings.
        loss_plain: test error without warmup.
        loss_warmup: test error with warmup.
        curve_plain: training loss at each step, without warmup.
        curve_warmup: training loss at each step, with warmup.
        warmup: what the warmup did.
        early_before: the measure of the new network, at 2,000 steps.
        early_after: the measure after warmup, before training, at 2,000 steps.
        before: the measure of the new network, at 10,000 steps.
        after: the measure after warmup, before training, at 10,000 steps.
        training_seconds: wall time of one training, the mean of the two.
    """

    config: DemoConfig
    loss_plain: float
    loss_warmup: float
    curve_plain: list[float]
    curve_warmup: list[float]
    warmup: WarmupResult
    early_before: Multistability
    early_after: Multistability
    before: Multistability
    after: Multistability
    training_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The figures that the closing table shows, the settings and the versions."""
        return {
            "loss_chance": CopyFirstInput(length=self.config.length).chance,
            "loss_plain": self.loss_plain,
            "loss_warmup": self.loss_warmup,
            "vaa_before": self.early_before.vaa,
            "vaa_after": self.early_after.vaa,
            "vaa_horizon": self.early_after.horizon,
            "vaa_before_at_10000": self.before.vaa,
            "vaa_after_at_10000": self.after.vaa,
            "residual_after_at_10000": self.after.residual,
            "warmup_status": self.warmup.status,
            "warmup_seconds": self.warmup.seconds,
            "training_seconds": self.training_seconds,
            "settings": asdict(self.config),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def save(self, folder: Path) -> None:
        """Write `result.json`, `curves.png` and `multistability.png`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")
        curves = {"without warmup": self.curve_plain, "with warmup": self.curve_warmup}
        chance = CopyFirstInput(length=self.config.length).chance
        plot.learning_curves(curves, chance).savefig(folder / "curves.png", dpi=150)
        measures = {"before warmup": self.before.trace, "after warmup": self.after.trace}
        plot.traces(measures).savefig(folder / "multistability.png", dpi=150)


def new_network(config: DemoConfig) -> Network:
    """A network that answers at the last step, with weights as torch draws them."""
    cell = "lstm" if config.cell == "chrono" else config.cell
    sizes = 1, config.hidden, config.layers
    rnn = recurrent_layers(cell, *sizes, double=config.double, batch_first=True, hard=config.hardness > 0)
    if config.cell == "chrono":
        init.chrono_(rnn, t_max=config.length)
    return Network(rnn, config.hidden, outputs=1, asked=-1)


def run_demo(config: DemoConfig, *, progress: bool = False) -> DemoResult:
    """Train one network on copy first input without and with warmup, on the same batches from the same weights.

    Args:
        config: the settings.
        progress: whether to show progress bars; needs the extra `progress`.

    Raises:
        FloatingPointError: a loss became NaN or infinite.
        MemoryError: there is too little memory.
    """
    with asking("hidden, layers, length and batch_size"):
        return _run_demo(config, progress)


def _run_demo(config: DemoConfig, progress: bool) -> DemoResult:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        plain = new_network(config)
    warmed = copy.deepcopy(plain)
    sequences, _ = copy_first_input(config.length, _MEASURED, generator=config.seed).tensors
    early_before = measure(warmed.rnn, sequences, horizon=_EARLY, generator=config.seed)
    before = measure(warmed.rnn, sequences, generator=config.seed)
    result = warmup(
        warmed.rnn,
        sequences,
        steps=config.warmup_steps,
        batch_size=config.batch_size,
        generator=config.seed,
        progress=progress,
    )
    early_after = measure(warmed.rnn, sequences, horizon=_EARLY, generator=config.seed)
    after = measure(warmed.rnn, sequences, generator=config.seed)
    start = time.perf_counter()
    curve_plain = train(plain, config, "training without warmup", progress)
    curve_warmup = train(warmed, config, "training with warmup", progress)
    seconds = (time.perf_counter() - start) / 2
    return DemoResult(
        config=config,
        loss_plain=evaluate(plain, config),
        loss_warmup=evaluate(warmed, config),
        curve_plain=curve_plain,
        curve_warmup=curve_warmup,
        warmup=result,
        early_before=early_before,
        early_after=early_after,
        before=before,
        after=after,
        training_seconds=seconds,
    )


def train(model: nn.Module, config: DemoConfig, description: str, progress: bool) -> list[float]:
    """Train `model` in place; the loss at each step, which must be finite."""
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    batches = iter(copy_first_input_stream(config.length, config.batch_size, generator=config.seed + 1))
    hardening = Hardening(model, config.steps, to=config.hardness) if config.hardness > 0 else None
    losses: list[float] = []
    for _ in progress_bar(config.steps, description, progress):
        sequences, targets = next(batches)
        loss = nn.functional.mse_loss(model(sequences), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if hardening is not None:
            hardening.step()
        losses.append(_finite(loss.item(), f"loss of step {len(losses) + 1}"))
    return losses


@torch.no_grad()
def evaluate(model: nn.Module, config: DemoConfig) -> float:
    """The mean squared error on sequences that were not trained on."""
    batches = copy_first_input_stream(config.length, _TEST_BATCH, generator=config.seed + 2)
    losses = [
        nn.functional.mse_loss(model(sequences), targets) for sequences, targets in islice(batches, _TEST_BATCHES)
    ]
    return _finite(torch.stack(losses).mean().item(), "test error")


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(f"the {what} is {value}: a smaller lr may help")
    return value
