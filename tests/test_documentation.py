"""The Python blocks of the README and of every page of the documentation run, and print what the pages show.

A block ```` ```text ```` right after one of Python is what that prints; `…` in it stands for anything, and its lines
may be broken elsewhere.
"""

import inspect
import io
import re
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest
from scripts import scripts

from multistable import warmup
from multistable.dynamics import registry

ROOT = Path(__file__).parents[1]
OPTIONAL = ("transformers",)  # too large for the checks: blocks that import one run where it is installed
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
# Pages may show numbers that came of many steps, and other processors round otherwise: what is shown is as precise as
# this many units of its last digit. Counts are exact.
UNITS = 5

Example = tuple[str, str | None]


def examples(page: Path) -> list[Example]:
    """Each block, and what the page says that it prints."""
    found = [(code, said or None) for code, said in EXAMPLE.findall(page.read_text())]
    missing = [name for name in OPTIONAL if find_spec(name) is None]
    return [(code, said) for code, said in found if not any(f"from {name} " in code for name in missing)]


def units_apart(said: str, printed: str) -> float:
    """How far two numbers lie apart, in units of the last digit of the first; infinity for counts that differ."""
    digits, _, exponent = said.rstrip("%").replace(",", "").partition("e")
    values = [float(one.rstrip("%").replace(",", "")) for one in (said, printed)]
    if "." not in digits and not exponent and "%" not in said:
        return 0.0 if values[0] == values[1] else float("inf")
    decimals = len(digits.partition(".")[2]) - int(exponent or 0)
    return abs(values[0] - values[1]) * 10.0**decimals


def agree(said: str, printed: str) -> bool:
    """Whether what is printed is what the page says, but for the last digits and where lines are broken."""
    said, printed = (" ".join(text.split()) for text in (said, printed))
    words = [".*?".join(map(re.escape, part.split("…"))) for part in NUMBER.split(said)]
    found = re.fullmatch(f"({NUMBER.pattern})".join(words), printed)
    if found is None:
        return False
    return all(units_apart(*pair) <= UNITS for pair in zip(NUMBER.findall(said), found.groups(), strict=True))


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_examples(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = examples(page)
    if not any(said for _, said in shown):
        # A page shows a whole warmup; that its blocks run, one of few steps shows as well.
        function = inspect.unwrap(warmup)
        monkeypatch.setattr(function, "__kwdefaults__", {**(function.__kwdefaults__ or {}), "steps": 10})
    known = dict(registry._ADAPTERS)
    names: dict[str, object] = {"__name__": page.stem}
    differ = []
    try:
        for code, said in shown:
            output = io.StringIO()
            with redirect_stdout(output):
                exec(code, names)
            if said is not None and not agree(said, output.getvalue()):
                differ.append(f"{code}\nprints\n{output.getvalue()}\nand the page says\n{said}")
    finally:
        registry._ADAPTERS.clear()
        registry._ADAPTERS.update(known)
    assert not differ, "\n\n".join(differ)


@pytest.mark.slow
def test_commands(tmp_path: Path) -> None:
    with scripts("console") as modules:
        done = list(modules.console.played(ROOT / "docs" / "tutorials" / "from-yaml-to-report.md", tmp_path))
    assert [f"{command}\nprints\n{printed}" for command, said, printed in done if not agree(said, printed)] == []
    assert "multistable sweep comparison.yaml" in [command for command, _, _ in done]


@pytest.mark.parametrize("page", [ROOT / "docs" / "index.md", *(ROOT / "docs" / "tutorials").glob("*.md")])
def test_pages_for_beginners_show_whole_lines(page: Path) -> None:
    # On a screen of ordinary width more would have to be scrolled to.
    lines = "".join(code + (said or "") for code, said in examples(page)).splitlines()
    assert [line for line in lines if len(line) > 74] == []


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("VAA 0.97 after 2,000 steps", "VAA 1.00\nafter 2,000 steps\n", True),
        ("VAA 0.97 after 2,000 steps", "VAA 0.91 after 2,000 steps", False),
        ("VAA 0.97 after 2,000 steps", "VAA 0.97 after 2,001 steps", False),
        ("3 saddles", "3 wells", False),
        ("3 saddles", "3 saddles, and more", False),
        ("99% right, residual 2.0e-07", "96% right, residual 1.8e-07", True),
        ("residual 2.0e-07", "residual 2.0e-06", False),
        ("-0.5", "0.5", False),
        ("took … seconds, 5 steps", "took 1.25 seconds, 5 steps", True),
        ("took … seconds, 5 steps", "took 1.25 seconds, 6 steps", False),
        ("0.5", "nan", False),
    ],
)
def test_what_counts_as_the_same_output(said: str, printed: str, same: bool) -> None:
    assert agree(said, printed) is same
