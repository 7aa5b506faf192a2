"""Training through Lightning: an epoch at a time, each with its row of metrics and its checkpoint."""

import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multistable.experiments.config import Config
from multistable.experiments.data import Data, Examples, seed_for, shuffled
from multistable.experiments.experiment import Row, measured
from multistable.experiments.loggers import log, loggers_of
from multistable.experiments.network import Network, hardening_of
from multistable.experiments.store import CHECKPOINT, METRICS, replacing, write_csv
from multistable.experiments.team import Share, Team, share_of
from multistable.tasks import Score

try:
    import lightning.pytorch as pl
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning.pytorch.callbacks import Callback, RichProgressBar
    from lightning.pytorch.utilities.exceptions import SIGTERMException
except ImportError as error:
    raise ImportError("experiments need lightning: pip install 'multistable[experiments]'") from error

__all__ = ["Training", "adam", "evaluate", "fit", "row_of"]

_EVALUATED = 500  # sequences at once where no gradient is taken


class Training(pl.LightningModule):
    """A network in training.

    All that is random in an epoch stems from the run's seed and the epoch's number; what has been is in the checkpoint.

    Args:
        config: the settings.
        network: the network, changed in place.
        data: what to train and validate with.
        score: how answers are scored.
        rows: the rows so far, that of epoch 0 at least.
        folder: where checkpoints and metrics go.
    """

    def __init__(
        self, config: Config, network: Network, data: Data, score: Score, rows: Sequence[Row], folder: Path
    ) -> None:
        super().__init__()
        self.network = network
        self.rows = list(rows)
        self.seconds = 0.0
        self._config, self._data, self._score, self._folder = config, data, score, folder
        assert config.epochs is not None
        self._hardening = hardening_of(config, network.rnn, config.epochs * self.batch_count())
        self._sums = torch.zeros(2)
        self._since = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return adam(self._config, self.network)

    def train_dataloader(self) -> "_Batches":
        return _Batches(self)

    def on_train_epoch_start(self) -> None:
        self._sums = torch.zeros(2, device=self.device)
        self._since = time.perf_counter()

    def training_step(self, share: Share) -> Tensor:
        answers = self.network(share.inputs)
        loss = self._score.loss(answers, share.targets)
        with torch.no_grad():
            self._sums += share.counted * torch.stack([loss, self._score.measure(answers, share.targets)])
        # The mean over all processes, which their gradients come to, is thus that over the whole batch.
        return loss * (share.counted * self.trainer.world_size / share.batch_size)

    def on_train_batch_end(self, *_: Any) -> None:
        if self._hardening is not None:
            self._hardening.step()

    def on_train_epoch_end(self) -> None:
        sums = self.trainer.strategy.reduce(self._sums, reduce_op="sum")
        loss, metric = (sums / len(self._data.train.inputs)).tolist()
        self.seconds += time.perf_counter() - self._since
        row: Row = {"epoch": self.epoch}
        if self.trainer.is_global_zero:  # the others wait in `_write`
            row = row_of(self._config, self.network, self._data, self._score, self.epoch, loss, metric)
        self.rows.append(row)
        self._write()

    def _write(self) -> None:
        """Write down what has been, from the first process; the others wait for it."""
        if not self.trainer.is_global_zero:
            self.trainer.save_checkpoint(self._folder / CHECKPOINT)
            return
        with replacing(self._folder / CHECKPOINT) as temporary:
            self.trainer.save_checkpoint(temporary)
        write_csv(self._folder / METRICS, self.rows)
        log(self.loggers, self.rows[-1])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["run"] = {"config": self._config.to_dict(), "rows": self.rows, "seconds": self.seconds}
        if self._hardening is not None:
            checkpoint["hardening"] = self._hardening.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.rows, self.seconds = checkpoint["run"]["rows"], checkpoint["run"]["seconds"]
        if self._hardening is not None:
            self._hardening.load_state_dict(checkpoint["hardening"])

    @property
    def epoch(self) -> int:
        """The number of the epoch under way, counted from 1."""
        last: int = self.rows[-1]["epoch"]
        return last + 1

    def batches(self) -> Iterator[Share]:
        """What this process takes of the batches of the epoch under way."""
        seed = seed_for(self._config.seed, "order", self.epoch)
        for batch in shuffled(self._data.train, self._config.batch_size, seed):
            yield share_of(batch, self.trainer.global_rank, self.trainer.world_size)

    def batch_count(self) -> int:
        """How many batches there are in an epoch."""
        return math.ceil(len(self._data.train.inputs) / self._config.batch_size)


def adam(config: Config, network: Network) -> torch.optim.Adam:
    """The optimiser of a run."""
    return torch.optim.Adam(network.parameters(), lr=config.lr)


class _Batches:
    """The batches of the epoch under way, in the form that Lightning takes."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def __iter__(self) -> Iterator[Share]:
        return self._training.batches()

    def __len__(self) -> int:
        return self._training.batch_count()


def fit(
    training: Training,
    config: Config,
    folder: Path,
    logger: str = "none",
    progress: bool = False,
) -> None:
    """Train to the end of the budget, from the folder's checkpoint on if there is one.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    team = Team.of_environment()
    together = team.processes > 1
    checkpoint = folder / CHECKPOINT
    callbacks: list[Callback] = [RichProgressBar(refresh_rate=20)] if progress else []
    with _quiet(), _ending_as_asked():
        trainer = pl.Trainer(
            accelerator="gpu" if config.device == "cuda" else "cpu",
            devices=team.local_processes,
            num_nodes=team.processes // team.local_processes,
            strategy="ddp" if together else "auto",
            # Named, so that what other launchers have left in the environment is not read.
            plugins=TorchElasticEnvironment() if together else LightningEnvironment(),
            max_epochs=config.epochs,
            logger=loggers_of(logger, config, folder) or False,
            callbacks=callbacks,
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=progress,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        trainer.fit(training, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=True)
    training.to(config.device)  # Lightning leaves it on the CPU


def row_of(
    config: Config,
    network: Network,
    data: Data,
    score: Score,
    epoch: int,
    train_loss: float | None,
    train_metric: float | None,
) -> Row:
    """What is known after an epoch: loss and metric, and at the chosen cadence VAA with its residual.

    Raises:
        FloatingPointError: a loss is NaN or infinite.
    """
    loss, metric = evaluate(network, data.validation, score)
    for name, value in {"training": train_loss, "validation": loss}.items():
        if value is not None and not math.isfinite(value):
            raise FloatingPointError(f"the {name} loss of epoch {epoch} is {value}: a smaller lr may help")
    due = epoch % config.measure_every == 0 or epoch == config.epochs
    found = measured(config, network.rnn, data.validation.inputs[: config.measure_n]) if due else None
    return {
        "epoch": epoch,
        "train_loss": train_loss,
        "train_metric": train_metric,
        "validation_loss": loss,
        "validation_metric": metric,
        "vaa": found.vaa if found else None,
        "residual": found.residual if found else None,
    }


@torch.no_grad()
def evaluate(network: Network, examples: Examples, score: Score) -> tuple[float, float]:
    """Loss and metric, each the mean over all examples."""
    sums = torch.zeros(2, dtype=torch.float64, device=examples.inputs.device)
    for inputs, targets in zip(examples.inputs.split(_EVALUATED), examples.targets.split(_EVALUATED), strict=True):
        answers = network(inputs)
        sums += len(inputs) * torch.stack([score.loss(answers, targets), score.measure(answers, targets)])
    loss, metric = (sums / len(examples.inputs)).tolist()
    return loss, metric


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's notes on the machine, and its advice on loaders and loggers that a run has no use for."""
    notes = [logging.getLogger(f"lightning.{part}") for part in ("fabric", "pytorch")]
    levels = [one.level for one in notes]
    for one in notes:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(notes, levels, strict=True):
            one.setLevel(level)


@contextmanager
def _ending_as_asked() -> Iterator[None]:
    """Signals end the process as they do elsewhere; Lightning would exit with a status of 0, and ignore Ctrl-C then."""
    of_interrupts = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if of_interrupts is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, of_interrupts)
