"""Words to choose from, and the one that was meant."""

import difflib
from collections.abc import Sequence

from multistable._utils.wording import given, shown

__all__ = ["check_choice", "nearest"]


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise unless `value` is one of the words that `name` may have."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a word, got {given(value)}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}{nearest(value, choices)}")


def nearest(word: str, known: Sequence[str]) -> str:
    """The end of a message that names the known word most like a wrong one; empty if none is.

    One of the same letters comes first, and of paths those in the same folder.
    """
    folder = word.rpartition("/")[0]
    beside = [one for one in known if one.rpartition("/")[0] == folder]
    swapped = [one for one in known if sorted(one) == sorted(word)]
    close = swapped or difflib.get_close_matches(word, beside, n=1) or difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
