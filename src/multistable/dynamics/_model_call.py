"""How a batch enters a model: the arguments of its forward, read from its signature."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from multistable._utils.restore import attributes_kept
from multistable._utils.wrappers import unwrapped

__all__ = ["Forward", "ModelCall", "enter", "is_mapping", "is_named_tuple", "model_call"]

Forward = Callable[[Any, Any], object]
"""(model, batch): how a batch enters a model. What it returns isn't looked at."""

_REMEDY = "forward=lambda model, batch: ... says how a batch enters the model"


@dataclass(frozen=True)
class ModelCall:
    """The arguments that a model is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


def enter(model: nn.Module, batch: Any, forward: Forward | None) -> None:
    """Run `model` on a batch, by `forward` or as `model_call` reads its signature.

    Raises:
        TypeError: the model can't be called on such a batch.
    """
    if hasattr(batch, "batch_size") and is_mapping(batch):
        batch = batch.copy()  # a TensorDict, which models write into
    if forward is not None:
        forward(model, batch)
        return
    call = model_call(model, batch)
    inner = unwrapped(model)
    by_step = _has_no_forward(inner)
    target: Any = inner.training_step if by_step else inner.forward
    tried = f"{type(inner).__name__}.{'training_step' if by_step else 'forward'}({_described(call)})"
    try:
        if by_step:
            with attributes_kept(model):
                _run_training_step(model, inner, call)
        else:
            _check_fit(target, call)
            model(*call.args, **call.kwargs)
    except (TypeError, AttributeError) as error:
        raise TypeError(f"a batch could not enter the model: tried {tried}, got {error!r}; {_REMEDY}") from error
    except Exception as error:
        error.add_note(f"While {tried} ran; if that is not how a batch enters the model, {_REMEDY}.")
        raise


def model_call(model: nn.Module, batch: Any) -> ModelCall:
    """The arguments of the model's forward, or of its `training_step` where it has no forward, in a batch.

    A mapping gives the arguments whose names are among its keys, and all of it if forward takes any name; where no key
    is the name of an argument, it is the only argument itself. A named tuple is seen as a mapping of its fields where
    these name all arguments without a default. A tuple or list gives as many elements as there are arguments without a
    default, one at least; it is the only argument itself where that one is called `batch` or annotated as a sequence.
    Anything else is the only argument, and so is whatever a `training_step` is given.

    Raises:
        TypeError: the model has neither a forward nor a `training_step`.
    """
    if isinstance(batch, ModelCall):
        return batch
    inner = unwrapped(model)
    if _has_no_forward(inner):
        if not hasattr(inner, "training_step"):
            raise TypeError(f"{type(inner).__name__} must have a forward or a training_step, got neither; {_REMEDY}")
        return ModelCall((batch,))
    parameters = _parameters(inner.forward)
    named = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    required = [one for one in parameters if one.default is one.empty and one.kind in _POSITIONAL]
    if is_named_tuple(batch):
        fields = batch._asdict()
        if required and all(one.name in fields for one in required):
            return ModelCall((), {name: value for name, value in fields.items() if name in named})
        if len(required) == 1 and not _is_annotated(required[0], Tensor):
            return ModelCall((batch,))
    elif is_mapping(batch):
        takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
        keys = list(batch.keys())
        if any(key in named for key in keys) or (takes_any and not required):
            return ModelCall((), {key: batch[key] for key in keys if takes_any or key in named})
        return ModelCall((batch,))
    if isinstance(batch, tuple | list) and not isinstance(batch, PackedSequence):
        takes_whole = len(required) == 1 and (required[0].name == "batch" or _is_annotated(required[0], Sequence))
        return ModelCall((batch,) if takes_whole else tuple(batch[: max(1, len(required))]))
    return ModelCall((batch,))


def is_mapping(batch: Any) -> bool:
    """Whether a batch has values by key: a mapping, or what is used as one without being registered as such."""
    return isinstance(batch, Mapping) or (hasattr(batch, "keys") and hasattr(batch, "__getitem__"))


def is_named_tuple(batch: Any) -> bool:
    """Whether a batch is a named tuple; a `PackedSequence` is one sequence batch and no such thing."""
    return isinstance(batch, tuple) and hasattr(batch, "_asdict") and not isinstance(batch, PackedSequence)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Those of a function; none where it has no signature to read, as that of a scripted module."""
    try:
        return list(inspect.signature(function, eval_str=True).parameters.values())
    except (NameError, AttributeError, SyntaxError):  # an annotation that is known to type checkers alone
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _is_annotated(parameter: inspect.Parameter, kind: type) -> bool:
    """Whether it is annotated as of a kind, or as of one of several that are."""
    is_union = typing.get_origin(parameter.annotation) in (typing.Union, types.UnionType)
    given = typing.get_args(parameter.annotation) if is_union else [parameter.annotation]
    kinds = [typing.get_origin(one) or one for one in given]
    return any(isinstance(one, type) and issubclass(one, kind) and one is not PackedSequence for one in kinds)


def _has_no_forward(module: nn.Module) -> bool:
    """Whether forward is what nn.Module, or Lightning's base class on top of it, has in place of one."""
    if "forward" in vars(module):
        return False
    owner = next(kind for kind in type(module).__mro__ if "forward" in vars(kind))
    return owner is nn.Module or owner.__name__ == "LightningModule"


def _run_training_step(model: nn.Module, inner: Any, call: ModelCall) -> None:
    """Run Lightning's `training_step`, without a trainer to log to."""
    if not getattr(inner, "automatic_optimization", True):
        raise TypeError("training_step optimises by hand")
    for module in model.modules():
        if hasattr(module, "training_step"):
            vars(module).update(log=_log_nothing, log_dict=_log_nothing)
    takes_index = len([one for one in _parameters(inner.training_step) if one.kind in _POSITIONAL]) > 1
    inner.training_step(*call.args, *((0,) if takes_index else ()))


def _log_nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _check_fit(target: Callable[..., Any], call: ModelCall) -> None:
    """Raise Python's own TypeError for arguments that don't fit, before anything has run."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return
    signature.bind(*call.args, **call.kwargs)


def _described(call: ModelCall) -> str:
    return ", ".join([*map(_kind, call.args), *(f"{name}={_kind(value)}" for name, value in call.kwargs.items())])


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"Tensor {tuple(value.shape)}"
    if isinstance(value, tuple | list) and not isinstance(value, PackedSequence):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
