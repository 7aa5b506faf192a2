"""What a finished run wrote, read back and checked."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config
from multistable.experiments.places import check_folder, is_there
from multistable.experiments.store._accepted import check_rows, is_number
from multistable.experiments.store.folder import (
    CHECKPOINT,
    METRICS,
    SUMMARY,
    DamagedError,
    claim,
    read_checkpoint,
    read_json,
    write_csv,
)

__all__ = ["finished", "read_metrics", "read_summary", "restore_metrics"]


def finished(config: Config, runs: Path) -> dict[str, Any] | None:
    """The summary of the run if it has come to its end; raises if the folder is another experiment's, or damaged.

    Metrics that are lost are written again.
    """
    check_folder("runs (--runs)", runs)
    folder = runs / config.name
    is_there("runs (--runs)", folder)
    if not (folder / SUMMARY).exists():
        return None
    claim(folder, config)
    summary = read_summary(folder / SUMMARY, config)
    restore_metrics(folder, config)
    if (folder / METRICS).exists():
        read_metrics(folder / METRICS, config)
    return summary


def restore_metrics(folder: Path, config: Config) -> None:
    """Write a finished run's metrics again if they are lost, from its checkpoint if that is there.

    Raises:
        OSError: they can't be written.
        ValueError: the checkpoint is damaged, or another experiment's.
    """
    if not (folder / METRICS).exists() and (folder / CHECKPOINT).exists():
        write_csv(folder / METRICS, _held(folder, config))


def _held(folder: Path, config: Config) -> list[dict[str, float | None]]:
    """The rows in a run's checkpoint."""
    held = read_checkpoint(folder / CHECKPOINT, config, lambda found: check_rows(found["run"]))
    rows: list[dict[str, float | None]] = held["run"]["rows"]
    return rows


def read_summary(path: Path, config: Config) -> dict[str, Any]:
    """The summary in a file.

    Raises:
        OSError: the file can't be read.
        ValueError: it is no JSON, a key is missing, or a value is none that a run writes.
    """
    summary = read_json(path)
    for key, fits in _FITTING.items():
        if key == "first_optimal" and not config.of_task.by_reward:
            continue
        if key not in summary:
            raise DamagedError(f"{path} lacks {key}")
        if not fits(summary[key]):
            raise DamagedError(f"{path} is damaged: {key} is {str(summary[key])[:40]!r}")
    if (name := summary.get("name", config.name)) != config.name:
        raise DamagedError(f"{path} is another run's, {str(name)[:200]}")
    evaluated = [one["metric"] for one in summary["evaluation"] if one["length"] == config.horizon]
    if summary["test_metric"] not in evaluated:
        said = ", ".join(map(str, evaluated)) or "missing"
        raise DamagedError(f"{path} is damaged: test_metric is {summary['test_metric']}, and {said} in its evaluation")
    return summary


def read_metrics(path: Path, config: Config) -> list[dict[str, float | None]]:
    """The rows of a finished run's metrics; what is empty becomes None.

    Raises:
        OSError: the file can't be read.
        ValueError: it holds no row, lacks a column or an epoch, or a value is no finite number. The message says so
            where a whole one can be had from the checkpoint.
    """
    if not path.exists():
        raise DamagedError(f"{path} is lost")
    try:
        rows = _rows(path)
        _check_epochs(path, rows, config)
    except DamagedError as error:
        raise DamagedError(f"{error}{_way_out(path, config)}") from error
    return rows


def _way_out(path: Path, config: Config) -> str:
    """The end of a message on damaged metrics; empty if the checkpoint does not hold them all."""
    try:
        _check_epochs(path, _held(path.parent, config), config)
    except (OSError, ValueError):
        return ""
    return f"; delete it to have it written again from {CHECKPOINT}"


def _rows(path: Path) -> list[dict[str, float | None]]:
    try:
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            raise ValueError("it ends in the middle of a row")
        rows = [_row(row) for row in csv.DictReader(io.StringIO(text), strict=True)]
    except (ValueError, csv.Error) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error
    if not rows:
        raise DamagedError(f"{path} holds no row")
    for column in ("epoch", "validation_metric", "vaa", "residual"):
        if column not in rows[0]:
            raise DamagedError(f"{path} lacks {column}")
    return rows


def _check_epochs(path: Path, rows: Sequence[dict[str, float | None]], config: Config) -> None:
    """Raise unless there is a row for each epoch, from 0 to the end of training."""
    key, last = ("episodes", config.episodes) if config.of_task.by_reward else ("epoch", config.epochs)
    if [row["epoch"] for row in rows] != list(range(len(rows))) or rows[-1].get(key) != last:
        raise DamagedError(f"{path} is damaged: it has no row for each epoch up to {key} {last}")


def _row(row: dict[Any, Any]) -> dict[str, float | None]:
    if None in row or None in row.values():
        raise ValueError("a row is longer or shorter than the first")
    values = {key: float(value) if value else None for key, value in row.items()}
    for key, value in values.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{key} is {value}")
    return values


def _is_share(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(is_number, value.values()))


def _are_in_a_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_number, value))


def _is_trace(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(_are_in_a_list(value.get(key)) for key in _OF_A_TRACE)
        and len({len(value[key]) for key in _OF_A_TRACE}) == 1
    )


def _have(value: object, keys: Sequence[str]) -> bool:
    return _are_numbers(value) and isinstance(value, dict) and value.keys() >= set(keys)


_OF_A_TRACE = ("horizons", "vaa")
_MOMENTS = ("before", "start", "end")

_FITTING: dict[str, Callable[[Any], bool]] = {
    "metric": lambda value: isinstance(value, str),
    "higher_is_better": lambda value: isinstance(value, bool),
    "chance": is_number,
    "test_metric": is_number,
    "evaluation": lambda value: (
        isinstance(value, list) and bool(value) and all(_have(one, ("length", "metric", "chance")) for one in value)
    ),
    "vaa": _is_share,
    "residual": is_number,
    "certified": _is_share,
    "traces": lambda value: isinstance(value, dict) and all(_is_trace(value.get(moment)) for moment in _MOMENTS),
    "warmup": lambda value: value is None or isinstance(value, dict),
    "attractors": lambda value: isinstance(value, dict) and _are_numbers(value.get("shares")),
    "seconds": lambda value: _have(value, ("warmup", "training", "evaluation")),
    "versions": lambda value: isinstance(value, dict),
    "first_optimal": lambda value: value is None or is_number(value),
}
"""The keys of a summary, and whether a value is one that a run writes."""
