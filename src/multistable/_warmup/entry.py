"""`warmup`: gradient descent towards many reachable attractors, before training."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from multistable._measure.probe import probe
from multistable._measure.selection import select_to_change, trainable
from multistable._utils.checks import check_fraction, check_int, check_positive, check_rate
from multistable._utils.processes import Processes, current
from multistable._utils.progress import progress_bar
from multistable._utils.randomness import as_generator
from multistable._utils.restore import kept_on_failure
from multistable._utils.together import Group, together
from multistable._warmup.conclusion import LAST, conclude, share_apart
from multistable._warmup.descent import Descent, StepRecord
from multistable._warmup.results import WarmupHistory, WarmupResult, WarmupStep
from multistable._warmup.saturation import saturation
from multistable.dynamics import Dynamics, Forward, Sequences

__all__ = ["warmup"]

Objective = Literal["vaa_star", "contraction"]

_PASSED_OVER = 10  # batches of a single sequence in a row


@together
def warmup(
    module: nn.Module,
    inputs: Any,
    *,
    objective: Objective = "vaa_star",
    steps: int = 100,
    lr: float = 1e-2,
    target: float = 0.95,
    horizon: int = 200,
    horizon_increment: int = 10,
    tol: float = 1e-4,
    batch_size: int = 32,
    max_prefix: int | None = 30,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    callback: Callable[[WarmupStep], bool | None] | None = None,
    progress: bool = False,
    process_group: Group = None,
) -> WarmupResult:
    """Raise the number of attractors that data can reach, by gradient descent on (VAA* - target)^2, in place.

    The procedure of Lambrechts et al. 2023 (arXiv:2106.01001). Each step draws a batch of sequences, for each a prefix
    length, a horizon M uniform in 1..min(1 + horizon_increment * step, horizon) and for each layer a constant input
    u ~ N(0, I). From the states that the prefixes lead to each layer is driven alone by its u for M steps; the loss is
    the mean over the layers of (VAA* - target)^2, and Adam takes a step on the parameters of the recurrent layers.

    With the objective `"contraction"` a term is added to each layer's (VAA* - target)^2, so that states stay apart
    because they are at rest, and not because they are slow: at the horizon a small displacement of a state, along the
    direction in which it shrinks least, is to shrink by a tenth in each step. The term is the mean square of the
    logarithm by which it grows too much in 20 steps. This keeps and spreads over several attractors a network that has
    them, such as `multistable.init.bistable_` makes, best at a lower `lr` (0.001); it doesn't find them from a single
    one.

    Give an LSTM `multistable.init.chrono_` first: in a warmup alone its cells outgrow tanh, and training may lose what
    they hold. The message says so where they do.

    Only parameters of recurrent layers that require a gradient change. Whatever happens, `requires_grad`, `.grad`,
    training mode and hooks are as before the call, and if it raises, the parameters are too.

    Where all states of a layer lie within `tol` of each other, VAA* has no gradient. The layer is then held for half
    the steps, again and again until its states are apart; where even one step merges them, the next batch is run along
    its whole sequences. If no layer has any gradient for 10 steps in a row, the warmup ends with the status
    `"collapsed"`.

    In a process group of `torch.distributed` every process calls `warmup`, with the same arguments but its own inputs,
    before or after its module is wrapped in `DistributedDataParallel`. VAA* is taken over the states of all, and all
    take the same step: N processes with batches of B / N come to what one comes to with batches of B, up to rounding.
    What fails in one process raises in all.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some.
        inputs: sequences, in any of the forms that `measure` takes.
        objective: `"vaa_star"`, the paper's, or `"contraction"`.
        steps: steps of gradient descent.
        lr: Adam's learning rate.
        target: the VAA* aimed at, in (0, 1].
        horizon: the longest time under the constant input.
        horizon_increment: by how much the longest time grows with each step.
        tol: states closer than this count as one.
        batch_size: sequences in a step; in a process group, of each process.
        max_prefix: the longest prefix. Prefixes need not span a long sequence to lead to different states; None takes
            them as long as the sequences, as the paper does, at a cost that grows with their length. Raise it where the
            first steps of all sequences are alike.
        layers: the names of the layers to warm up, as `multistable.dynamics.dynamics` lists them; a name stands for
            all that lies under it (`"encoder"` for `"encoder.l0"` and `"encoder.l1"`). Recurrent modules that hold none
            of them are not looked at. By default all layers but the second part of each `DoubleLayer`.
        forward: how a batch enters the module, as in `lambda model, batch: model(batch["tokens"], batch["lengths"])`;
            the batch comes as `inputs` has it, on the model's device. By default as the signature of the module's
            forward says. A recurrent module that is called by it is seen as a model that holds one.
        generator: draws all that is random: a `torch.Generator`, or a seed; by default a new one with torch's initial
            seed. In a process group that of the first process counts.
        callback: called after each step with what it saw; if it returns True the warmup ends with that step, in all
            processes. If it raises, the module is put back. The module is in evaluation mode meanwhile.
        progress: whether to show a progress bar; needs the extra `progress`.
        process_group: the processes of `torch.distributed` that make the call together, by default all where its
            default group is initialised; `"alone"` for this one on its own.

    Returns:
        The history, the measure before and after, and a status.

    Raises:
        TypeError: an argument has the wrong type, `callback` returns something else than None or a bool, or the
            module's parameters are in half precision.
        ValueError: `objective` is none of the two; nothing in `module` is recurrent, or all of it is frozen; `layers`
            names no layer; `callback` freezes a parameter; the inputs have a wrong shape, are empty, hold fewer than
            two sequences, NaN or infinity; a number is out of its range.
        RuntimeError: the model's forward pass never reached one of its recurrent modules; an iterator ran out.
        FloatingPointError: the loss or its gradient became NaN or infinite, or states grew beyond the dtype's range;
            the message says whether that was the warmup's doing.
        ImportError: `progress` without the extra.
        TimeoutError: other processes of the group do not call `warmup`.

    Examples:
        >>> import torch
        >>> from multistable import warmup
        >>> _ = torch.manual_seed(0)
        >>> gru = torch.nn.GRU(1, 32)
        >>> result = warmup(gru, torch.randn(50, 100, 1), generator=0)
        >>> result.after.vaa > result.before.vaa
        True
    """
    if objective not in ("vaa_star", "contraction"):
        raise ValueError(f"objective must be 'vaa_star' or 'contraction', got {objective!r}")
    steps = check_int("steps", steps)
    horizon = check_int("horizon", horizon)
    horizon_increment = check_int("horizon_increment", horizon_increment)
    processes = current()
    batch_size = processes.size * check_int("batch_size", batch_size, at_least=2 if processes.size == 1 else 1)
    lr, tol = check_rate("lr", lr), check_positive("tol", tol)
    target = check_fraction("target", target)
    max_prefix = None if max_prefix is None else check_int("max_prefix", max_prefix)
    if not (callback is None or callable(callback)):
        raise TypeError(f"callback must be a function of a step, got {type(callback).__name__}")
    selection = select_to_change(module, layers, "warm up", forward)
    parameters = trainable(selection.layers)
    generator = processes.shared(as_generator(generator))
    numbers = progress_bar(steps, "multistability warmup", progress and processes.rank == 0)

    with selection.opened(generator), kept_on_failure(parameters):
        drawn = selection.batches(inputs, batch_size, generator, endless=True)
        measured = probe(selection, inputs, drawn, horizon=10 * horizon, tol=tol, generator=generator)
        before = measured()
        sequences = (selection.received(batch, generator) for batch in drawn)
        descent = Descent(
            selection, target, tol, max_prefix, batch_size, generator, contract=objective == "contraction"
        )
        optimizer = torch.optim.Adam(parameters, lr=lr)
        start = time.perf_counter()
        records: list[StepRecord] = []
        with _blamed_on(records):
            for step in numbers:
                longest = min(1 + horizon_increment * step, horizon)
                held = int(torch.randint(1, longest + 1, (), generator=generator, device=generator.device))
                batch = _next(sequences, step, steps, processes)
                with torch.enable_grad():
                    records.append(descent.step(batch, held, parameters, optimizer))
                stopped = _asks_to_stop(callback, _step(selection.layers, records), processes)
                if not all(parameter.requires_grad for parameter in parameters):
                    raise ValueError("callback must leave requires_grad as it is, got a parameter that it has frozen")
                if stopped or descent.collapsed_in_a_row == LAST:
                    break
            processes.spread(parameters)
            seconds = time.perf_counter() - start
            after = measured()
        apart = max(processes.exchange("apart", share_apart(selection, batch, batch_size, max_prefix, tol)))
        saturated = max(processes.exchange("saturation", saturation(selection, batch, batch_size)))

    history = _history(selection.layers, records)
    status, message = conclude(before, after, history, target, apart, saturated, max_prefix)
    return WarmupResult(status, message, before, after, history, seconds)


@contextmanager
def _blamed_on(records: Sequence[StepRecord]) -> Iterator[None]:
    """Say of states, losses and gradients that are not finite whether the steps have made them so."""
    try:
        yield
    except FloatingPointError as error:
        if not records:
            raise
        raise FloatingPointError(
            f"{error}: the warmup has driven the network there in {len(records)} steps, and it is now as it was before "
            "them; use a lower lr, or a step that keeps states bounded, such as one with tanh or with clipped states"
        ) from error


def _asks_to_stop(callback: Callable[[WarmupStep], bool | None] | None, step: WarmupStep, processes: Processes) -> bool:
    """Whether the callback of any process does."""
    answer = None if callback is None else callback(step)
    if not isinstance(answer, bool | np.bool | None):
        raise TypeError(f"callback must return None, or True to stop, got {type(answer).__name__}")
    return any(processes.exchange("stop", bool(answer)))


def _step(layers: Sequence[Dynamics], records: Sequence[StepRecord]) -> WarmupStep:
    last = records[-1]
    return WarmupStep(
        step=len(records),
        layers=tuple(layer.name for layer in layers),
        vaa_star=last.vaa_star,
        horizon=last.horizon,
        loss=last.loss,
        grad_norm=last.grad_norm,
    )


def _next(sequences: Iterator[list[Sequences]], step: int, steps: int, processes: Processes) -> list[Sequences]:
    """The next batch of two sequences or more; the last batch of a loader may hold a single one."""
    for batch in islice(sequences, _PASSED_OVER):
        if sum(processes.exchange("batch sizes", min(len(received) for received in batch))) > 1:
            return batch
    if next(sequences, None) is None:
        raise RuntimeError(
            f"inputs ran out after {step} of {steps} steps (and the measure before them): pass an iterable "
            "that can start over"
        )
    raise ValueError(
        f"inputs must hold at least two sequences in a batch, got {_PASSED_OVER} batches in a row with one"
    )


def _history(layers: Sequence[Dynamics], records: Sequence[StepRecord]) -> WarmupHistory:
    return WarmupHistory(
        layers=tuple(layer.name for layer in layers),
        vaa_star=tuple(record.vaa_star for record in records),
        loss=tuple(record.loss for record in records),
        horizon=tuple(record.horizon for record in records),
        grad_norm=tuple(record.grad_norm for record in records),
        growth=tuple(record.growth for record in records if record.growth),
    )
