"""Words to choose from, the one that was meant, and what was given instead."""

import difflib
from collections.abc import Sequence

__all__ = ["check_choice", "given", "nearest"]


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise unless `value` is one of the words that `name` may have."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a word, got {given(value)}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}{nearest(value, choices)}")


def given(value: object) -> str:
    """What was given, for a message: its type, and of a number or a word what it is."""
    shown = f" {value!r}" if isinstance(value, str) else f" {value}" if isinstance(value, int | float) else ""
    return f"{type(value).__name__}{shown[:60]}"


def nearest(word: str, known: Sequence[str]) -> str:
    """The end of a message that names the known word most like a wrong one; empty if none is.

    One of the same letters comes first, and of paths those in the same folder.
    """
    folder = word.rpartition("/")[0]
    beside = [one for one in known if one.rpartition("/")[0] == folder]
    swapped = [one for one in known if sorted(one) == sorted(word)]
    close = swapped or difflib.get_close_matches(word, beside, n=1) or difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
