"""The figures in the documentation are those of the files that the benchmarks write."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_page_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert (ROOT / "docs" / "measurements.md").read_text() == tables.page()
    sys.modules.pop("side_by_side", None)


def test_the_readme_quotes_the_demonstration() -> None:
    result = json.loads((ROOT / "docs" / "demo" / "result.json").read_text())
    readme = (ROOT / "README.md").read_text()
    for quoted in (
        f"| test error (MSE; chance is 1) | {result['loss_plain']:.3f} | {result['loss_warmup']:.4f} |",
        f"| VAA before training | {result['vaa_before']:.2f} | {result['vaa_after']:.2f} |",
    ):
        assert quoted in readme
