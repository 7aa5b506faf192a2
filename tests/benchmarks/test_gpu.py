"""The benchmark for a GPU runs, in small and anywhere, and says so where there is none."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from scripts import scripts


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[SimpleNamespace]:
    with scripts("gpu") as found:
        yield found


def test_all_of_it_runs_in_small(benchmarks: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.backends.cudnn.rnn.fp32_precision  # type: ignore[attr-defined]
    rows = benchmarks.gpu.main(["--device", "cpu", "--small"])
    assert torch.backends.cudnn.rnn.fp32_precision == before  # type: ignore[attr-defined]
    assert len(capsys.readouterr().err.splitlines()) == len(rows)
    by_kind = {kind: [row for row in rows if row["what"] == kind] for kind in ("recurrence", "warmup step", "measure")}
    cells = {row["cell"] for row in by_kind["recurrence"]}
    assert cells == {"cuDNN GRU", "cuDNN LSTM", "BRC", "nBRC", "MGU", "GRU", "LSTM"}
    assert {row["precision"] for row in by_kind["recurrence"]} == {"tf32", "ieee"}
    for row in rows:
        assert math.isfinite(row["milliseconds"]) and row["milliseconds"] > 0
    for row in by_kind["warmup step"]:
        ratio = row["milliseconds"] / row["training step, milliseconds"]
        assert row["/ training step"] == pytest.approx(ratio, rel=0.05, abs=1e-3)
        assert row["met"] == (row["/ training step"] <= (1.5 if row["prefixes"] == "whole prefixes" else 0.8))


@pytest.mark.parametrize(("cell", "size", "goal"), [
    ("BRC", (300, 32, 64), None),
    ("BRC", (300, 32, 128), 0.9),
    ("BRC", (300, 512, 128), None),
    ("BRC", (1000, 64, 256), 0.15),
    ("nBRC", (300, 32, 64), 1.6),
    ("MGU", (1000, 64, 128), 1.6),
    ("nBRC", (300, 512, 128), 0.5),
    ("MGU", (300, 512, 256), 1.0),
    ("nBRC", (300, 32, 512), 2.2),
    ("GRU", (300, 32, 128), None),
])  # fmt: skip
def test_goals(cell: str, size: tuple[int, int, int], goal: float | None, benchmarks: SimpleNamespace) -> None:
    assert benchmarks.gpu.goal(cell, size) == goal


def test_other_devices_are_not_timed(benchmarks: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.gpu.main(["--device", "cpu"])
    assert "cpu is not timed: add --small" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(benchmarks: SimpleNamespace) -> None:
    with pytest.raises(SystemExit, match="^torch finds no GPU here: `--device cpu --small` shows that the script runs"):
        benchmarks.gpu.main([])
