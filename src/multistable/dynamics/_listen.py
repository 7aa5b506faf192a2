"""What a module is called with, also where a model calls its `forward` and not the module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

__all__ = ["listening"]

Heard = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], Any]
"""Told of a call: the module, its arguments, and what it returned; what is to be returned instead, or None."""


@contextmanager
def listening(module: nn.Module, heard: Heard, *, direct: bool) -> Iterator[None]:
    """Tell `heard` of every call in this block.

    Args:
        module: the module.
        heard: told after each call.
        direct: whether to listen to `forward` itself, which no hook does.
    """
    if not direct:
        hook = module.register_forward_hook(heard, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
        return
    forward = module.forward
    own = vars(module).get("forward")

    def heard_forward(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        instead = heard(module, args, kwargs, output)
        return output if instead is None else instead

    module.forward = heard_forward
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own
