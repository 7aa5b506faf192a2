"""Configurations from YAML files and from words of the command line."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config

__all__ = ["parse_overrides", "read_config", "read_text", "read_yaml"]


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Settings from a YAML file and `key=value` words, which come after the file's.

    Args:
        path: the file.
        overrides: words such as `"lr=1e-4"`, whose value is read as YAML.

    Raises:
        ImportError: PyYAML is missing.
        OSError: the file can't be read.
        TypeError: a value has the wrong type.
        ValueError: the file is no YAML, a word is no override, a key is given twice or unknown; and what `Config`
            raises.
    """
    return Config.from_dict({**read_yaml(path), **parse_overrides(overrides)})


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """The keys and values of `key=value` words.

    Raises:
        ValueError: a word is no such pair, its value no YAML, or a key is given twice.
    """
    values: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not (key and equals):
            raise ValueError(f"an override must look like key=value, got {word!r}")
        if key in values:
            raise ValueError(f"{key} is given twice on the command line")
        values[key] = _parse(text, f"the value of {key}")
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ImportError: PyYAML is missing.
        OSError: the file can't be read.
        TypeError: it holds no mapping.
        ValueError: it is no YAML, or a key is given twice.
    """
    values = read_text(path)
    if not isinstance(values, dict):
        raise TypeError(f"{path} must hold a mapping of keys to values, got {type(values).__name__}")
    return values


def read_text(path: Path) -> Any:
    """What a YAML file holds, as plain Python values; raises as `read_yaml`, but for `TypeError`."""
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def _parse(text: str, what: str) -> Any:
    """What a YAML text holds, as plain Python values."""
    try:
        import yaml
    except ImportError as error:
        raise ImportError("configurations need PyYAML: pip install 'multistable[experiments]'") from error

    class Loader(yaml.SafeLoader):
        """Plain values; numbers such as 1e-3, which PyYAML takes for words; no key twice in a mapping."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            merged = "tag:yaml.org,2002:merge"  # the key <<, whose mappings come below all others
            keys = [self.construct_object(key) for key, _ in node.value if key.tag != merged]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.YAMLError(f"{key} is given twice")
            return super().construct_mapping(node, deep)

    number = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)  # a SafeLoader: plain values alone
    except (yaml.YAMLError, ValueError) as error:  # such as of a date that there is not
        raise ValueError(f"{what} is no YAML that can be read: {error}") from error
