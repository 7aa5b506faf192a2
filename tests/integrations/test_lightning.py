"""Lightning's callbacks, in trainings of a few steps."""

import copy
import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import multistable
from multistable.integrations.lightning import Hardening, MultistabilityMonitor, MultistabilityWarmup

BATCH: Any = "batch"
SHORT: dict[str, Any] = {"steps": 3, "horizon": 10, "generator": 0}
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning has much advice


class Memory(pl.LightningModule):
    """Copies the first input; with dropout, so that a disturbed random state would show."""

    def __init__(self, rnn: nn.Module | None = None) -> None:
        super().__init__()
        self.rnn, self.head = rnn or nn.GRU(1, 6, batch_first=True), nn.Linear(6, 1)
        self.dropout = nn.Dropout(0.2)
        self.seen: list[float] = []

    def forward(self, inputs: Tensor) -> Tensor:
        answers: Tensor = self.head(self.dropout(self.rnn(inputs)[0][:, -1]))
        return answers

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        self.seen.append(batch[0].sum().item())
        return nn.functional.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.log("loss", nn.functional.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(**options: Any) -> DataLoader[tuple[Tensor, ...]]:
    inputs = torch.randn(24, 9, 1, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(inputs, inputs[:, 0]), batch_size=8, **{"shuffle": True, **options})


def new_model(rnn: nn.Module | None = None) -> Memory:
    torch.manual_seed(1)
    return Memory(rnn)


def fit(
    model: Memory, folder: Path, *callbacks: Any, loaders: Any = None, checkpoint: Path | None = None, **options: Any
) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 2, "logger": False, "num_sanity_val_steps": 0}
    trainer = pl.Trainer(
        **(defaults | options),
        accelerator="cpu",
        callbacks=list(callbacks),
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(2)
    training, *held_out = loaders or [loader()]
    trainer.fit(model, training, held_out or None, ckpt_path=checkpoint, weights_only=True)
    return trainer


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_it_is_the_warmup_of_the_same_seed_and_training_goes_on_from_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand, model = new_model(), new_model()
    result = multistable.warmup(by_hand, loader(), **SHORT)
    warm = MultistabilityWarmup(**SHORT)
    with caplog.at_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero"):
        fit(model, tmp_path, warm)
    assert warm.result is not None and warm.result.history == result.history
    assert f"Multistability warmup, {result.status}: {result.message}" in caplog.text
    fit(by_hand, tmp_path)
    assert same(model, by_hand) and model.seen == by_hand.seen


@pytest.mark.parametrize("options", [{"generator": True}, {"num_workers": 1, "persistent_workers": True}])
def test_training_sees_the_same_batches_as_without(tmp_path: Path, options: dict[str, Any]) -> None:
    def new_loader() -> Any:
        extra = {"generator": torch.Generator().manual_seed(5)} if "generator" in options else options
        return loader(**extra)

    plain, watched = new_model(), new_model()
    fit(plain, tmp_path, loaders=[new_loader()])
    fit(watched, tmp_path, MultistabilityMonitor(horizon=5, n=8), loaders=[new_loader()])
    assert watched.seen == plain.seen and len(plain.seen) == 6
    assert same(watched, plain)


def test_it_runs_once_and_not_again_from_a_checkpoint(tmp_path: Path) -> None:
    warm, model = MultistabilityWarmup(**SHORT), new_model()
    trainer = fit(model, tmp_path, warm, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    first = warm.result
    fit(model, tmp_path, warm, max_epochs=1)
    assert warm.result is first
    resumed = MultistabilityWarmup(**SHORT)
    fit(new_model(), tmp_path, resumed, checkpoint=tmp_path / "one.ckpt")
    assert resumed.result is None


def test_the_loggers_get_the_result(tmp_path: Path) -> None:
    warm, csv = MultistabilityWarmup(**SHORT), CSVLogger(tmp_path)
    fit(new_model(), tmp_path, warm, logger=csv)
    assert warm.result is not None
    text = (Path(csv.log_dir) / "metrics.csv").read_text()
    assert "warmup/vaa_before" in text and str(warm.result.after.vaa) in text


def test_several_loaders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the trainer must have a single training loader, got 2 in a dict"):
        fit(new_model(), tmp_path, MultistabilityWarmup(**SHORT), loaders=[{"a": loader(), "b": loader()}])


@pytest.mark.parametrize(
    ("unit", "every", "steps"), [("epoch", 1, [0, 3, 6]), ("epoch", 2, [0, 6]), ("step", 2, [0, 2, 4, 6])]
)
def test_the_monitor_measures_the_same_sequences_each_time(
    tmp_path: Path, unit: Any, every: int, steps: list[int]
) -> None:
    model = new_model()
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=0.0)  # type: ignore[method-assign]
    monitor = MultistabilityMonitor(every, unit=unit, horizon=5, n=12)
    fit(model, tmp_path, monitor)
    assert list(monitor.history) == steps
    first = monitor.history[0]
    assert first.n == 12 and first.horizon == 5
    assert all(one == first and torch.equal(one.states, first.states) for one in monitor.history.values())


def test_the_monitor_takes_the_validation_loader_and_logs_each_layer_with_a_figure(tmp_path: Path) -> None:
    model, held_out = new_model(nn.GRU(1, 6, 2, batch_first=True)), loader(shuffle=False)
    before, board = copy.deepcopy(model), TensorBoardLogger(tmp_path)
    monitor = MultistabilityMonitor(2, horizon=5, n=8, generator=3)
    fit(model, tmp_path, monitor, loaders=[loader(), held_out], logger=board)
    by_hand = multistable.measure(before, held_out, horizon=5, n=8, generator=monitor._seed)
    assert monitor.history[0] == by_hand
    events = EventAccumulator(board.log_dir, size_guidance={"images": 0}).Reload()
    names = {"vaa", "vaa/rnn.l0", "vaa/rnn.l1", "residual", "residual/rnn.l0", "residual/rnn.l1"}
    assert names <= set(events.Tags()["scalars"])
    assert [one.step for one in events.Scalars("vaa/rnn.l1")] == [0, 6]
    assert events.Scalars("residual/rnn.l1")[0].value == pytest.approx(by_hand.per_layer[1].residual)
    assert [one.step for one in events.Images("multistability")] == [0, 6]


@pytest.mark.parametrize("make", [lambda: MultistabilityWarmup(**SHORT), lambda: MultistabilityMonitor(horizon=5, n=8)])
def test_batches_are_what_training_gets(tmp_path: Path, make: Any) -> None:
    """Converted to double precision by the trainer, and scaled by the model."""

    class Scaled(Memory):
        largest = 0.0

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            inputs, targets = batch
            return inputs / 255, targets / 255

        def forward(self, inputs: Tensor) -> Tensor:
            self.largest = max(self.largest, inputs.abs().max().item())
            assert inputs.dtype == torch.float64
            return super().forward(inputs)

    torch.manual_seed(1)
    model = Scaled()
    inputs = 255 * torch.rand(24, 9, 1)
    batches = DataLoader(TensorDataset(inputs, inputs[:, 0]), batch_size=8)
    fit(model, tmp_path, make(), loaders=[batches], precision="64-true")
    assert 0 < model.largest <= 1


def test_a_monitor_of_another_fit_starts_anew(tmp_path: Path) -> None:
    monitor = MultistabilityMonitor(2, unit="step", horizon=5, n=8)
    fit(new_model(), tmp_path, monitor)
    first = monitor.history
    fit(new_model(nn.GRU(1, 6, 2, batch_first=True)), tmp_path, monitor)
    assert list(monitor.history) == list(first)
    assert all(len(one.per_layer) == 2 for one in monitor.history.values())


def test_hardening_goes_with_the_optimiser_and_through_a_checkpoint(tmp_path: Path) -> None:
    def hard() -> Memory:
        return new_model(multistable.nn.GRU(1, 6, batch_first=True))

    def hardness(model: Memory) -> float:
        return float(model.rnn.hardness)  # type: ignore[arg-type]

    options: dict[str, Any] = {"start": 0.0, "end": 1.0, "to": 0.6}
    model = hard()
    trainer = fit(model, tmp_path, Hardening(6, **options), max_epochs=1)
    assert hardness(model) == pytest.approx(0.3)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    model = hard()
    fit(model, tmp_path, Hardening(6, **options), checkpoint=tmp_path / "half.ckpt", max_steps=5, max_epochs=-1)
    assert hardness(model) == pytest.approx(0.5)
    # Left out, the steps are the trainer's: two epochs of three batches, two of which are accumulated.
    model = hard()
    fit(model, tmp_path, Hardening(**options), accumulate_grad_batches=2, max_epochs=2)
    assert hardness(model) == pytest.approx(0.6)
    with pytest.raises(ValueError, match="steps must be given where the trainer has neither max_steps nor max_epochs"):
        fit(hard(), tmp_path, Hardening(), max_epochs=-1)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: MultistabilityWarmup(inputs=1), TypeError, "multiple values for argument 'inputs'"),
    (lambda: MultistabilityWarmup(step=1), TypeError, "unexpected keyword argument 'step'"),
    (lambda: MultistabilityMonitor(0), ValueError, "every must be at least 1, got 0"),
    (lambda: MultistabilityMonitor(unit=BATCH), ValueError, "unit must be one of epoch, step, got 'batch'"),
    (lambda: MultistabilityMonitor(steps=3), TypeError, "unexpected keyword argument 'steps'"),
    (lambda: Hardening(0), ValueError, "steps must be at least 1, got 0"),
    (lambda: Hardening(begin=0.5), TypeError, "unexpected keyword argument 'begin'"),
])  # fmt: skip
def test_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
