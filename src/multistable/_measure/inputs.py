"""Batches from whatever a user passes as `inputs`."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_sequence
from torch.utils.data import Dataset, IterableDataset, default_collate

from multistable._measure.placing import as_tensor, placed
from multistable._utils.checks import check_finite, check_ordinary
from multistable._utils.processes import ALONE, Processes
from multistable._utils.restore import tried
from multistable._utils.share import Share
from multistable._utils.wrappers import unwrapped
from multistable.dynamics import Forward, Sequences, Stack, record
from multistable.dynamics._agreement import check_agreement
from multistable.dynamics._model_call import ModelCall, is_mapping, model_call
from multistable.dynamics.calls import check_inputs, full_lengths

__all__ = ["batches", "received"]


class _Choice(NamedTuple):
    """Which sequences of a process's own are in a batch, by its own count and by that of all, and where, (B,)."""

    rows: Tensor
    numbers: Tensor
    places: Tensor


class _Chosen(NamedTuple):
    """A batch for a model that was made of some items of a data set."""

    batch: Any
    chosen: _Choice


def batches(
    module: nn.Module,
    stacks: Sequence[Stack],
    inputs: Any,
    batch_size: int,
    generator: torch.Generator,
    forward: Forward | None = None,
    *,
    endless: bool,
    processes: Processes = ALONE,
) -> Iterator[Any]:
    """Draw batches for `module` from `inputs`.

    For a recurrent module a batch is `Sequences`; for any other module, and given `forward`, it is what enters it.

    Args:
        module: a recurrent module, or a model that holds some.
        stacks: the recurrent modules in it.
        inputs: for a recurrent module a tensor in the module's own layout, a list of (T_i, I) tensors, or a
            `PackedSequence`, of a tuple such as (inputs, targets) the first element; for a model a batch in one of the
            forms of `model_call`. For either also a map-style `Dataset` of single sequences, a `DataLoader` or another
            iterable of batches, or a function `(batch_size, generator) -> batch`. NumPy arrays stand for tensors.
        batch_size: how many sequences to draw in all processes together; a loader's batches and a model's single batch
            are as large as they are.
        generator: draws the sequences.
        forward: how a batch enters the module.
        endless: whether to start over at the end of a finite source; an iterator that can't be restarted just ends.
        processes: those that draw, each from inputs of its own.

    Raises:
        TypeError: `inputs` is none of these.
        ValueError: a recurrent module's inputs are empty, not finite, or of the wrong rank or feature size.
    """
    stack = _itself(module, stacks, forward)
    if stack is not None:
        read: Callable[[Any], Any] = partial(_as_sequences, stack)
        inputs = _first(inputs) if isinstance(inputs, tuple) else inputs
    else:
        devices = {parameter.device for parameter in module.parameters()}
        read = partial(placed, like=stacks[0].parameters()[0], move=len(devices) == 1)
    if stack is not None and _is_pool(inputs):
        pool: Sequences = read(inputs)
        check_finite("inputs", pool.inputs)
        share = processes.share(len(pool))

        def rows() -> Sequences:
            chosen = _choose(share, batch_size, generator)
            return replace(pool.rows(chosen.rows), numbers=chosen.numbers, places=chosen.places)

        return _repeat(rows, endless)
    if isinstance(inputs, Dataset) and not isinstance(inputs, IterableDataset):
        share = processes.share(len(inputs))  # type: ignore[arg-type]  # what has a length is no matter of its type
        if len(share.places) == 0:
            raise ValueError("inputs must hold at least one sequence, got an empty data set")
        choose = partial(_choose, share, batch_size, generator)
        if stack is not None:
            return _repeat(lambda: _sequences_of(inputs, choose(), read), endless)

        def enters(item: Any) -> Any:
            item = placed(item, stacks[0].parameters()[0], move=False)
            return item if forward is not None else model_call(module, item)

        return _repeat(lambda: _batch_of(inputs, choose(), read, enters), endless)
    if isinstance(inputs, Tensor | np.ndarray | tuple) or is_mapping(inputs):
        return _repeat(lambda: read(inputs), endless)
    if isinstance(inputs, Iterable):
        return (read(batch) for batch in _iterate(inputs, endless))
    if inspect.isgeneratorfunction(inputs):
        raise TypeError("inputs must be a generator, not the function that makes one: call it")
    if callable(inputs):
        size, own = -(-batch_size // processes.size), processes.aside(generator)
        return _repeat(lambda: read(inputs(size, own)), endless=True)
    if forward is not None:  # which knows what it is
        return _repeat(lambda: inputs, endless)
    raise TypeError(
        "inputs must be a tensor, a list of tensors, a PackedSequence, a Dataset, an iterable of batches or a function "
        f"(batch_size, generator) -> batch, got {type(inputs).__name__}"
    )


def received(
    module: nn.Module,
    stacks: Sequence[Stack],
    batch: Any,
    generator: torch.Generator,
    forward: Forward | None = None,
    *,
    first: bool = False,
) -> list[Sequences]:
    """What each recurrent module receives when `module` is given a batch that `batches` drew.

    Raises:
        RuntimeError: the forward pass never reached one of the modules.
        TypeError: the model can't be called on such a batch.
        ValueError: what a module receives is not finite.
    """
    if isinstance(batch, Sequences) and _itself(module, stacks, forward) is not None:
        check_finite("inputs", batch.inputs)
        if first:
            with tried(stacks[0].module):
                check_agreement(stacks[0], batch)
        return [batch.detach()]
    given = batch.batch if isinstance(batch, _Chosen) else batch
    sequences = record(module, stacks, given, generator, forward, first=first)
    for stack, one in zip(stacks, sequences, strict=True):
        check_finite(f"what {stack.name!r} receives", one.inputs)
        if one.state is not None:
            check_finite(f"the state that {stack.name!r} receives", one.state)
    if not isinstance(batch, _Chosen):
        return sequences
    _, numbers, places = batch.chosen
    return [replace(one, numbers=numbers, places=places) if len(one) == len(numbers) else one for one in sequences]


def _itself(module: nn.Module, stacks: Sequence[Stack], forward: Forward | None) -> Stack | None:
    """The module as a recurrent one; None where it is a model that holds some, or is called by `forward`."""
    return stacks[0] if stacks[0].module is unwrapped(module) and forward is None else None


def _is_pool(inputs: Any) -> bool:
    return isinstance(inputs, Tensor | np.ndarray | PackedSequence) or _is_ragged(inputs)


def _is_ragged(inputs: Any) -> bool:
    """Whether this is a list of sequences (T_i, I), rather than of batches or of a batch and its targets."""
    return (
        isinstance(inputs, list)
        and len(inputs) > 0
        and all(isinstance(one, Tensor | np.ndarray) and one.ndim == 2 for one in inputs)
    )


def _as_sequences(stack: Stack, batch: Any) -> Sequences:
    like = stack.parameters()[0]
    if _is_ragged(batch):
        return _pad(stack.module, [as_tensor(one, like) for one in batch], stack.input_size)
    batch = _first(batch)
    batch = placed(as_tensor(batch, like) if isinstance(batch, np.ndarray) else batch, like)
    if stack.adapter.is_cell and isinstance(batch, Tensor) and batch.dim() == 3:
        check_inputs(stack.module, batch, (3,), stack.input_size)
        return Sequences(batch, full_lengths(batch))
    return stack.read(batch)


def _pad(module: nn.Module, sequences: list[Tensor], input_size: int) -> Sequences:
    for index, sequence in enumerate(sequences):
        if len(sequence) == 0:
            raise ValueError(f"inputs must hold sequences of at least one step, got none in sequence {index}")
        check_inputs(module, sequence, (2,), input_size)
        check_ordinary("inputs", sequence)
    padded = pad_sequence(sequences).to(next(module.parameters()).device)
    return Sequences(padded, torch.tensor([len(sequence) for sequence in sequences], device="cpu"))


def _first(batch: Any) -> Any:
    return batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) and batch else batch


def _choose(share: Share, size: int, generator: torch.Generator) -> _Choice:
    """Draw from the sequences of all processes."""
    chosen = torch.randperm(share.total, generator=generator, device=generator.device)[:size].cpu()
    rows, (places, _) = share.chosen(chosen)
    if len(rows) == 0:  # a model has to be given something, though it counts for nothing
        return _Choice(rows.new_zeros(1), share.places[:1], rows.new_full((1,), -1))
    return _Choice(rows, chosen[places], places)


def _sequences_of(dataset: Any, chosen: _Choice, read: Callable[[Any], Sequences]) -> Sequences:
    """Some items of a data set, for a recurrent module."""
    sequences = read([_first(dataset[index]) for index in chosen.rows.tolist()])
    return replace(sequences, numbers=chosen.numbers, places=chosen.places)


def _batch_of(dataset: Any, chosen: _Choice, read: Callable[[Any], Any], enters: Callable[[Any], Any]) -> _Chosen:
    """Some items of a data set, collated for a model: of each no more than enters it."""
    items = [enters(dataset[index]) for index in chosen.rows.tolist()]
    if not isinstance(items[0], ModelCall):
        return _Chosen(read(default_collate(items)), chosen)
    args = tuple(read(default_collate(list(column))) for column in zip(*(item.args for item in items), strict=True))
    keywords = {name: read(default_collate([item.kwargs[name] for item in items])) for name in items[0].kwargs}
    return _Chosen(ModelCall(args, keywords), chosen)


def _repeat(draw: Callable[[], Any], endless: bool) -> Iterator[Any]:
    yield draw()
    while endless:
        yield draw()


def _iterate(inputs: Iterable[Any], endless: bool) -> Iterator[Any]:
    """The items of an iterable, over and over if `endless` and if it can start over."""
    while True:
        empty = True
        for item in inputs:
            empty = False
            yield item
        if empty and (endless or isinstance(inputs, Iterator)):
            kind = type(inputs).__name__
            ended = f"a {kind} that has ended: pass an iterable that can start over, such as a list or a DataLoader"
            got = ended if isinstance(inputs, Iterator) else f"an empty {kind}"
            raise ValueError(f"inputs must hold at least one batch, got {got}")
        if isinstance(inputs, Iterator) or not endless:
            return
