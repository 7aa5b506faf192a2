"""Parts of sentences."""

__all__ = ["counted", "given"]


def counted(number: int, noun: str) -> str:
    """A number of things, such as `"1 epoch"` or `"2,000 epochs"`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def given(value: object) -> str:
    """What was given, for a message: its type, and of a number or a word what it is."""
    shown = f" {value!r}" if isinstance(value, str) else f" {value}" if isinstance(value, int | float) else ""
    return f"{type(value).__name__}{shown[:60]}"
