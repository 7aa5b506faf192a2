"""What holds for every task, and what a new one takes."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch.utils.data import TensorDataset

from multistable.experiments._run import run
from multistable.experiments.config import Config
from multistable.tasks import TASKS, CopyFirstInput, Denoising, FlipFlop, PermutedRows, Pixels, Supervised, Task, TMaze
from multistable.tasks.task import Drawn

EACH: list[Task] = [
    CopyFirstInput(length=6, samples=9, test_samples=4, validation=0.25),
    Denoising(length=14, forgetting=6, samples=9, test_samples=4, validation=0.25),
    FlipFlop(length=6, samples=9, test_samples=4, validation=0.25),
    Pixels(padding=3),
    PermutedRows(padding=3, padding_value=0),
    TMaze(length=6),
]
WITH_EXAMPLES = [task for task in EACH if isinstance(task, Supervised)]


def of_name(task: Task) -> str:
    return task.name


@pytest.mark.parametrize("task", WITH_EXAMPLES, ids=of_name)
def test_answers_of_its_kind_can_be_scored(task: Supervised) -> None:
    inputs, targets = task.test_set(0).tensors
    states = torch.zeros(*inputs.shape[:2], task.outputs)
    answers = states[:, task.asked]
    assert task.score.loss(answers, targets).isfinite() and task.score.measure(answers, targets).isfinite()
    if task.score.metric == "mean squared error":
        assert answers.shape == targets.shape
    assert (task.metric, task.higher_is_better) == (task.score.metric, task.score.higher_is_better)


@pytest.mark.parametrize("task", [task for task in WITH_EXAMPLES if isinstance(task, Drawn)], ids=of_name)
def test_the_seed_decides_what_is_drawn_and_the_task_how_much(task: Drawn) -> None:
    first, again, other = (task.training_set(seed).tensors for seed in (1, 1, 2))
    assert len(first[0]) == 9 and len(task.test_set(1)) == 4
    for one, same, different in zip(first, again, other, strict=True):
        assert torch.equal(one, same) and not torch.equal(one, different)
    assert task.held_out(9) == 2


def test_images_are_padded_after_they_were_read() -> None:
    bare, padded = Pixels().training_set().tensors, Pixels(padding=3, padding_value=0.25).training_set().tensors
    assert torch.equal(padded[0][:, :-3], bare[0]) and (padded[0][:, -3:] == 0.25).all()
    assert torch.equal(padded[1], bare[1])


@pytest.mark.parametrize("task", EACH, ids=of_name)
def test_another_horizon_is_another_setting_and_nothing_else(task: Task) -> None:
    other = task.at(9)
    assert other.horizon == 9 != task.horizon and other.setting != task.setting
    assert other.at(task.horizon) == task
    assert TASKS[task.name] is type(task)


def test_tasks_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TMaze(length=3).length = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CopyFirstInput(length=0), "length must be at least 1, got 0"),
        (lambda: CopyFirstInput(length=5, samples=3), "samples must be at least 4, got 3"),
        (lambda: CopyFirstInput(length=5, epochs=0), "epochs must be at least 1, got 0"),
        (lambda: CopyFirstInput(length=5, validation=1), "validation must be below 1, got 1.0"),
        (lambda: CopyFirstInput(length=5, samples=5), "validation must leave two or more of 5 samples on either side"),
        (lambda: Denoising(length=9, forgetting=5), r"length must be at least forgetting \+ 5 = 10, got 9"),
        (lambda: Denoising(length=20, forgetting=5).at(4), "forgetting must be at least 5, got 4"),
        (lambda: FlipFlop(length=5, channels=0), "channels must be at least 1, got 0"),
        (
            lambda: Pixels(source="mnits"),  # type: ignore[arg-type]
            "source must be one of digits, mnist, got 'mnits'; did you mean 'mnist'?",
        ),
        (lambda: TMaze(length=1), "length must be at least 2, got 1"),
        (lambda: TMaze(length=2, episodes=0), "episodes must be at least 1, got 0"),
    ],
)
def test_bad_values(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@dataclass(frozen=True, kw_only=True)
class SumOfInputs(Drawn):
    """A task that is nowhere in the package."""

    name: ClassVar[str] = "sum_of_inputs"
    title: ClassVar[str] = "Sum of inputs"

    @property
    def outputs(self) -> int:
        return 1

    @property
    def chance(self) -> float:
        return float(self.length)

    def draw(self, size: int, generator: torch.Generator | int | None = None) -> TensorDataset:
        assert isinstance(generator, torch.Generator)
        inputs = torch.randn(size, self.length, 1, generator=generator)
        return TensorDataset(inputs, inputs.sum(1))


def test_a_new_task_takes_a_class_and_an_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(TASKS, "sum_of_inputs", SumOfInputs)
    config = Config(
        task="sum_of_inputs", length=4, samples=20, test_samples=10, epochs=1, hidden=4, measure_n=4,
        measure_horizon=10, attractors_horizon=128, evaluation_lengths=(6,),
    )  # fmt: skip
    assert config.name == "sum_of_inputs/gru/plain/T4/seed-0"
    assert [one["length"] for one in run(config, tmp_path)["evaluation"]] == [4, 6]
    with pytest.raises(ValueError, match="padding does not belong to the task sum_of_inputs, which has length"):
        Config(task="sum_of_inputs", length=4, padding=3)


def test_all_that_a_task_asks_for_is_a_key_of_configurations_but_for_what_no_run_changes() -> None:
    keys = {field.name for field in fields(Config)}
    others = {(task.name, field.name) for task in TASKS.values() for field in fields(task) if field.name not in keys}
    assert others == {("flip_flop", "channels"), ("flip_flop", "pulse_probability")}


def test_the_facts_of_the_t_maze_need_no_gymnasium() -> None:
    code = "import sys, multistable.tasks; assert not {'gymnasium', 'multistable.rl', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
