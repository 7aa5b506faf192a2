"""What types are called in messages."""

__all__ = ["type_name"]

_OWN_NAMES = ("builtins", "torch", "multistable")


def type_name(kind: type) -> str:
    """A type's name, with its module's before it unless it is Python's, torch's or ours: others have an LSTM too.

    Examples:
        >>> import fractions
        >>> import torch
        >>> type_name(torch.nn.LSTM), type_name(fractions.Fraction)
        ('LSTM', 'fractions.Fraction')
    """
    if kind.__module__.partition(".")[0] in _OWN_NAMES:
        return kind.__name__
    return f"{kind.__module__}.{kind.__qualname__}"
