"""Batches from whatever a user passes as `inputs`."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_sequence
from torch.utils.data import Dataset, IterableDataset, default_collate

from multistable._utils.checks import check_finite
from multistable._utils.processes import ALONE, Processes
from multistable._utils.share import Share
from multistable.dynamics import Sequences, Stack, record
from multistable.dynamics.calls import check_inputs, full_lengths

__all__ = ["batches", "received"]


@dataclass(frozen=True)
class _Chosen:
    """A batch for a model that was made of some items of a data set, their numbers and their places, (B,)."""

    batch: Any
    numbers: Tensor
    places: Tensor


def batches(
    module: nn.Module,
    stacks: Sequence[Stack],
    inputs: Any,
    batch_size: int,
    generator: torch.Generator,
    *,
    endless: bool,
    processes: Processes = ALONE,
) -> Iterator[Any]:
    """Draw batches for `module` from `inputs`.

    For a recurrent module a batch is `Sequences`; for any other module it is what the module's forward takes.

    Args:
        module: a recurrent module, or a model that holds some.
        stacks: the recurrent modules in it.
        inputs: for a recurrent module a tensor in the module's own layout, a list of (T_i, I) tensors, or a
            `PackedSequence`; for a model whatever its forward takes (a mapping stands for keyword arguments). For
            either also a map-style `Dataset` of single sequences, a `DataLoader` or another iterable of batches, or a
            function `(batch_size, generator) -> batch`. Of a tuple, such as (inputs, targets), the first element is
            taken.
        batch_size: how many sequences to draw in all processes together; a loader's batches and a model's single batch
            are as large as they are.
        generator: draws the sequences.
        endless: whether to start over at the end of a finite source; an iterator that can't be restarted just ends.
        processes: those that draw, each from inputs of its own.

    Raises:
        TypeError: `inputs` is none of these.
        ValueError: a recurrent module's inputs are empty, not finite, or of the wrong rank or feature size.
    """
    stack = _itself(module, stacks)
    devices = {parameter.device for parameter in module.parameters()}
    if stack is not None:
        read: Callable[[Any], Any] = partial(_as_sequences, stack)
    elif len(devices) == 1:
        read = partial(_move, device=next(iter(devices)))
    else:
        read = _first
    if isinstance(inputs, tuple):
        inputs = _first(inputs)
    if stack is not None and _is_pool(inputs):
        pool: Sequences = read(inputs)
        check_finite("inputs", pool.inputs)
        share = processes.share(len(pool))

        def rows() -> Sequences:
            chosen = _choose(share, batch_size, generator)
            return replace(pool.rows(chosen.rows), numbers=chosen.numbers, places=chosen.places)

        return _repeat(rows, endless)
    if isinstance(inputs, Tensor | PackedSequence | Mapping):
        return _repeat(lambda: read(inputs), endless)
    if isinstance(inputs, Dataset) and not isinstance(inputs, IterableDataset):
        share = processes.share(len(inputs))  # type: ignore[arg-type]  # what has a length is no matter of its type
        choose = partial(_choose, share, batch_size, generator)
        return _repeat(lambda: _from_items(inputs, choose(), read, stack is not None), endless)
    if isinstance(inputs, Iterable):
        return (read(batch) for batch in _iterate(inputs, endless))
    if inspect.isgeneratorfunction(inputs):
        raise TypeError("inputs must be a generator, not the function that makes one: call it")
    if callable(inputs):
        size, own = -(-batch_size // processes.size), processes.aside(generator)
        return _repeat(lambda: read(inputs(size, own)), endless=True)
    raise TypeError(
        "inputs must be a tensor, a list of tensors, a PackedSequence, a Dataset, an iterable of batches or a function "
        f"(batch_size, generator) -> batch, got {type(inputs).__name__}"
    )


def received(module: nn.Module, stacks: Sequence[Stack], batch: Any, generator: torch.Generator) -> list[Sequences]:
    """What each recurrent module receives when `module` is given a batch that `batches` drew.

    Raises:
        RuntimeError: the forward pass never reached one of the modules.
        ValueError: what a module receives is not finite.
    """
    if isinstance(batch, Sequences) and _itself(module, stacks) is not None:
        check_finite("inputs", batch.inputs)
        return [batch.detach()]
    if isinstance(batch, _Chosen):
        found = received(module, stacks, batch.batch, generator)
        chosen = {"numbers": batch.numbers, "places": batch.places}
        return [replace(one, **chosen) if len(one) == len(batch.numbers) else one for one in found]
    sequences = record(module, stacks, batch, generator)
    for stack, one in zip(stacks, sequences, strict=True):
        check_finite(f"what {stack.name!r} receives", one.inputs)
        if one.state is not None:
            check_finite(f"the state that {stack.name!r} receives", one.state)
    return sequences


def _itself(module: nn.Module, stacks: Sequence[Stack]) -> Stack | None:
    """The module as a recurrent one; None where it is a model that holds some."""
    return stacks[0] if stacks[0].module is module else None


def _is_pool(inputs: Any) -> bool:
    return isinstance(inputs, Tensor | PackedSequence) or _is_ragged(inputs)


def _is_ragged(inputs: Any) -> bool:
    """Whether this is a list of sequences (T_i, I), rather than of batches or of a batch and its targets."""
    return (
        isinstance(inputs, list)
        and len(inputs) > 0
        and all(isinstance(one, Tensor) and one.dim() == 2 for one in inputs)
    )


def _as_sequences(stack: Stack, batch: Any) -> Sequences:
    if _is_ragged(batch):
        return _pad(stack.module, list(batch), stack.input_size)
    batch = _move(_first(batch), device=next(stack.module.parameters()).device)
    if stack.adapter.is_cell and isinstance(batch, Tensor) and batch.dim() == 3:
        check_inputs(stack.module, batch, (3,), stack.input_size)
        return Sequences(batch, full_lengths(batch))
    return stack.read(batch)


def _pad(module: nn.Module, sequences: list[Tensor], input_size: int) -> Sequences:
    for index, sequence in enumerate(sequences):
        if len(sequence) == 0:
            raise ValueError(f"inputs must hold sequences of at least one step, got none in sequence {index}")
        check_inputs(module, sequence, (2,), input_size)
    padded = pad_sequence(sequences).to(next(module.parameters()).device)
    return Sequences(padded, torch.tensor([len(sequence) for sequence in sequences], device="cpu"))


def _first(batch: Any) -> Any:
    return batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) and batch else batch


def _move(batch: Any, device: torch.device) -> Any:
    batch = _first(batch)
    if isinstance(batch, Mapping):
        return {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    return batch.to(device) if hasattr(batch, "to") else batch


class _Choice(NamedTuple):
    """Which sequences of a process's own are in a batch, by its own count and by that of all, and where, (B,)."""

    rows: Tensor
    numbers: Tensor
    places: Tensor


def _choose(share: Share, size: int, generator: torch.Generator) -> _Choice:
    """Draw from the sequences of all processes."""
    chosen = torch.randperm(share.total, generator=generator, device=generator.device)[:size].cpu()
    rows, (places, _) = share.chosen(chosen)
    if len(rows) == 0 < len(share.places):  # a model has to be given something, though it counts for nothing
        return _Choice(rows.new_zeros(1), share.places[:1], rows.new_full((1,), -1))
    return _Choice(rows, chosen[places], places)


def _from_items(dataset: Any, chosen: _Choice, read: Callable[[Any], Any], recurrent: bool) -> Sequences | _Chosen:
    """A batch of items of a data set, for a recurrent module or for a model."""
    if len(dataset) == 0:
        raise ValueError("inputs must hold at least one sequence, got an empty data set")
    items = [_first(dataset[index]) for index in chosen.rows.tolist()]
    numbers, places = chosen.numbers, chosen.places
    if recurrent:
        sequences: Sequences = read(items)
        return replace(sequences, numbers=numbers, places=places)
    return _Chosen(read(default_collate(items)), numbers, places)


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
        if isinstance(inputs, Iterator) or not endless:
            return
        if empty:
            raise ValueError(f"inputs must hold at least one batch, got an empty {type(inputs).__name__}")
