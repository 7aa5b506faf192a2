"""Every public name stands on one page of the reference, and in its list of names."""

import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import multistable
from multistable import integrations

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "api").glob("*.md"))


def public_modules() -> list[str]:
    names = ["multistable"]
    for package in (multistable, integrations):
        found = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
        names += [name for name in found if not name.rpartition(".")[2].startswith("_")]
    names.remove("multistable.integrations")  # has no names of its own
    return names


def entries(page: Path) -> list[str]:
    """The paths for which mkdocstrings is called."""
    return re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)


def named(path: str) -> tuple[Any, str]:
    """The object of a path, and its last name, which tells apart constants that are equal."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name), name
    except ModuleNotFoundError:  # a method: its class comes before it
        return getattr(named(module)[0], name), name


@pytest.mark.parametrize("module", public_modules())
def test_each_public_name_is_on_one_page(module: str) -> None:
    shown = [named(path) for page in PAGES for path in entries(page)]
    names = [name for name in importlib.import_module(module).__all__ if not name.startswith("_")]
    exported = [(getattr(importlib.import_module(module), name), name) for name in names]
    # Subpackages that `multistable` exports have pages of their own.
    values = [(value, name) for value, name in exported if type(value) is not type(multistable)]
    assert values
    times = {name: sum(value is one and name == its for one, its in shown) for value, name in values}
    assert times == dict.fromkeys(times, 1)


def test_recurrences_are_named() -> None:
    page = (DOCS / "api" / "ops.md").read_text()
    names = importlib.import_module("multistable.nn.ops").__all__
    assert [name for name in names if f"`{name}`" not in page and f"::: multistable.nn.ops.{name}\n" not in page] == []


def test_the_list_of_names_links_to_each_entry_once() -> None:
    linked = Counter(re.findall(r"\]\(api/(\w+)\.md#([\w.]+)\)\{ #([\w.]+) \}", (DOCS / "api.md").read_text()))
    written = [(page.stem, path) for page in PAGES for path in entries(page) if not path.endswith(".forward")]
    assert linked == Counter((page, path, path) for page, path in written)
