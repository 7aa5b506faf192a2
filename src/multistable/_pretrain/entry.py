"""`pretrain`: the objectives without targets that networks are trained on before their task."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import torch
from torch import nn

from multistable._measure.probe import probe
from multistable._measure.selection import Selection, select_to_change, trainable
from multistable._pretrain.closed_form import set_linear_autoencoders
from multistable._pretrain.prediction import Readout, prediction_loss
from multistable._pretrain.results import Objective, PretrainResult
from multistable._pretrain.weights import check_layer
from multistable._utils.checks import check_int, check_rate
from multistable._utils.choices import check_choice
from multistable._utils.progress import progress_bar
from multistable._utils.randomness import as_generator
from multistable._utils.restore import kept_on_failure
from multistable.dynamics import Forward, Sequences

__all__ = ["pretrain"]

_HORIZON, _TOL = 2_000, 1e-4  # of the measure before and after
_CLIP = 1.0  # the norm of a gradient


def pretrain(
    module: nn.Module,
    inputs: Any,
    *,
    objective: Objective = "autoencoder",
    steps: int = 300,
    lr: float = 3e-3,
    batch_size: int = 32,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    progress: bool = False,
) -> PretrainResult:
    """Pretrain recurrent layers on sequences without targets, in place, and measure VAA before and after.

    Objectives:

    - `"autoencoder"`: the sequence autoencoder of Dai and Le 2015 (arXiv:1511.01432). The network reads a sequence, and
      from the state that it has come to the same network, with the same weights, says the sequence from the beginning:
      at each step it receives the step before, at the first one zeros.
    - `"next_step"`: from the same paper, prediction of the next step from all before.
    - `"linear_autoencoder"`: the weights of the best linear autoencoder for sequences, in closed form (Pasa and
      Sperduti 2014, "Pre-training of recurrent neural networks via linear autoencoders"; Carta, Sperduti and Bacciu
      2020, arXiv:2011.02886). Of all prefixes, minus the mean, the principal components of the layer's size are taken:
      h_t = A (x_t - mean) + B h_{t-1} is the projection on them, exactly where nothing is left out.

    In a process group of torch's each process works on its own: pretrain in one, and broadcast the weights.

    The first two descend the mean squared error with Adam, gradients cut to norm 1; what is said is read from the
    outputs of each recurrent module by a linear map, which is trained along and dropped.

    The third looks at `steps` x `batch_size` sequences at most, as if each began at the zero state, and sets layer by
    layer from the lowest up; each on what those below pass on. Prefixes are cut to their last 2,048 / k steps for k
    inputs of the layer, so that their products fit into memory. States are scaled so that the largest component has the
    root mean square 0.1, where tanh is nearly linear. An RNN takes A and B as they are. Elsewhere they make up the
    candidate, and gates see nothing: of a GRU z is shut and r open, of an LSTM f is shut and i and o are open, MGU's f
    is open (biases of 2 and -2), and the candidate makes up for what is between these and 0 and 1. Units above the
    number of components are at zero. It has no meaning for a BRC or nBRC, whose candidates see no matrix.

    Only parameters of recurrent layers that require a gradient change. Whatever happens, `requires_grad`, `.grad`,
    training mode and hooks are as before the call, and if it raises, the parameters are too.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some. Layers that read from
            the end are not taken.
        inputs: sequences, in any of the forms that `measure` takes. `multistable.tasks.Curriculum` makes short ones
            come first.
        objective: one of the three.
        steps: steps of gradient descent.
        lr: Adam's learning rate.
        batch_size: sequences in a step.
        layers: the names of the layers to change, as `multistable.dynamics.dynamics` lists them; a name stands for all
            that lies under it. By default all layers but the second part of each `DoubleLayer`.
        forward: how a batch enters the module, as `measure` takes it.
        generator: draws all that is random: a `torch.Generator`, or a seed; by default a new one with torch's initial
            seed.
        progress: whether to show a progress bar of the steps; needs the extra `progress`.

    Returns:
        The losses, and the measure before and after.

    Raises:
        TypeError: an argument has the wrong type, the module's parameters are in half precision, or the closed form has
            no meaning for a layer.
        ValueError: `objective` is none of the three; nothing in `module` is recurrent, all of it is frozen, or a layer
            reads from the end; `layers` names no layer; the inputs have a wrong shape, are empty, hold fewer than two
            sequences, NaN or infinity, are too short for a next step, or for the closed form all the same; a number is
            out of its range; for the closed form a layer has no biases, a projection, frozen parameters, or more than
            2,048 inputs.
        RuntimeError: the model's forward pass never reached one of its recurrent modules; an iterator ran out.
        FloatingPointError: the loss or its gradient became NaN or infinite.
        ImportError: `progress` without the extra.

    Examples:
        >>> import torch
        >>> from multistable import pretrain
        >>> _ = torch.manual_seed(0)
        >>> waves = torch.sin(torch.linspace(0, 9, 40)[:, None] + 6 * torch.rand(64))[..., None]  # (T, B, I)
        >>> result = pretrain(torch.nn.GRU(1, 8), waves, objective="next_step", steps=50, generator=0)
        >>> result.loss[-1] < result.loss[0]
        True
        >>> pretrain(torch.nn.RNN(1, 8), waves, objective="linear_autoencoder", generator=0).loss[0] < 0.05
        True
    """
    check_choice("objective", objective, get_args(Objective))
    steps, batch_size = check_int("steps", steps), check_int("batch_size", batch_size)
    lr = check_rate("lr", lr)
    selection = select_to_change(module, layers, "pretrain", forward)
    _check_directions(selection)
    if objective == "linear_autoencoder":
        for layer in selection.layers:
            check_layer(layer)
    parameters = trainable(selection.layers)
    generator = as_generator(generator)
    numbers = progress_bar(steps, f"pretraining ({objective})", progress)

    with selection.opened(generator), kept_on_failure(parameters):
        drawn = selection.batches(inputs, batch_size, generator, endless=True)
        measured = probe(selection, inputs, drawn, horizon=_HORIZON, tol=_TOL, generator=generator)
        before = measured()
        start = time.perf_counter()
        if objective == "linear_autoencoder":
            count = steps * batch_size
            once = isinstance(inputs, Iterator)
            taken = drawn if once else selection.batches(inputs, count, generator, endless=False)
            received = (selection.received(batch, generator) for batch in taken)
            codes = set_linear_autoencoders(selection, received, count)
            loss, windows = [code.left_out for code in codes], tuple(code.window for code in codes)
        else:
            received = (selection.received(batch, generator) for batch in drawn)
            loss, windows = _descend(objective, selection, received, numbers, steps, parameters, lr), ()
        seconds = time.perf_counter() - start
        after = measured()

    names = tuple(layer.name for layer in selection.layers)
    return PretrainResult(objective, names, tuple(loss), before, after, seconds, windows)


def _check_directions(selection: Selection) -> None:
    for stack in selection.stacks:
        for part in stack.parts:
            if part.reverse:
                raise ValueError(f"pretrain takes layers that read forwards, got {part.name!r}, which reads backwards")


def _descend(
    objective: Objective,
    selection: Selection,
    sequences: Iterator[list[Sequences]],
    numbers: Iterable[int],
    steps: int,
    parameters: list[nn.Parameter],
    lr: float,
) -> list[float]:
    """Adam on the mean over the stacks of their losses, which are returned step by step."""
    readouts = [Readout(stack) for stack in selection.stacks]
    every = [*parameters, *(one for readout in readouts for one in (readout.weight, readout.bias))]
    optimizer = torch.optim.Adam(every, lr=lr)
    losses: list[float] = []
    for step in numbers:
        batch = next(sequences, None)
        if batch is None:
            raise RuntimeError(f"inputs ran out after {step} of {steps} steps: pass an iterable that can start over")
        with torch.enable_grad():
            of_stacks = [
                prediction_loss(objective, stack, readout, received)
                for stack, readout, received in zip(selection.stacks, readouts, batch, strict=True)
            ]
            loss = torch.stack(of_stacks).mean()
            gradients = torch.autograd.grad(loss, every, materialize_grads=True)
        for parameter, gradient in zip(every, gradients, strict=True):
            parameter.grad = gradient
        norm = nn.utils.clip_grad_norm_(every, _CLIP).item()
        if not (math.isfinite(loss.item()) and math.isfinite(norm)):
            raise FloatingPointError(
                f"loss and gradient must be finite, got loss {loss.item()} and gradient norm {norm} in step {step}"
            )
        optimizer.step()
        losses.append(loss.item())
    return losses
