import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from experiments.killed import QuickSettings
from experiments.tiny import tiny

from multistable.experiments import figures, reinforcement
from multistable.experiments._run import run
from multistable.experiments.config import Config
from multistable.experiments.reinforcement import Reinforcement
from multistable.experiments.results import Run, collect, sections
from multistable.rl._settings import DRQNSettings

HERE = Path(__file__).parent


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reinforcement, "DRQNSettings", QuickSettings)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("changes", [{}, {"cell": "lstm", "init": "chrono", "double": True, "warmup": True}])
def test_from_end_to_end(changes: dict[str, object], tmp_path: Path) -> None:
    config = tiny("t_maze", length=3, episodes=30, evaluation_lengths=[9], **changes)
    state = torch.get_rng_state()
    summary = run(config, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    folder = tmp_path / config.name
    assert summary == json.loads((folder / "summary.json").read_text())
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["episodes"] for row in rows] == ["0", "20", "30"]
    assert [row["train_return"] == "" for row in rows] == [True, False, False]
    for row in rows:
        assert 0 <= float(row["validation_metric"]) <= 1
        assert 1 <= float(row["validation_steps"]) <= 8
    assert [(one["length"], one["chance"]) for one in summary["evaluation"]] == [(3, 0.5), (9, 0.5)]
    assert (folder / "warmup.json").exists() == config.warmup


def test_the_settings_are_by_default_those_of_train_drqn() -> None:
    config, settings = Config(task="t_maze", length=2), DRQNSettings()
    asked = (config.episodes, config.lr, config.batch_size)
    assert asked == (settings.episodes, settings.lr, settings.batch_size)


@pytest.mark.slow
def test_it_learns_and_says_when(tmp_path: Path) -> None:
    config = tiny("t_maze", length=2, episodes=60, layers=1, hidden=16, batch_size=32, lr=3e-3)
    summary = run(config, tmp_path)
    (found,) = collect(tmp_path).runs
    optimal = [row["episodes"] for row in found.rows if row["validation_metric"] == 1]
    # All fifty rollouts were optimal after 40 episodes for eight seeds of eight.
    assert summary["first_optimal"] == optimal[0]
    assert found.rows[0]["validation_metric"] == 0


@pytest.mark.slow
def test_killed_at_any_moment_a_run_comes_to_the_same_end(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "killed.py"), str(tmp_path), "t_maze"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    moments = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(moments) == 11
    for moment in moments:
        assert all(moment.values()), moment


@pytest.mark.usefixtures("quick")
def test_a_checkpoint_whose_buffer_has_changed(tmp_path: Path) -> None:
    config = tiny("t_maze", length=3, episodes=20)
    run(config, tmp_path)
    (tmp_path / config.name / "summary.json").unlink()
    path = tmp_path / config.name / "checkpoint.ckpt"
    held = torch.load(path, weights_only=True)
    held["learner"]["buffer"]["steps"].pop()
    torch.save(held, path)
    with pytest.raises(ValueError, match="is damaged, or no checkpoint of this run: a buffer's parts must be of"):
        run(config, tmp_path)


@pytest.mark.usefixtures("quick")
def test_as_many_states_are_measured_as_asked_for_in_long_mazes_too() -> None:
    subject = Reinforcement(tiny("t_maze", length=50, measure_n=8))  # the buffer holds two or three episodes
    assert len(subject.to_measure) == 8 == len(subject.to_warm_up)
    assert len({one.numpy().tobytes() for one in subject.to_measure}) == 8


def test_a_maze_that_is_too_long_for_the_buffer(tmp_path: Path) -> None:
    message = "length must leave the longest episode, of 3 length - 1 steps, in a replay buffer of 8,192, got 2732"
    with pytest.raises(ValueError, match=message):
        run(tiny("t_maze", length=2732), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"epochs": 3}, "epochs does not belong to the task t_maze, which has length, episodes"),
        ({"evaluation_lengths": [1]}, "evaluation_lengths holds 1: length must be at least 2, got 1"),
    ],
)
def test_bad_settings(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**{"task": "t_maze", "length": 5, **changes})  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick")
def test_the_share_of_seeds_that_are_optimal(tmp_path: Path) -> None:
    config = tiny("t_maze", length=3, episodes=20)
    summary = run(config, tmp_path)
    (found,) = collect(tmp_path).runs
    runs = [
        Run(
            replace(config, seed=seed),
            summary,
            [{**row, "validation_metric": metric} for row, metric in zip(found.rows, metrics, strict=True)],
            found.folder,
        )
        for seed, metrics in enumerate([(0.0, 1.0), (0.0, 0.98), (1.0, 1.0), (0.0, 0.0)])
    ]
    (section,) = sections(runs)
    (shares,) = figures.rewarded(section, "gru").panels[1].curves
    assert (shares.xs, shares.means) == ([0, 20], [0.25, 0.5])
