import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from experiments.tiny import tiny, words

from multistable.cli import main
from multistable.experiments._run import run
from multistable.experiments.results import collect, spread
from multistable.experiments.store import DamagedError, read_metrics


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
        (
            "metrics.csv",
            "epoch,validation_metric,vaa,residual\n1,1,,\n2,1,,\n",
            "metrics.csv is damaged: it has no row for each epoch up to epoch 2",
        ),
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


def test_metrics_that_were_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tiny(), tmp_path / "runs")
    metrics = tmp_path / "runs" / tiny().name / "metrics.csv"
    whole = metrics.read_text()
    metrics.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    message = (
        f"{metrics} is damaged: it has no row for each epoch up to epoch 2; "
        "delete it to have it written again from checkpoint.ckpt"
    )
    assert list(collect(tmp_path / "runs").damaged.values()) == [message]
    command = words(tmp_path / "runs", tmp_path / "a.yaml", tiny())
    assert main(command) == 2
    assert capsys.readouterr().err == f"multistable run: {message}\n"
    metrics.unlink()
    assert main(command) == 0
    assert metrics.read_text() == whole


def test_whole_metrics_are_promised_only_where_the_checkpoint_holds_them(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    metrics = tmp_path / tiny().name / "metrics.csv"
    checkpoint = metrics.with_name("checkpoint.ckpt")
    promise = "; delete it to have it written again from checkpoint.ckpt"
    damages = {"": "holds no row", "a,b\n1,2\n": "lacks epoch", metrics.read_text()[:-5]: "ends in the middle of a row"}
    for text, message in damages.items():
        metrics.write_text(text)
        (said,) = collect(tmp_path).damaged.values()
        assert message in said and said.endswith(promise)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    (said,) = collect(tmp_path).damaged.values()
    assert promise not in said


def test_metrics_of_a_maze_end_with_its_last_episodes(tmp_path: Path) -> None:
    text = "epoch,episodes,validation_metric,vaa,residual\n0,0,1,,\n1,20,1,,\n"
    (tmp_path / "metrics.csv").write_text(text)
    assert len(read_metrics(tmp_path / "metrics.csv", tiny("t_maze", length=2, episodes=20))) == 2
    with pytest.raises(DamagedError, match="no row for each epoch up to episodes 30$"):
        read_metrics(tmp_path / "metrics.csv", tiny("t_maze", length=2, episodes=30))


@pytest.mark.parametrize(("length", "there"), [(6, 0.5), (7, "missing")])
def test_a_test_that_is_told_twice(length: int, there: object, tmp_path: Path) -> None:
    summary = run(tiny(), tmp_path)
    (only,) = summary["evaluation"]
    changed = {**summary, "evaluation": [{**only, "length": length, "metric": 0.5}]}
    (tmp_path / tiny().name / "summary.json").write_text(json.dumps(changed))
    (reason,) = collect(tmp_path).damaged.values()
    assert reason.endswith(f"test_metric is {summary['test_metric']}, and {there} in its evaluation")


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
