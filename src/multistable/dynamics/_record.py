"""What the recurrent modules of a whole model receive while it runs."""

import inspect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from multistable._utils.names import type_name
from multistable._utils.restore import undisturbed
from multistable.dynamics._listen import listening
from multistable.dynamics.calls import Sequences, merge
from multistable.dynamics.stack import Stack

__all__ = ["is_keywords", "record"]


def record(model: nn.Module, stacks: Sequence[Stack], batch: Any, generator: torch.Generator) -> list[Sequences]:
    """Run `model` on `batch` and return what each of its recurrent modules received.

    The model runs in evaluation mode without gradient; its training mode, buffers and hooks and the global random state
    are as before. A call that is given the very state that an earlier call returned goes on with that call's sequences.

    Args:
        model: the model.
        stacks: the recurrent modules in it to record.
        batch: a mapping is passed on as keyword arguments, anything else, and a TensorDict, as the only argument.
        generator: seeds what the model draws at random, so that it draws the same for equal generators.

    Returns:
        For each recurrent module its sequences.

    Raises:
        RuntimeError: the forward pass never reached one of the modules.
    """
    recorders = [_Recorder(stack) for stack in stacks]
    with ExitStack() as context:
        context.enter_context(torch.no_grad())
        context.enter_context(undisturbed(model, generator))
        for recorder in recorders:
            module, direct = recorder.stack.module, recorder.stack.adapter.direct
            context.enter_context(listening(module, recorder, direct=direct))
        if is_keywords(batch):
            model(**batch)
        else:
            model(batch.copy() if isinstance(batch, Mapping) else batch)  # a model writes into its TensorDict
    for stack, recorder in zip(stacks, recorders, strict=True):
        if not recorder.chains:
            kind = type_name(type(stack.module))
            raise RuntimeError(f"the model's forward pass never reached {stack.name!r} ({kind})")
    return [recorder.sequences() for recorder in recorders]


def is_keywords(batch: Any) -> bool:
    """Whether a batch is a model's keyword arguments: a mapping, but not a TensorDict, which is one argument."""
    return isinstance(batch, Mapping) and not hasattr(batch, "batch_size")


_Tagged = list[tuple[Tensor, int]]


class _Recorder:
    """A forward hook that keeps a module's calls, those of one sequence chained."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.signature = inspect.signature(stack.module.forward)
        self.inputs_name, *others = self.signature.parameters
        self.state_name = stack.adapter.state_name or next(iter(others), None)
        self.arguments = stack.adapter.arguments or self._by_name
        # A reverse direction's state belongs to the sequence's beginning: nothing goes on from it.
        self.can_go_on = not any(part.reverse for part in stack.parts)
        self.chains: list[list[Sequences]] = []
        # The latest chains, each with what may be its state: enough for a few sequences that take turns.
        self.open: deque[tuple[list[Sequences], list[_Tagged]]] = deque(maxlen=8)

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        inputs, state = self.arguments(module, *args, **kwargs)
        # The model may go on to write into the tensors that it passes.
        call = self.stack.read(inputs, state).clone()
        # Cells return the state alone, layers return it behind their outputs.
        returned = [_tagged(output), _tagged(output[-1] if isinstance(output, tuple) else None)]
        chain = self._chain_before(_tagged(state))
        if chain is None:
            chain = []
            self.chains.append(chain)
        chain.append(call)
        self.open.append((chain, returned))

    def _by_name(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        arguments = self.signature.bind(*args, **kwargs).arguments
        return args[0] if args else arguments.get(self.inputs_name), arguments.get(self.state_name or "")

    def _chain_before(self, given: _Tagged) -> list[Sequences] | None:
        """The chain that goes on from the state `given`, taken out of those that are open."""
        for position, (chain, returned) in enumerate(self.open):
            if self.can_go_on and any(_are_same(given, one) for one in returned) and _is_whole(chain[-1]):
                del self.open[position]
                return chain
        return None

    def sequences(self) -> Sequences:
        return merge([_join(chain) for chain in self.chains])


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
    lengths = chain[-1].lengths + sum(len(call.inputs) for call in chain[:-1])
    return Sequences(inputs, lengths, chain[0].state)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
