"""The raw results of studies: rows in a JSON file each, which a study adds to one by one."""

import json
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]

Row = dict[str, Any]


def read(file: Path) -> list[Row]:
    """The rows in a file; none where there is no file."""
    rows: list[Row] = json.loads(file.read_text())["rows"] if file.exists() else []
    return rows


def findings(name: str) -> list[Row]:
    """What a study wrote so far."""
    return read(_file(name))


def complete(name: str, cases: Iterable[Row], study: Callable[..., Row]) -> None:
    """Write a row for each case to `results/<name>.json`: the case, and what `study(**case)` finds.

    A case that has a row is not studied again, so that what was interrupted goes on where it stopped.
    """
    rows = findings(name)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    for case in cases:
        if not any(case.items() <= row.items() for row in rows):
            rows.append(case | study(**case))
            print(json.dumps(rows[-1]))
            _file(name).write_text(json.dumps({"versions": versions, "rows": rows}, indent=2) + "\n")


def _file(name: str) -> Path:
    return ROOT / "studies" / "results" / f"{name}.json"
