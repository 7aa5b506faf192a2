"""What the recurrent modules of a whole model receive while it runs."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from multistable._random import forked_rng
from multistable.dynamics.calls import Sequences, full_lengths, merge
from multistable.dynamics.registry import Adapter, adapter_of
from multistable.dynamics.stack import Stack

__all__ = ["record"]


def record(
    model: nn.Module, recurrent: Sequence[tuple[Stack, nn.Module]], batch: Any, generator: torch.Generator
) -> list[Sequences]:
    """Run `model` on `batch` and return what each of its recurrent modules received.

    The model runs in evaluation mode without gradient; training mode, hooks and the global random state are as before.
    A call that is given the very state that the call before it returned goes on with that call's sequences.

    Args:
        model: the model.
        recurrent: what to record, each as a stack and as the module that it stands for.
        batch: a mapping is passed on as keyword arguments, anything else as the only argument.
        generator: seeds what the model draws at random.

    Returns:
        For each recurrent module its sequences.

    Raises:
        RuntimeError: the forward pass never reached one of the modules.
    """
    recorders = [_Recorder(stack, module) for stack, module in recurrent]
    devices = {parameter.device for parameter in model.parameters()}
    with ExitStack() as context:
        context.enter_context(torch.no_grad())
        context.enter_context(_evaluating(model))
        context.enter_context(forked_rng(devices, generator))
        for recorder in recorders:
            hook = recorder.module.register_forward_hook(recorder, with_kwargs=True)
            context.callback(hook.remove)
        model(**batch) if isinstance(batch, Mapping) else model(batch)
    for (stack, module), recorder in zip(recurrent, recorders, strict=True):
        if not recorder.chains:
            raise RuntimeError(f"the model's forward pass never reached {stack.name!r} ({type(module).__name__})")
    return [recorder.sequences() for recorder in recorders]


class _Recorder:
    """A forward hook that keeps a module's calls, those of one sequence chained."""

    def __init__(self, stack: Stack, module: nn.Module) -> None:
        adapter = adapter_of(module)
        assert adapter is not None
        self.module = module
        self.adapter: Adapter = adapter
        self.signature = inspect.signature(module.forward)
        # A reverse direction's state belongs to the sequence's beginning: nothing goes on from it.
        self.can_go_on = not any(part.reverse for part in stack.parts)
        self.chains: list[list[Sequences]] = []
        self.returned: list[_Tagged] = []

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        arguments = list(self.signature.bind(*args, **kwargs).arguments.values())
        inputs, state = arguments[0], arguments[1] if len(arguments) > 1 else None
        # The model may go on to write into the tensors that it passes.
        call = self.adapter.read(module, inputs, state).clone()
        given = _tagged(state)
        goes_on = self.can_go_on and any(_are_same(given, returned) for returned in self.returned)
        if goes_on and _is_whole(self.chains[-1][-1]):
            self.chains[-1].append(call)
        else:
            self.chains.append([call])
        # Cells return the state alone, layers return it behind their outputs.
        self.returned = [_tagged(output), _tagged(output[-1] if isinstance(output, tuple) else None)]

    def sequences(self) -> Sequences:
        return merge([_join(chain) for chain in self.chains])


_Tagged = list[tuple[Tensor, int]]


def _tagged(value: Any) -> _Tagged:
    """The tensors in `value`, each with how often it has been written into."""
    return [(one, 0 if one.is_inference() else one._version) for one in _tensors(value)]


def _are_same(some: _Tagged, others: _Tagged) -> bool:
    """Whether these are the very same tensors, not written into in between."""
    return len(some) == len(others) > 0 and all(
        one is other and writes == other_writes
        for (one, writes), (other, other_writes) in zip(some, others, strict=True)
    )


def _is_whole(call: Sequences) -> bool:
    """Whether all sequences of a call are equally long, so that each can go on."""
    return bool((call.lengths == len(call.inputs)).all())


def _join(chain: list[Sequences]) -> Sequences:
    """One call's sequences and those that go on with them, in time."""
    if len(chain) == 1:
        return chain[0]
    inputs = torch.cat([call.inputs for call in chain])
    lengths = full_lengths(torch.cat([call.inputs for call in chain[:-1]])) + chain[-1].lengths
    return Sequences(inputs, lengths, chain[0].state)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, so that dropout is off and no statistics are updated."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
