"""The Python blocks of the README and of every page of the documentation run."""

import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from multistable import warmup
from multistable.dynamics import registry

ROOT = Path(__file__).parents[1]
OPTIONAL = ("transformers",)  # too large for the checks: blocks that import one run where it is installed
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    missing = [name for name in OPTIONAL if find_spec(name) is None]
    return [block for block in found if not any(f"from {name} " in block for name in missing)]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_examples_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page shows a whole warmup; that its blocks run, one of few steps shows as well.
    function = inspect.unwrap(warmup)
    monkeypatch.setattr(function, "__kwdefaults__", {**(function.__kwdefaults__ or {}), "steps": 10})
    known = dict(registry._ADAPTERS)
    try:
        exec("\n".join(blocks(page)), {"__name__": page.stem})
    finally:
        registry._ADAPTERS.clear()
        registry._ADAPTERS.update(known)
