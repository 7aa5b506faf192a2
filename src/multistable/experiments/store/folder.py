"""The folder of a run, in which every file is whole at any moment."""

import csv
import io
import json
import math
import os
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from multistable.experiments.config import Config
from multistable.experiments.read import read_yaml

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "ERROR",
    "METRICS",
    "START",
    "SUMMARY",
    "WARMUP",
    "DamagedError",
    "claim",
    "is_run",
    "read_checkpoint",
    "read_json",
    "read_settings",
    "remove_leftovers",
    "replacing",
    "write_checkpoint",
    "write_csv",
    "write_error",
    "write_json",
]

CONFIG = "config.yaml"
START = "start.ckpt"
WARMUP = "warmup.json"
CHECKPOINT = "checkpoint.ckpt"
METRICS = "metrics.csv"
SUMMARY = "summary.json"
ERROR = "error.txt"  # why a run failed


class DamagedError(ValueError):
    """What a run wrote can't be read, or is none that a run writes."""


def claim(folder: Path, config: Config) -> None:
    """Make the folder the run's own, with its `config.yaml`.

    Other settings take the place of those of a run that failed in its first epoch or before.

    Raises:
        OSError: it can't be made or written to.
        ValueError: it holds another experiment, or something else.
    """
    path = folder / CONFIG
    if path.exists():
        there = read_settings(path)
        if there == config or not _has_failed_at_once(folder):
            _compare(folder, there, config, "choose another folder with --runs, or delete this one")
            return
        for name in (START, WARMUP, METRICS, ERROR):  # settings last, below: without them the folder is no run's
            (folder / name).unlink(missing_ok=True)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        if any(one.suffix != ".tmp" for one in folder.iterdir()):
            raise ValueError(f"{folder} is not empty, and holds no run: there is no {CONFIG} in it")
    import yaml

    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(config.to_dict(), sort_keys=False), encoding="utf-8")


def write_error(folder: Path) -> None:
    """Write down why the run has failed, where that can be written: the exception that is being handled."""
    with suppress(OSError), replacing(folder / ERROR) as temporary:
        temporary.write_text(traceback.format_exc(), encoding="utf-8")


def _has_failed_at_once(folder: Path) -> bool:
    return (folder / ERROR).exists() and not ((folder / CHECKPOINT).exists() or (folder / SUMMARY).exists())


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's, whatever state it is in."""
    if not (folder / CONFIG).exists():
        return False
    if any((folder / name).exists() for name in (START, CHECKPOINT, SUMMARY)):
        return True
    try:
        read_settings(folder / CONFIG)
    except (OSError, ValueError):
        return False
    return True


def read_settings(path: Path) -> Config:
    """The settings in a run's `config.yaml`.

    Raises:
        OSError: it can't be read.
        ValueError: it holds no settings.
    """
    try:
        return Config.from_dict(read_yaml(path))
    except (TypeError, ValueError) as error:
        raise DamagedError(f"{path} is damaged, or no run's: {error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to, which takes the place of `path` when the block ends, in one go."""
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # That of a full disk names no file.
        if error.errno is not None and str(error.filename) in ("None", str(temporary)):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes were about to write; what is a minute old no living one is still writing."""
    for leftover in folder.glob(".*.tmp"):
        if time.time() - leftover.stat().st_mtime > 60:
            leftover.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as JSON.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file.

    Raises:
        ValueError: it is no JSON, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (RecursionError, ValueError) as error:
        raise DamagedError(f"{path} is no JSON that can be read: {error}") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} must hold a mapping, got {type(value).__name__}")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse(text)
    return value


def write_checkpoint(path: Path, value: Mapping[str, Any]) -> None:
    """Write tensors and plain values, as `read_checkpoint` takes them."""
    written = io.BytesIO()  # first, as torch does not tell a full disk from any other failure
    torch.save(value, written)
    with replacing(path) as temporary:
        temporary.write_bytes(written.getbuffer())


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same keys as CSV; None is left empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_checkpoint(path: Path, config: Config, accept: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """What a checkpoint of this run holds; nothing is unpickled but tensors and plain values.

    Args:
        path: the file.
        config: the settings that it must have been written under.
        accept: takes what it holds over, and raises where it does not fit.

    Raises:
        ValueError: the file is damaged, holds anything else, or stems from other settings.
    """
    with _refusing(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it has changed")
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        written_under = Config.from_dict(checkpoint["run"]["config"])
    _compare(path, written_under, config, "delete it to start from what comes before it")
    with _refusing(path):
        accept(checkpoint)
    return checkpoint


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong in the block that the file is to blame."""
    try:
        yield
    except Exception as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise DamagedError(
            f"{path} is damaged, or no checkpoint of this run: {first}. Delete it to start from what comes before it"
        ) from error


def _compare(place: Path, there: Config, here: Config, way_out: str) -> None:
    """Raise unless two configurations are the same; the message ends with what to do."""
    other = there.to_dict()
    differences = [
        f"{key} is {other.get(key)!r} there, and {value!r} here"
        for key, value in here.to_dict().items()
        if other.get(key) != value
    ]
    if there != here:
        raise ValueError(f"{place} holds another experiment: {'; '.join(differences)}. To go on, {way_out}")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name[:40]}.{os.getpid()}.tmp")  # short enough beside any name that is
