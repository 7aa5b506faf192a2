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
    with pytest.raises(ValueError, match=message):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metric", None),
        ("higher_is_better", None),
        ("test_metric", True),
        ("evaluation", [{}]),
        ("traces", {}),
        ("traces", {"before": {}, "start": {}, "end": {}}),
        ("warmup", "x"),
        ("seconds", {}),
        ("versions", None),
    ],
)
def test_a_summary_that_no_run_writes(key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").write_text(json.dumps({**summary, key: value}))
    with pytest.raises(ValueError, match=f"summary.json is damaged: {key} is "):
        collect(tmp_path)
    assert main(words(tmp_path, tmp_path / "a.yaml", tiny())) == 2
    assert f"summary.json is damaged: {key} is " in capsys.readouterr().err


def test_a_run_that_is_there_twice(tmp_path: Path) -> None:
    run(tiny(), tmp_path / "runs")
    shutil.copytree(tmp_path / "runs", tmp_path / "runs" / "copy")
    with pytest.raises(ValueError, match="hold the same run; leave one of them out"):
        collect(tmp_path / "runs")
