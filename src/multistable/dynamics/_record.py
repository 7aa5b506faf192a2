"""What the recurrent modules of a whole model receive while it runs."""

import inspect
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from multistable._utils.names import type_name
from multistable._utils.restore import attributes_kept, undisturbed
from multistable.dynamics._agreement import check_call, check_hooks, has_hooks, may_differ
from multistable.dynamics._listen import listening
from multistable.dynamics._model_call import Forward, enter
from multistable.dynamics.calls import Sequences, merge
from multistable.dynamics.stack import Stack

__all__ = ["record"]


def record(
    model: nn.Module,
    stacks: Sequence[Stack],
    batch: Any,
    generator: torch.Generator,
    forward: Forward | None = None,
    *,
    first: bool = False,
) -> list[Sequences]:
    """Run `model` on `batch` and return what each of its recurrent modules received.

    The model runs in evaluation mode without gradient; its training mode, buffers and hooks and the global random state
    are as before. A call that is given the very state that an earlier call returned goes on with that call's sequences.

    Args:
        model: the model.
        stacks: the recurrent modules in it to record.
        batch: what the model is given, in a form that its signature can be matched with; for `forward`, anything.
        generator: seeds what the model draws at random, so that it draws the same for equal generators.
        forward: how a batch enters the model, (model, batch); by default as the signature of its forward says.
        first: whether to look closely, as at a first batch: what modules return is held to what their maps come to, and
            the model is run again, once for each module that is called more than once, with noise on what that module
            returns, to see whether its later inputs depend on it.

    Returns:
        For each recurrent module its sequences.

    Raises:
        RuntimeError: the forward pass never reached one of the modules.
        TypeError: the model can't be called on such a batch.
        ValueError: a module came to other states than its map.
    """
    before = generator.get_state()
    recorders = [_Recorder(stack, checked=first and may_differ(stack)) for stack in stacks]
    _run(model, recorders, batch, generator, forward)
    for stack, recorder in zip(stacks, recorders, strict=True):
        if not recorder.chains:
            kind = type_name(type(stack.module))
            raise RuntimeError(f"the model's forward pass never reached {stack.name!r} ({kind})")
    found = [recorder.sequences() for recorder in recorders]
    if not first:
        return found

    def again() -> torch.Generator:
        return torch.Generator(generator.device).set_state(before)

    return [
        replace(one, fed_back=_is_fed_back(model, recorder, batch, again(), forward))
        for one, recorder in zip(found, recorders, strict=True)
    ]


def _run(
    model: nn.Module,
    recorders: Sequence["_Recorder"],
    batch: Any,
    generator: torch.Generator,
    forward: Forward | None,
) -> None:
    with ExitStack() as context:
        context.enter_context(torch.no_grad())
        context.enter_context(undisturbed(model, generator))
        for recorder in recorders:
            module, direct = recorder.stack.module, recorder.stack.adapter.direct
            context.enter_context(listening(module, recorder, direct=direct))
            if direct and recorder.checked and has_hooks(module):
                context.enter_context(listening(module, recorder.compare_with_hooked, direct=False))
        try:
            enter(model, batch, forward)
        except _Misread as misread:
            raise misread.error from None


def _is_fed_back(
    model: nn.Module, recorder: "_Recorder", batch: Any, generator: torch.Generator, forward: Forward | None
) -> bool:
    """Whether a module's inputs change in the same run of the model when noise is added to all that it returns."""
    if len(recorder.calls) == 1:
        return False
    noise = torch.Generator(generator.device).manual_seed(0)
    disturbed = _Recorder(recorder.stack, noise=noise)
    try:
        with attributes_kept(model):
            _run(model, [disturbed], batch, generator, forward)
    except Exception:  # what a model does on noise is no reason not to measure it
        return False
    return any(
        one.inputs.shape != other.inputs.shape or not torch.equal(one.inputs, other.inputs)
        for one, other in zip(recorder.calls, disturbed.calls, strict=False)
    )


class _Misread(BaseException):
    """An error of ours in a hook: no model is to catch it, nor is it the model's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


_Tagged = list[tuple[Tensor, int]]


class _Recorder:
    """A forward hook that keeps a module's calls, those of one sequence chained.

    It may hold what is returned to the module's map, or add noise to it.
    """

    def __init__(self, stack: Stack, *, checked: bool = False, noise: torch.Generator | None = None) -> None:
        self.stack = stack
        self.checked = checked
        self.noise = noise
        self.asleep = False  # while it checks: the map may call the module
        self.latest: tuple[Sequences, Any, Any] | None = None
        self.signature = inspect.signature(stack.module.forward)
        takes = self.signature.parameters.values()
        named = [one.name for one in takes if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
        self.passes_on = any(one.kind is one.VAR_POSITIONAL for one in takes)
        self.inputs_name = named[0] if named else "input"
        self.state_name = stack.adapter.state_name or (named[1] if len(named) > 1 else "")
        self.arguments = stack.adapter.arguments or self._by_name
        # A reverse direction's state belongs to the sequence's beginning: nothing goes on from it.
        self.can_go_on = not any(part.reverse for part in stack.parts)
        self.calls: list[Sequences] = []
        self.chains: list[list[Sequences]] = []
        # The latest chains, each with what may be its state: enough for a few sequences that take turns.
        self.open: deque[tuple[list[Sequences], list[_Tagged]]] = deque(maxlen=8)

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        if self.asleep:
            return None
        try:
            inputs, state = self.arguments(module, *args, **kwargs)
            # The model may go on to write into the tensors that it passes.
            call = self.stack.read(inputs, state).clone()
            if self.checked and _is_exact(call.inputs.device):
                self.asleep = True
                check_call(self.stack, call, inputs, output, lambda: module.forward(*args, **kwargs))
            self.latest = (call, inputs, output)
        except Exception as error:
            raise _Misread(error) from error
        finally:
            self.asleep = False
        self.calls.append(call)
        if self.noise is not None:
            return _disturbed(output, self.noise)
        # Cells return the state alone, layers return it behind their outputs, some before.
        ends = (output[-1], output[0]) if isinstance(output, tuple) and output else ()
        returned = [_tagged(one) for one in (output, *ends)]
        chain = self._chain_before(_tagged(state))
        if chain is None:
            chain = []
            self.chains.append(chain)
        chain.append(call)
        self.open.append((chain, returned))
        return None

    def compare_with_hooked(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        """A forward hook, behind all others, of a module that is heard before them."""
        if self.asleep or self.latest is None:
            return
        call, inputs, before = self.latest
        try:
            check_hooks(self.stack, call, inputs, before, output)
        except ValueError as error:
            raise _Misread(error) from error

    def _by_name(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        named = kwargs | self.signature.bind(*args, **kwargs).arguments
        inputs = args[0] if args else named.get(self.inputs_name)
        by_place = args[1] if self.passes_on and len(args) > 1 else None
        return inputs, named.get(self.state_name, by_place)

    def _chain_before(self, given: _Tagged) -> list[Sequences] | None:
        """The chain that goes on from the state `given`, taken out of those that are open."""
        for position, (chain, returned) in enumerate(self.open):
            if self.can_go_on and any(_are_same(given, one) for one in returned) and _is_whole(chain[-1]):
                del self.open[position]
                return chain
        return None

    def sequences(self) -> Sequences:
        return merge([_join(chain) for chain in self.chains])


def _is_exact(device: torch.device) -> bool:
    """Whether a call is made in its own precision, and is not traced by a compiler."""
    return not torch.is_autocast_enabled(device.type) and not torch.compiler.is_compiling()


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


def _disturbed(value: Any, noise: torch.Generator) -> Any:
    """The same with noise on each tensor, larger than what is there."""
    if isinstance(value, Tensor) and value.is_floating_point():
        drawn = torch.randn(value.shape, generator=noise, device=noise.device, dtype=torch.float64).to(value)
        return value + (1 + value.abs().max()) * drawn
    if isinstance(value, PackedSequence):
        return value._replace(data=_disturbed(value.data, noise))
    if type(value) in (tuple, list):
        return type(value)(_disturbed(one, noise) for one in value)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
