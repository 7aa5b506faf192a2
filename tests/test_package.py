"""What `import multistable` gives, and what it leaves alone."""

import importlib.metadata
import re
import runpy
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

import multistable
from multistable._utils import version
from multistable.cli import main

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_one_installed(capsys: pytest.CaptureFixture[str]) -> None:
    installed = importlib.metadata.version("multistable")
    assert multistable.__version__ == installed
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"multistable {installed}\n"


def test_a_source_tree_that_nobody_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert runpy.run_path(version.__file__)["__version__"] == "unknown"


def test_a_star_import_leaves_the_names_of_torch_alone() -> None:
    names: dict[str, Any] = {"nn": torch.nn, "init": torch.nn.init}
    exec("from multistable import *", names)
    assert names["nn"] is torch.nn and names["init"] is torch.nn.init
    assert names["warmup"] is multistable.warmup
    assert multistable.nn.__name__ == "multistable.nn"


def test_links_of_a_release_lead_to_files_of_that_release(tmp_path: Path) -> None:
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    address = runpy.run_path(str(ROOT / ".ci" / "address.py"))
    address["complete"](tmp_path, "https://example.org/some/one", "v1.2.3")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]*)\)", (tmp_path / "README.md").read_text())
    ours = [(image, link.removeprefix("https://example.org/some/one/")) for image, link in links if "example" in link]
    assert all(link.startswith("https://") for _, link in links)
    assert len(ours) > 20
    for image, link in ours:
        kind, tag, path = link.split("/", 2)
        assert (kind, tag) == ("raw" if image else "blob", "v1.2.3")
        assert (ROOT / path.partition("#")[0]).is_file()
    with pytest.raises(SystemExit, match=r"lead nowhere on an index: \]\(docs/a.md\)"):
        address["absolute"]("[![a picture that is a link](a.png)](docs/a.md)", "https://example.org", "v1")
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Repository"] == "https://example.org/some/one"
    assert set(urls) == {"Repository", "Documentation", "Changelog", "Issues"}
