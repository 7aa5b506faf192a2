"""Parts of sentences."""

import math
import numbers

__all__ = ["counted", "given", "shortened", "shown"]

_LONGEST = 60  # characters of one value in a message


def counted(number: int, noun: str) -> str:
    """A number of things, such as `"1 epoch"` or `"2,000 epochs"`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def given(value: object) -> str:
    """What was given, for a message: its type, and of a number or a word what it is."""
    kind = type(value).__name__
    return f"{kind} {shown(value)}" if isinstance(value, str | int | float) else kind


def shown(value: object) -> str:
    """A value as it stands in a message: a word in quotes, and of what is long no more than its beginning.

    Examples:
        >>> shown("gru"), shown(0.5), shown(10**5000)
        ("'gru'", '0.5', 'a number of about 5000 digits')
        >>> shown("x" * 300)
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'… of 300 characters"
    """
    if isinstance(value, str):
        return repr(value) if len(value) <= _LONGEST else f"{value[:_LONGEST]!r}{_left_out(value)}"
    try:
        return shortened(str(value) if isinstance(value, numbers.Number) else repr(value))
    except ValueError:  # Python writes no int of more than 4300 digits
        if isinstance(value, int):
            return f"a number of about {round(value.bit_length() * math.log10(2))} digits"
        return f"a {type(value).__name__} with numbers of too many digits"


def shortened(text: str) -> str:
    """A text, or its beginning and how long it is."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}{_left_out(text)}"


def _left_out(text: str) -> str:
    return f"… of {len(text)} characters"
