"""The Python blocks of the README and of every page of the documentation run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_examples_run(page: Path) -> None:
    from multistable.dynamics import registry

    known = dict(registry._ADAPTERS)
    try:
        exec("\n".join(blocks(page)), {"__name__": page.stem})
    finally:
        registry._ADAPTERS.clear()
        registry._ADAPTERS.update(known)
