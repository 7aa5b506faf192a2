import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from experiments.tiny import tiny, words

from multistable.cli import main
from multistable.experiments._run import run
from multistable.experiments.results import collect, spread


def test_spread() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.deviation, found.least, found.most) == (3.0, 7**0.5, 1.0, 6.0)
    assert spread([2.0]).deviation == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("summary.json", "{}", "summary.json lacks metric"),
        ("summary.json", '{"metric": NaN}', "summary.json is no JSON that can be read: it holds NaN"),
        ("summary.json", '{"metric": 1e999}', "summary.json is no JSON that can be read: it holds 1e999"),
        ("summary.json", "[" * 100_000, "summary.json is no JSON that can be read"),
        ("metrics.csv", "", "metrics.csv holds no row"),
        ("metrics.csv", "a,b\n1,2\n", "metrics.csv lacks epoch"),
        ("metrics.csv", "epoch\nx\n", "metrics.csv is damaged: could not convert string to float: 'x'"),
        ("metrics.csv", "epoch\nnan\n", "metrics.csv is damaged: epoch is nan"),
        ("metrics.csv", "epoch,vaa\n1\n", "metrics.csv is damaged: a row is longer or shorter than the first"),
        ("metrics.csv", "epoch\n1,2\n", "metrics.csv is damaged: a row is longer or shorter than the first"),
        ("config.yaml", "task: maze\n", "config.yaml is damaged, or no run's: task must be one of"),
    ],
)
def test_what_a_run_wrote_is_damaged(name: str, text: str, message: str, tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    (tmp_path / tiny().name / name).write_text(text)
    results = collect(tmp_path)
    assert results.runs == [] and message in results.damaged[tmp_path / tiny().name]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metric", None),
        ("higher_is_better", None),
        ("test_metric", True),
        ("test_metric", 10**400),
        ("evaluation", [{}]),
        ("evaluation", [{"length": 6, "metric": 1.0}]),
        ("traces", {}),
        ("traces", {"before": {}, "start": {}, "end": {}}),
        ("traces", {key: {"horizons": [1, 2], "vaa": [1.0]} for key in ("before", "start", "end")}),
        ("warmup", "x"),
        ("seconds", {}),
        ("seconds", {"training": 1.0, "evaluation": 1.0}),
        ("versions", None),
    ],
)
def test_a_summary_that_no_run_writes(key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").write_text(json.dumps({**summary, key: value}))
    results = collect(tmp_path)
    assert results.runs == [] and f"summary.json is damaged: {key} is " in results.damaged[tmp_path / tiny().name]
    assert main(words(tmp_path, tmp_path / "a.yaml", tiny())) == 2
    assert f"summary.json is damaged: {key} is " in capsys.readouterr().err


@pytest.mark.parametrize(("key", "value"), [("vaa", 77), ("certified", -3)])
def test_shares_beyond_all(key: str, value: int, tmp_path: Path) -> None:
    summary = run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").write_text(json.dumps({**summary, key: value}))
    assert f"summary.json is damaged: {key} is " in collect(tmp_path).damaged[tmp_path / tiny().name]


def test_a_summary_of_another_run_and_one_without_settings(tmp_path: Path) -> None:
    for seed in (0, 1):
        run(tiny(seed=seed), tmp_path)
    first, second = (tmp_path / tiny(seed=seed).name for seed in (0, 1))
    shutil.copy(second / "summary.json", first / "summary.json")
    (second / "config.yaml").unlink()
    results = collect(tmp_path)
    assert results.runs == [] and results.damaged == {
        first: f"{first / 'summary.json'} is another run's, {tiny(seed=1).name}",
        second: f"{second / 'config.yaml'} is lost",
    }


def test_a_run_that_is_there_twice(tmp_path: Path) -> None:
    run(tiny(), tmp_path / "runs")
    shutil.copytree(tmp_path / "runs", tmp_path / "runs" / "copy")
    with pytest.raises(ValueError, match="hold the same run; leave one of them out"):
        collect(tmp_path / "runs")
