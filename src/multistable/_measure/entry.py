"""`measure`: how many attractors data can reach in a recurrent network."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from multistable._measure.constants import Input, check_input, constants
from multistable._measure.results import Multistability
from multistable._measure.score import score
from multistable._measure.selection import select
from multistable._utils.checks import check_int, check_positive, check_tol
from multistable._utils.randomness import as_generator
from multistable._utils.together import Group, together
from multistable.dynamics import Forward

__all__ = ["measure"]


@overload
def measure(
    module: nn.Module,
    inputs: Any,
    *,
    u: float | Literal["data"] | None = None,
    horizon: int = 10_000,
    tol: float = 1e-4,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Multistability: ...


@overload
def measure(
    module: nn.Module,
    inputs: Any,
    *,
    u: Tensor,
    horizon: int = 10_000,
    tol: float = 1e-4,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any: ...


@together
def measure(
    module: nn.Module,
    inputs: Any,
    *,
    u: Input = None,
    horizon: int = 10_000,
    tol: float = 1e-4,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any:
    """Measure how many attractors the data can reach.

    Random prefixes of the sequences lead to reached states. From there a constant input u ~ N(0, I), the same for all,
    is held for `horizon` steps at the lowest layer of each recurrent module; VAA of the states of all layers side by
    side is the paper's measure (Lambrechts et al. 2023, arXiv:2106.01001). Each layer is also driven alone, by a
    constant input of its own (the lowest layer by that of the network). No gradient is taken and nothing is changed: a
    model runs in evaluation mode and is put back.

    A high VAA at a finite horizon can come from states that fade slowly: a `trace` that still falls, or a residual
    above rounding, says so.

    In a process group of `torch.distributed` every process calls `measure`, with the same arguments but its own inputs.
    The states that all have reached are measured, and each gets the same result.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some.
        inputs: sequences. For a recurrent module a tensor in the module's own layout (for a cell (T, B, I)), a list of
            (T_i, I) tensors or a `PackedSequence`, of a tuple such as (inputs, targets) the first element; for a model
            a batch: a tensor, a mapping, of which forward gets the keys that it takes, or a tuple, of which it gets as
            many elements as it has arguments without a default. For either also a map-style `Dataset` of single
            sequences, a `DataLoader` or other iterable of batches, or a function `(batch_size, generator) -> batch`.
            NumPy arrays stand for tensors, and tensors are moved to the module's device.
        u: the constant input. By default one drawn from N(0, I) for each recurrent module; 0 for none; `"data"` for one
            drawn with the mean and the standard deviation of each feature that the module receives; or a tensor (I,),
            or (K, I) for several one after the other, where I counts the features of all recurrent modules in order.
            Under a given input, layers above the lowest one get none of their own when they are driven alone.
        horizon: steps under the constant input.
        tol: states closer than this count as one; no less than 16 times the resolution of the parameters' dtype.
        n: how many sequences to take, in all processes together; fewer if `inputs` holds fewer.
        layers: the names of the layers to look at, as `multistable.dynamics.dynamics` lists them; a name stands for all
            that lies under it (`"encoder"` for `"encoder.l0"` and `"encoder.l1"`). The network is then made of the
            recurrent modules that hold them, and no other module is looked at. By default all.
        forward: how a batch enters the module, as in `lambda model, batch: model(batch["tokens"], batch["lengths"])`;
            the batch comes as `inputs` has it, on the model's device. By default as the signature of the module's
            forward says. A recurrent module that is called by it is seen as a model that holds one.
        generator: draws sequences, prefixes and constant inputs: a `torch.Generator`, or a seed; by default a new one
            with torch's initial seed.
        process_group: the processes of `torch.distributed` that make the call together, by default all where its
            default group is initialised; `"alone"` for this one on its own.

    Returns:
        The measure, its `trace` and the states, in the order of the sequences; a tuple of them for several inputs.

    Raises:
        TypeError: an argument has the wrong type, or the module's parameters are in half precision.
        ValueError: nothing in `module` is recurrent; `layers` names no layer; the inputs have a wrong shape, are empty,
            hold fewer than two sequences, NaN or infinity; a number is out of its range.
        RuntimeError: the model's forward pass never reached one of its recurrent modules.
        FloatingPointError: states grow beyond what the dtype can hold.
        TimeoutError: other processes of the group do not call the function.

    Examples:
        >>> import torch
        >>> from multistable import measure
        >>> _ = torch.manual_seed(0)
        >>> gru = torch.nn.GRU(1, 16, num_layers=2)
        >>> measure(gru, torch.randn(50, 100, 1), generator=0).vaa < 0.02
        True
    """
    horizon = check_int("horizon", horizon)
    n = check_int("n", n, at_least=2)
    check_positive("tol", tol)
    selection = select(module, layers, forward)
    check_input(u, selection.stacks)
    generator = selection.processes.shared(as_generator(generator))
    with selection.opened(generator):
        tol = check_tol("tol", tol, selection.dtype)
        drawn = selection.batches(inputs, n, generator, endless=False)
        reached = selection.reach(drawn, n, generator)
        held = constants(selection, u, reached, generator)
        found = tuple(score(selection, reached.states, horizon, tol, one) for one in held)
    found = tuple(replace(one, open_loop=reached.open_loop) for one in found)
    return found if isinstance(u, Tensor) and u.dim() == 2 else found[0]
