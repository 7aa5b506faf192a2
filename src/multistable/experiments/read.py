"""Configurations from YAML files and from words of the command line."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistable._utils.wording import shortened, shown
from multistable.experiments.config import Config
from multistable.experiments.shipped import locate, mistaken

__all__ = ["parse_overrides", "read_config", "read_experiment", "read_text", "read_yaml"]

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_BOOL, _FLAGS = "tag:yaml.org,2002:bool", ("true", "false", "yes", "no", "on", "off")
_MERGE = "tag:yaml.org,2002:merge"  # the key <<, whose mappings come below all others
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Settings from a YAML file and `key=value` words, which come after the file's.

    Args:
        path: the file, or the name of an experiment that comes with the package, such as `"small/copy-first-input"`.
        overrides: words such as `"lr=1e-4"`, whose value is read as YAML.

    Raises:
        ImportError: PyYAML is missing.
        OSError: the file can't be read.
        TypeError: a value has the wrong type, or the file holds a sweep.
        ValueError: the file is no YAML, a number is not written in decimals, a word is no override, a key is given
            twice or unknown; and what `Config` raises.
    """
    place = locate(Path(path))
    values = read_experiment(place, f"{path} is {mistaken(Path(path), sweep=True)}")
    return Config.from_dict({**values, **parse_overrides(overrides)})


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """The keys and values of `key=value` words.

    Raises:
        ValueError: a word is no such pair, its value no YAML or a number not in decimals, or a key is given twice.
    """
    values: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not (key and equals):
            raise ValueError(f"an override must look like key=value, got {shown(word)}")
        if key in values:
            raise ValueError(f"{key} is given twice on the command line")
        values[key] = _parse(text, f"the value of {key}")
    return values


def read_experiment(path: Path, refusal: str) -> dict[str, Any]:
    """The keys and values of one experiment in a YAML file; raises as `read_yaml`.

    Args:
        path: the file.
        refusal: what the `TypeError` says where the file holds a sweep.
    """
    values = read_text(path)
    if _is_sweep(values):
        raise TypeError(refusal)
    return _mapping(values, path)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ImportError: PyYAML is missing.
        OSError: the file can't be read.
        TypeError: it holds no mapping.
        ValueError: it is no YAML, a key is given twice, or a number is not written in decimals.
    """
    return _mapping(read_text(path), path)


def read_text(path: Path) -> Any:
    """What a YAML file holds, as plain Python values; raises as `read_yaml`, but for `TypeError`."""
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def _mapping(values: Any, path: Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TypeError(f"{path} must hold a mapping of keys to values, got {type(values).__name__}")
    return values


def _is_sweep(values: Any) -> bool:
    """Whether a file holds what only a sweep does: a grid, or a list of grids."""
    grids = values if isinstance(values, list) else [values]
    return any(isinstance(grid, dict) and "config" in grid for grid in grids)


def _parse(text: str, what: str) -> Any:
    """What a YAML text holds, as plain Python values."""
    try:
        import yaml
    except ImportError as error:
        raise ImportError("configurations need PyYAML: pip install 'multistable[experiments]'") from error

    class Loader(yaml.SafeLoader):
        """Plain values, of nodes that pass the checks; numbers such as 1e-3 and 1.5e3, which PyYAML takes for words."""

        def get_single_node(self) -> Any:
            node = super().get_single_node()
            _check(node, "it", set())
            return node

    number = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver(_FLOAT, number, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)  # a SafeLoader: plain values alone
    except Exception as error:  # PyYAML raises what Python's own types do, of a date or a number that there is not
        why = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, RecursionError):
            why = "it is nested too deeply"
        raise ValueError(f"{what} is no YAML that can be read: {why}") from error


def _check(node: Any, key: str, seen: set[int]) -> None:
    """Raise if a mapping in a node holds a key twice, or a number is not written in decimals.

    YAML 1.1 reads 010 as 8 and 1:30 as 90, which nobody means who sets a length.

    Args:
        node: of PyYAML; None for an empty text.
        key: what the node is the value of.
        seen: ids of the nodes that were looked at, since aliases can make a node part of itself.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if node.id == "mapping":
        _check_keys([(one.tag, one.value) for one, _ in node.value])
        for one, value in node.value:
            _check(value, one.value if one.id == "scalar" else key, seen)
    elif node.id == "sequence":
        for value in node.value:
            _check(value, key, seen)
    elif node.tag == _BOOL and node.value.lower() not in _FLAGS:
        raise ValueError(f"{key} must be true or false, got {shown(node.value)}")
    elif (node.tag == _INT and not _DECIMAL.fullmatch(node.value)) or (
        node.tag == _FLOAT and (":" in node.value or not node.value)
    ):
        raise ValueError(
            f"{key} must be written in decimals without leading zeros, got {shortened(node.value) or 'nothing'}"
        )


def _check_keys(keys: list[tuple[str, Any]]) -> None:
    for key in keys:
        if keys.count(key) > 1 and key[0] != _MERGE:
            raise ValueError(f"{key[1]} is given twice")
