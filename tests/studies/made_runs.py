"""Finished runs made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config, variant_keys
from multistable.experiments.results import Run


def supervised(
    cell: str = "gru",
    variant: str = "plain",
    seed: int = 0,
    validation: Sequence[float | None] = (1.0, 0.9),
    vaa: Sequence[float | None] = (0.01, 0.01),
    *,
    test: float | None = None,
    accuracy: bool = False,
) -> Run:
    """A run with these rows, whose test metric is by default the last in validation."""
    task: dict[str, Any] = {"task": "permuted_rows"} if accuracy else {"task": "copy_first_input", "length": 100}
    rows: list[dict[str, float | None]] = [
        {"epoch": float(epoch), "validation_metric": metric, "vaa": one}
        for epoch, (metric, one) in enumerate(zip(validation, vaa, strict=True))
    ]
    summary = {
        "higher_is_better": accuracy,
        "chance": 0.1 if accuracy else 1.0,
        "test_metric": validation[-1] if test is None else test,
        "vaa": vaa[-1],
        "traces": {"start": {"vaa": [1.0, vaa[0]]}},
    }
    return Run(Config(**task, cell=cell, **variant_keys(variant), seed=seed), summary, rows, Path())


def ends(error: float, at: int = 1) -> dict[str, Any]:
    """Validation of three epochs that is at chance until one of them, and at `error` from there on."""
    return {"validation": [1.0] * at + [error] * (4 - at), "vaa": [0.01] * 4}


def in_maze(
    cell: str = "gru",
    seed: int = 0,
    shares: Sequence[float] = (0.0, 0.5, 0.5, 0.5),
    tested: Sequence[float] = (0.5, 0.5, 0.5),
    count: int = 1,
) -> Run:
    """A run with these shares of optimal rollouts, in evaluations and then in corridors of 20, 100 and 1,000 steps."""
    rows: list[dict[str, float | None]] = [{"validation_metric": share} for share in shares]
    summary = {
        "test_metric": tested[0],
        "first_optimal": next((20 * epoch for epoch, share in enumerate(shares) if share == 1), None),
        "evaluation": [
            {"length": length, "metric": share} for length, share in zip((20, 100, 1000), tested, strict=True)
        ],
        "attractors": {"count": count},
    }
    task: dict[str, Any] = {"task": "t_maze", "length": 20, "episodes": 60, "evaluation_lengths": (100, 1000)}
    return Run(Config(**task, cell=cell, seed=seed), summary, rows, Path())
