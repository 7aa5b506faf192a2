"""What `import multistable` gives, and what it leaves alone."""

import importlib.metadata
import runpy
import sys
from typing import Any

import pytest
import torch

import multistable
from multistable._utils import version
from multistable.cli import main


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
