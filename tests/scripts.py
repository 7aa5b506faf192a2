"""Modules from benchmarks/ and studies/, which are no packages: scripts there import each other by name."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDERS = tuple(str(Path(__file__).parents[1] / name) for name in ("benchmarks", "studies"))


@contextmanager
def scripts(*names: str) -> Iterator[SimpleNamespace]:
    """Some of them, by name; afterwards none of them is imported any more."""
    there = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for folder in FOLDERS:
            patch.syspath_prepend(folder)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in set(sys.modules) - there:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(FOLDERS):
            del sys.modules[name]
