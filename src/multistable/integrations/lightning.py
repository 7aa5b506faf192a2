"""Callbacks for a Lightning `Trainer`; needs the extra `lightning`.

Examples:
    >>> import torch, lightning.pytorch as pl
    >>> from multistable.integrations.lightning import MultistabilityWarmup
    >>> class Memory(pl.LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.rnn, self.head = torch.nn.GRU(1, 8, batch_first=True), torch.nn.Linear(8, 1)
    ...
    ...     def forward(self, inputs):
    ...         return self.head(self.rnn(inputs)[0][:, -1])
    ...
    ...     def training_step(self, batch):
    ...         inputs, targets = batch
    ...         return torch.nn.functional.mse_loss(self(inputs), targets)
    ...
    ...     def configure_optimizers(self):
    ...         return torch.optim.Adam(self.parameters())
    >>> inputs = torch.randn(64, 20, 1)
    >>> loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, inputs[:, 0]), batch_size=32)
    >>> warm = MultistabilityWarmup(steps=5, horizon=20)
    >>> quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    >>> trainer = pl.Trainer(max_steps=2, accelerator="cpu", callbacks=[warm], **quiet)
    >>> trainer.fit(Memory(), loader)
    >>> len(warm.result.history.loss)
    5
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader

import multistable.nn
from multistable._measure import Multistability, measure
from multistable._measure.probe import kept
from multistable._utils.checks import check_int
from multistable._utils.choices import check_choice
from multistable._utils.randomness import as_generator, draw_seed
from multistable._warmup import WarmupResult, warmup

try:
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.utilities import rank_zero_info
except ImportError as error:
    raise ImportError("callbacks need lightning: pip install 'multistable[lightning]'") from error

__all__ = ["Hardening", "MultistabilityMonitor", "MultistabilityWarmup"]


class MultistabilityWarmup(Callback):
    """Warms up the model's recurrent layers once, before the first training step.

    It runs on the trainer's own training loader, in every process, on batches as training steps get them. It does not
    run again where training goes on from a checkpoint, nor in a second `fit` with the same callback. Status and message
    go to Lightning's log, VAA before and after, the residual and seconds to the trainer's loggers.

    Args:
        generator: draws all that is random: a seed, the same in every process, or a `torch.Generator`; by default a new
            one with torch's initial seed.
        **options: arguments of `multistable.warmup` other than `module` and `inputs`.

    Attributes:
        result: what the warmup returned; None before it, and where training went on from a checkpoint.

    Raises:
        TypeError: an option is unknown; or, in `fit`, the trainer has several training loaders.
    """

    def __init__(self, *, generator: torch.Generator | int | None = None, **options: Any) -> None:
        signature(warmup).bind(None, None, generator=generator, **options)
        self.result: WarmupResult | None = None
        self._done = False
        self._generator, self._options = generator, options

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._done:
            return
        loader = _single("training", trainer.train_dataloader)
        with _apart(loader) as own:
            self.result = warmup(pl_module, _Ready(trainer, own), generator=self._generator, **self._options)
        self._done = True
        rank_zero_info(f"Multistability warmup, {self.result.status}: {self.result.message}")
        _log(
            trainer,
            {
                "warmup/vaa_before": self.result.before.vaa,
                "warmup/vaa_after": self.result.after.vaa,
                "warmup/residual_after": self.result.after.residual,
                "warmup/seconds": self.result.seconds,
            },
        )

    def state_dict(self) -> dict[str, Any]:
        return {"done": self._done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._done = state_dict["done"]


class MultistabilityMonitor(Callback):
    """Measures the model's multistability in the course of training, and logs VAA and residual of each layer.

    All measures are of the same sequences, those that the validation loader (without one the training loader) begins
    with when training starts, with the same prefixes and constant inputs, so that they differ by the weights alone. The
    first is taken before the first training step. Training is not disturbed: modes, buffers, `.grad` and random states
    are as before. Loggers that take figures, as TensorBoard's, also get the plot of each measure.

    Args:
        every: epochs or steps from one measure to the next.
        unit: what `every` counts, `"epoch"` or `"step"` (of an optimiser, as `trainer.global_step` counts).
        horizon: steps under the constant input.
        n: how many sequences to take.
        generator: draws prefixes and constant inputs, as in `MultistabilityWarmup`.
        **options: further arguments of `multistable.measure`.

    Attributes:
        history: what was measured in the last `fit`, by the global step.

    Raises:
        TypeError: an argument has the wrong type, or an option is unknown; or, in `fit`, the trainer has several
            training loaders and none for validation.
        ValueError: a number is out of its range, or `unit` is none of the two.
    """

    def __init__(
        self,
        every: int = 1,
        *,
        unit: Literal["epoch", "step"] = "epoch",
        horizon: int = 2000,
        n: int = 32,
        generator: torch.Generator | int | None = None,
        **options: Any,
    ) -> None:
        check_choice("unit", unit, ("epoch", "step"))
        signature(measure).bind(None, None, horizon=horizon, n=n, **options)
        self.history: dict[int, Multistability] = {}
        self._every, self._unit = check_int("every", every), unit
        self._options = {"horizon": check_int("horizon", horizon), "n": check_int("n", n, at_least=2), **options}
        self._seed = draw_seed(as_generator(generator))
        self._probe: list[Any] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loader = trainer.val_dataloaders or _single("training", trainer.train_dataloader)
        if isinstance(loader, Mapping | list | tuple):
            loader = next(iter(loader.values() if isinstance(loader, Mapping) else loader))
        self.history, self._probe = {}, []
        with _apart(loader) as own:
            self._measure(trainer, pl_module, kept(_Ready(trainer, own), self._probe))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if self._unit == "step" and step % self._every == 0 and step not in self.history:
            self._measure(trainer, pl_module, self._probe)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._unit == "epoch" and (trainer.current_epoch + 1) % self._every == 0:
            self._measure(trainer, pl_module, self._probe)

    def _measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, probe: Any) -> None:
        found = measure(pl_module, probe, generator=self._seed, **self._options)
        self.history[trainer.global_step] = found
        parts = {"": found, **{f"/{layer.name}": layer for layer in found.per_layer}}
        _log(trainer, {f"vaa{name}": part.vaa for name, part in parts.items()})
        _log(trainer, {f"residual{name}": part.residual for name, part in parts.items()})
        for logger in trainer.loggers if trainer.is_global_zero else ():
            board: Any = getattr(logger, "experiment", None)
            if hasattr(board, "add_figure"):
                board.add_figure("multistability", found.plot(), trainer.global_step)


class Hardening(Callback):
    """Makes gates hard in the course of training: `multistable.nn.Hardening`, a step of it after each of the optimiser.

    Where it stands is part of checkpoints.

    Args:
        steps: how many training steps there are in all; by default as many as the trainer expects.
        **options: further arguments of `multistable.nn.Hardening`.

    Raises:
        TypeError: an option is unknown.
        ValueError: in `fit`: there is no layer of `multistable.nn` in the model, a number is out of its range, or
            `steps` is left out where the trainer sees no end.
    """

    def __init__(self, steps: int | None = None, **options: Any) -> None:
        signature(multistable.nn.Hardening).bind(None, steps, **options)
        self._steps, self._options = None if steps is None else check_int("steps", steps), options
        self._hardening: multistable.nn.Hardening | None = None
        self._restored: dict[str, Any] | None = None
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        steps: Any = trainer.estimated_stepping_batches if self._steps is None else self._steps
        if steps == float("inf"):
            raise ValueError("steps must be given where the trainer has neither max_steps nor max_epochs")
        self._hardening = multistable.nn.Hardening(pl_module, steps, **self._options)
        if self._restored is not None:
            self._hardening.load_state_dict(self._restored)
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        # Once for several batches whose gradients are accumulated.
        if trainer.global_step > self._seen:
            assert self._hardening is not None
            self._hardening.step()
            self._seen = trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        return {} if self._hardening is None else self._hardening.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict or None


def _single(name: str, loader: Any) -> Any:
    """The loader; raise where there are several, whose batches belong to no one `forward`."""
    if isinstance(loader, Mapping | list | tuple):
        raise TypeError(f"the trainer must have a single {name} loader, got {len(loader)} in a {type(loader).__name__}")
    return loader


@contextmanager
def _apart(loader: Any) -> Iterator[Any]:
    """The loader, iterated over without a trace in the iterator that training has of it."""
    generators = [getattr(one, "generator", None) for one in (loader, getattr(loader, "sampler", None))]
    states = [(one, one.get_state()) for one in generators if isinstance(one, torch.Generator)]
    if isinstance(loader, DataLoader) and loader.persistent_workers:
        loader = copy.copy(loader)
        loader._iterator = None  # it has a single one otherwise, which training has begun with
    try:
        yield loader
    finally:
        for one, state in states:
            one.set_state(state)


class _Ready:
    """The batches of a loader as a step of the model gets them: converted, on the device, and through its hooks."""

    def __init__(self, trainer: pl.Trainer, loader: Any) -> None:
        self._trainer, self._loader = trainer, loader

    def __iter__(self) -> Iterator[Any]:
        trainer = self._trainer
        for batch in self._loader:
            converted = trainer.precision_plugin.convert_input(batch)
            before: Any = trainer.lightning_module._on_before_batch_transfer(converted, dataloader_idx=0)
            yield trainer.strategy.batch_to_device(before, dataloader_idx=0)


def _log(trainer: pl.Trainer, metrics: dict[str, float]) -> None:
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=trainer.global_step)
