import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from experiments.tiny import tiny

from multistable.cli import main
from multistable.experiments._run import run
from multistable.experiments._sweep import Plan, read_sweep, sweep
from multistable.experiments.config import Config
from multistable.experiments.read import read_config

CONFIGS = Path(__file__).parents[2] / "configs"
GRID: dict[str, Any] = {
    "config": "base.yaml",
    "cells": ["gru", "rnn"],
    "variants": ["plain", "chrono+double+warmup"],
    "lengths": [6, 8],
    "seeds": [0, 3],
}


def write(folder: Path, grid: Any, base: Config) -> Path:
    (folder / "base.yaml").write_text(yaml.safe_dump(base.to_dict()))
    (folder / "grid.yaml").write_text(yaml.safe_dump(grid))
    return folder / "grid.yaml"


def test_a_grid_is_all_combinations_that_have_a_meaning(tmp_path: Path) -> None:
    plan = read_sweep(write(tmp_path, GRID, tiny(cell="lstm", init="chrono")), ["epochs=7"])
    chrono: dict[str, Any] = {"init": "chrono", "double": True, "warmup": True}
    expected = {
        tiny(cell=cell, length=length, seed=seed, epochs=7, **keys)
        for cell, keys in (("gru", {}), ("rnn", {}), ("gru", chrono))
        for length in (6, 8)
        for seed in (0, 3)
    }
    assert set(plan.configs) == expected
    assert len(plan.configs) == len(expected)
    assert plan.left_out == ["chrono+double+warmup rnn"]


def test_lengths_are_of_what_is_to_be_remembered(tmp_path: Path) -> None:
    grid = {**GRID, "cells": ["gru"], "variants": ["plain"], "seeds": [0]}
    plan = read_sweep(write(tmp_path, grid, tiny("denoising", length=20, forgetting=10)))
    assert [(one.length, one.forgetting) for one in plan.configs] == [(20, 6), (20, 8)]
    plan = read_sweep(write(tmp_path, grid, tiny("pixels")))
    assert [one.padding for one in plan.configs] == [6, 8]


def test_several_grids_in_a_file(tmp_path: Path) -> None:
    grids = [{**GRID, "variants": ["plain"]}, {**GRID, "cells": ["lstm", "gru"], "variants": ["plain"]}]
    plan = read_sweep(write(tmp_path, grids, tiny()))
    assert len(plan.configs) == 3 * 2 * 2  # those of the GRU once


@pytest.mark.parametrize("path", sorted((CONFIGS / "sweeps").rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_sweeps_that_come_with_the_project(path: Path) -> None:
    plan = read_sweep(path)
    assert len({one.name for one in plan.configs}) == len(plan.configs) >= 18
    by_reward = plan.configs[0].task == "t_maze"
    small = read_config(CONFIGS / "small" / ("t-maze.yaml" if by_reward else "copy-first-input.yaml"))
    if "small" in path.parts:
        assert all(one.hidden == small.hidden for one in plan.configs)
    else:
        lengths, seeds = (5, 5) if by_reward else (3, 3)
        assert len(plan.configs) == (5 * 4 + 3) * lengths * seeds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sells": ["gru"]}, "unknown key 'sells' in .*; did you mean 'cells'?"),
        ({"seeds": None}, "seeds in .* must be a list of one or more, got None"),
        ({"seeds": []}, r"seeds in .* must be a list of one or more, got \[\]"),
        ({"cells": ["gru", "gruu"]}, "cells must be one of .*, got 'gruu'; did you mean 'gru'?"),
        ({"variants": ["warm"]}, "a variant must be plain, or made of .*, got 'warm'"),
        ({"lengths": [6, 0]}, "length must be at least 1, got 0"),
        ({"lengths": ["far"]}, "length must be an int, got str"),
        ({"seeds": [-1]}, "seed must be at least 0, got -1"),
        ({"config": 3}, "config in .* must be the path of a file, got 3"),
        (
            {"config": "grid.yaml"},
            r"config in .*grid\.yaml must be one experiment, got grid\.yaml, which is a sweep$",
        ),
        ({"config": "x" * 300}, r"config in .*grid\.yaml: File name too long: /.*… of \d+ characters$"),
        ({"cells": ["rnn"], "variants": ["chrono"]}, "asks for no run"),
    ],
)
def test_bad_grids(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((OSError, TypeError, ValueError), match=message):
        read_sweep(write(tmp_path, {**GRID, **change}, tiny()))


@pytest.mark.parametrize(
    ("key", "value", "by"),
    [
        ("cell", "lstm", "cells"),
        ("warmup", "true", "variants"),
        ("init", "chrono", "variants"),
        ("length", "9", "lengths"),
        ("seed", "3", "seeds"),
    ],
)
def test_words_for_what_the_grid_says(key: str, value: str, by: str, tmp_path: Path) -> None:
    path = write(tmp_path, GRID, tiny())
    with pytest.raises(ValueError, match=f"{key} can't be given for all runs: {by} in .* say it"):
        read_sweep(path, [f"{key}={value}"])


def test_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, {key: value for key, value in GRID.items() if key != "cells"}, tiny())
    with pytest.raises(ValueError, match="cells is missing in .*: a grid has config, cells, variants, lengths, seeds"):
        read_sweep(path)
    with pytest.raises(TypeError, match="must hold grids, which are mappings, got str"):
        read_sweep(write(tmp_path, "gru", tiny()))
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(tiny(lr=0.1).to_dict()))
    with pytest.raises(
        ValueError, match="asks for two different runs of the name copy_first_input/gru/plain/T6/seed-0"
    ):
        read_sweep(write(tmp_path, [GRID, {**GRID, "config": "other.yaml"}], tiny()))
    (tmp_path / "base.yaml").unlink()
    assert main(["sweep", str(path), "--runs", str(tmp_path / "runs")]) == 2
    assert "multistable sweep: " in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_bad_arguments(tmp_path: Path) -> None:
    plan = Plan([tiny()], [])
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        sweep(plan, tmp_path, workers=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        sweep(plan, tmp_path / "file")
    with pytest.raises(ConnectionError, match="no Ray cluster can be reached at address 'localhost:1'"):
        sweep(plan, tmp_path / "runs", address="localhost:1")
    run(tiny(lr=0.1), tmp_path / "runs")
    with pytest.raises(ValueError, match="holds another experiment: lr is 0.1 there, and 0.001 here"):
        sweep(plan, tmp_path / "runs")


def test_damaged_runs_are_told_from_finished_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = {**GRID, "cells": ["gru"], "variants": ["plain"], "lengths": [6], "seeds": [0, 1, 2]}
    path = write(tmp_path, grid, tiny())
    for config in (plan := read_sweep(path)).configs:
        run(config, tmp_path / "runs")
    _, second, third = (tmp_path / "runs" / config.name for config in plan.configs)
    (second / "summary.json").write_text("{")
    (third / "config.yaml").write_text("[")
    assert main(["sweep", str(path), "--runs", str(tmp_path / "runs")]) == 1
    printed = capsys.readouterr()
    assert printed.out == "0 done, 1 finished before, 2 failed\n"
    first, *rest = (line for line in printed.err.splitlines() if line.startswith("multistable"))
    assert first.startswith(
        f"multistable sweep: {plan.configs[1].name} failed: {second / 'summary.json'} is no JSON that can be read"
    )
    assert f"{third / 'config.yaml'} is damaged, or no run's" in rest[0]


@pytest.mark.slow
def test_killed_a_sweep_goes_on_and_one_failure_keeps_no_other_from_going_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is finished stays as it is, what is not goes on, and all come to what each comes to alone."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # where there may be a cluster that nobody asked for
    base = tiny(epochs=10, measure_every=100)
    grid = {**GRID, "cells": ["gru"], "variants": ["plain", "warmup"], "lengths": [6], "seeds": [0, 1]}
    command = ["sweep", str(write(tmp_path, grid, base)), "--runs", str(tmp_path / "runs")]
    plan = read_sweep(tmp_path / "grid.yaml")
    *good, bad = [tmp_path / "runs" / config.name for config in plan.configs]
    run(plan.configs[-1], tmp_path / "runs")
    (bad / "summary.json").unlink()
    (bad / "checkpoint.ckpt").write_text("damaged")

    process = subprocess.Popen([sys.executable, "-m", "multistable", *command], stdout=subprocess.DEVNULL)
    while not any((folder / "summary.json").exists() for folder in good):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for folder in good for path in folder.glob("summary.json")}

    assert main(command) == 1
    printed = capsys.readouterr()
    assert f"multistable sweep: {plan.configs[-1].name} failed: DamagedError: {bad / 'checkpoint.ckpt'}" in printed.err
    assert "DamagedError" in (bad / "error.txt").read_text()
    assert printed.out.endswith(" finished before, 1 failed\n")
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for config, folder in zip(plan.configs[:-1], good, strict=True):
        run(config, tmp_path / "alone")
        assert (folder / "metrics.csv").read_bytes() == (tmp_path / "alone" / config.name / "metrics.csv").read_bytes()

    (bad / "checkpoint.ckpt").unlink()
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("1 done, 3 finished before, 0 failed\n")
    assert not (bad / "error.txt").exists()


def alive(mark: str) -> list[str]:
    """The processes, but for those that are about to be reaped, that have a word in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "comm").read_text())
        except OSError:  # it has ended, or is another user's
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [(signal.SIGINT, 130, "multistable sweep: interrupted\n"), (signal.SIGTERM, 128 + signal.SIGTERM, "")],
)
def test_asked_to_end_a_sweep_leaves_no_process(sent: int, status: int, said: str, tmp_path: Path) -> None:
    grid = {**GRID, "cells": ["gru"], "variants": ["plain"], "lengths": [6]}
    path = write(tmp_path, grid, tiny(epochs=10_000, measure_every=1000))
    command = [sys.executable, "-m", "multistable", "sweep", str(path), "--runs", str(tmp_path / "runs")]
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", heeding, *command],
        env={**os.environ, "STARTED_BY_TEST": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not any((tmp_path / "runs").rglob("metrics.csv")):
        assert process.poll() is None
        time.sleep(0.01)
    assert len(alive(str(tmp_path))) > 3
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    printed, error = process.communicate()
    assert (process.returncode, printed, error) == (status, "", said)
    since = time.monotonic()
    while alive(str(tmp_path)) and time.monotonic() - since < 20:
        time.sleep(0.1)
    assert alive(str(tmp_path)) == []
    assert not (tmp_path / "runs" / ".ray").exists()
