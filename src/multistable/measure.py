"""`measure`: how many attractors data can reach in a recurrent network."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from multistable._checks import check_int, check_positive
from multistable._random import as_generator
from multistable.dynamics import CHUNK, Dynamics, Stack, find, states_at, undisturbed
from multistable.functional import vaa
from multistable.inputs import batches, received
from multistable.reach import reach

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "LayerMultistability",
    "Multistability",
    "Trace",
    "check_parameters",
    "draw_constant",
    "measure",
    "reach_many",
    "score",
    "without_autocast",
]


@dataclass(frozen=True)
class Trace:
    """VAA and residual at log-spaced horizons; a VAA that still falls comes from states that fade slowly.

    Attributes:
        horizons: steps under the constant input, ascending.
        vaa: VAA at each horizon.
        residual: the largest `|f(s, u) - s|` at each horizon.
    """

    horizons: tuple[int, ...]
    vaa: tuple[float, ...]
    residual: tuple[float, ...]


@dataclass(frozen=True)
class LayerMultistability:
    """What `measure` finds in one layer and direction, driven alone.

    Each layer has a constant input of its own; the lowest one's is that of the whole network.

    Attributes:
        name: the layer's name, as `multistable.dynamics.dynamics` gives it.
        vaa: VAA at the horizon.
        residual: the largest `|f(s, u) - s|` at the horizon.
        trace: both on the way there.
    """

    name: str
    vaa: float
    residual: float
    trace: Trace

    def __repr__(self) -> str:
        return f"LayerMultistability({self.name!r}, vaa={self.vaa:.3f}, residual={self.residual:.1e})"


@dataclass(frozen=True, repr=False)
class Multistability:
    """What `measure` finds.

    Attributes:
        vaa: VAA of the whole network at the horizon, between 1/n (all states together) and 1 (all apart).
        residual: the largest `|f(s, u) - s|` at the horizon; 0 where every state is an equilibrium to the last bit.
        per_layer: the same for each layer and direction alone.
        trace: both on the way to the horizon.
        states: the states at the horizon, all layers side by side, (n, S).
        n: how many states were measured.
        horizon: steps under the constant input.
        tol: states closer than this count as one.
    """

    vaa: float
    residual: float
    per_layer: tuple[LayerMultistability, ...]
    trace: Trace
    states: Tensor = field(compare=False)
    n: int
    horizon: int
    tol: float

    def __repr__(self) -> str:
        layers = ", ".join(f"{layer.name} {layer.vaa:.3f}" for layer in self.per_layer)
        return (
            f"Multistability(vaa={self.vaa:.3f} after {self.horizon:,} steps, residual={self.residual:.1e}, "
            f"n={self.n}, per layer: {layers})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the states, in types that JSON knows."""
        return {
            "vaa": self.vaa,
            "residual": self.residual,
            "per_layer": [asdict(layer) for layer in self.per_layer],
            "trace": asdict(self.trace),
            "n": self.n,
            "horizon": self.horizon,
            "tol": self.tol,
        }

    def plot(self) -> "Figure":
        """VAA and residual against the horizon; needs the extra `plot`."""
        from multistable import plot

        return plot.traces({"network": self.trace, **{layer.name: layer.trace for layer in self.per_layer}})


def measure(
    module: nn.Module,
    inputs: Any,
    *,
    horizon: int = 10_000,
    tol: float = 1e-4,
    n: int = 100,
    generator: torch.Generator | int | None = None,
) -> Multistability:
    """Measure how many attractors the data can reach.

    Random prefixes of the sequences lead to reached states. From there a constant input u ~ N(0, I), the same for all,
    is held for `horizon` steps at the lowest layer of each recurrent module; VAA of the states of all layers side by
    side is the paper's measure (Lambrechts et al. 2023, arXiv:2106.01001). Each layer is also driven alone, by a
    constant input of its own (the lowest layer by that of the network). No gradient is taken and nothing is changed: a
    model runs in evaluation mode and is put back.

    A high VAA at a finite horizon can come from states that fade slowly: a `trace` that still falls, or a residual
    above rounding, says so.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some.
        inputs: sequences. For a recurrent module a tensor in the module's own layout (for a cell (T, B, I)), a list of
            (T_i, I) tensors or a `PackedSequence`; for a model whatever its forward takes (a mapping stands for keyword
            arguments). For either also a map-style `Dataset` of single sequences, a `DataLoader` or other iterable of
            batches, or a function `(batch_size, generator) -> batch`. Of a tuple, such as (inputs, targets), the first
            element is taken.
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        n: how many sequences to take; fewer if `inputs` holds fewer.
        generator: draws sequences, prefixes and constant inputs: a `torch.Generator`, or a seed; by default a new one
            with torch's initial seed.

    Returns:
        The measure, its `trace` and the states.

    Raises:
        TypeError: an argument has the wrong type, or the module's parameters are in half precision.
        ValueError: nothing in `module` is recurrent; the inputs have a wrong shape, are empty, hold fewer than two
            sequences, NaN or infinity; a number is out of its range.
        RuntimeError: the model's forward pass never reached one of its recurrent modules.
        FloatingPointError: states grow beyond what the dtype can hold.

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
    tol = check_positive("tol", tol)
    found = find(module)
    stacks = [stack for stack, _ in found]
    check_parameters(stacks)
    generator = as_generator(generator)
    with undisturbed(module, generator), torch.no_grad(), without_autocast(stacks):
        drawn = batches(module, inputs, n, generator, endless=False)
        states = reach_many(stacks, (received(module, found, batch, generator) for batch in drawn), n, generator)
        return score(stacks, states, horizon, tol, generator)


def without_autocast(stacks: Sequence[Stack]) -> AbstractContextManager[object]:
    """The parameters' own precision, also where a caller has turned autocast on."""
    return torch.autocast(stacks[0].parameters()[0].device.type, enabled=False)


def check_parameters(stacks: Sequence[Stack]) -> None:
    """Raise unless all parameters are finite and in single or double precision."""
    for stack in stacks:
        for part in stack.parts:
            for parameter in part.parameters():
                if parameter.dtype not in (torch.float32, torch.float64):
                    raise TypeError(
                        f"parameters of {part.name!r} must be float32 or float64, got {parameter.dtype}: "
                        "half precision can't tell states apart at this tolerance"
                    )
                if parameter.is_meta or parameter.is_inference():
                    kind = "meta" if parameter.is_meta else "inference"
                    raise ValueError(f"parameters of {part.name!r} must be ordinary tensors, got {kind} tensors")
                if not torch.isfinite(parameter).all():
                    raise ValueError(f"parameters of {part.name!r} must be finite, got NaN or infinity")


def reach_many(stacks: Sequence[Stack], sequences: Iterator[Any], n: int, generator: torch.Generator) -> list[Tensor]:
    """`n` reached states in each stack, from as many batches as it takes; fewer if the batches end before."""
    reached: list[list[Tensor]] = []
    count = 0
    for one in sequences:
        reached.append(reach(stacks, one, n - count, None, generator))
        count += min(len(states) for states in reached[-1])
        if count >= n:
            break
    if count < 2:
        raise ValueError(f"inputs must hold at least two sequences to be told apart, got {count}")
    states = [torch.cat(of_stack) for of_stack in zip(*reached, strict=True)]
    return [of_stack[:count] for of_stack in states]


@torch.no_grad()
def score(
    stacks: Sequence[Stack], reached: Sequence[Tensor], horizon: int, tol: float, generator: torch.Generator
) -> Multistability:
    """Hold constant inputs from reached states on, and score the states.

    Args:
        stacks: the stacks.
        reached: for each the states to start from, (n, S).
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        generator: draws the constant inputs.

    Raises:
        FloatingPointError: states grow beyond what the dtype can hold.
    """
    horizons = _log_spaced(horizon)
    walks = [
        _walk(stack, start, draw_constant(stack, generator), horizons)
        for stack, start in zip(stacks, reached, strict=True)
    ]
    layers = []
    for stack, start, walk in zip(stacks, reached, walks, strict=True):
        for k, part in enumerate(stack.parts):
            if part in stack.layers[0]:
                # The lowest layer alone is what it is in the stack, under the same constant input.
                alone = [(stack.split(state)[k], stack.split(moved)[k]) for state, moved in walk]
            else:
                alone = _walk(part, stack.split(start)[k], draw_constant(part, generator), horizons)
            trace = _trace(part.name, horizons, alone, tol)
            layers.append(LayerMultistability(part.name, trace.vaa[-1], trace.residual[-1], trace))
    whole = [
        (torch.cat([state for state, _ in at_horizon], -1), torch.cat([moved for _, moved in at_horizon], -1))
        for at_horizon in zip(*walks, strict=True)
    ]
    trace = _trace("the network", horizons, whole, tol)
    states, _ = whole[-1]
    return Multistability(
        vaa=trace.vaa[-1],
        residual=trace.residual[-1],
        per_layer=tuple(layers),
        trace=trace,
        states=states,
        n=len(states),
        horizon=horizon,
        tol=tol,
    )


def _log_spaced(horizon: int) -> list[int]:
    """Horizons about a factor of two apart that divide a chunk or are multiples of it, and `horizon` itself."""
    spaced = [1, 2, 4, 8, 15, 30, 60]
    while spaced[-1] < horizon:
        spaced.append(max(CHUNK, 2 * spaced[-1]))
    return [step for step in spaced if step < horizon] + [horizon]


def draw_constant(layer: Dynamics, generator: torch.Generator) -> Tensor:
    """A constant input u ~ N(0, I) for a layer, (I,)."""
    like = layer.parameters()[0]
    drawn = torch.randn(layer.input_size, generator=generator, device=generator.device, dtype=torch.float64)
    return drawn.to(like)


def _walk(layer: Dynamics, s: Tensor, u: Tensor, horizons: list[int]) -> list[tuple[Tensor, Tensor]]:
    """At each horizon the states, and by how much the next step moves them."""
    return [(state, layer.hold(state, u, 1) - state) for state in states_at(layer, s, u, horizons)]


def _trace(name: str, horizons: list[int], walk: list[tuple[Tensor, Tensor]], tol: float) -> Trace:
    residuals = tuple(moved.norm(dim=1).max().item() for _, moved in walk)
    for step, (state, _), residual in zip(horizons, walk, residuals, strict=True):
        if not (torch.isfinite(state).all() and math.isfinite(residual)):
            raise FloatingPointError(f"states of {name} are no longer finite after {step} steps under a constant input")
    return Trace(tuple(horizons), tuple(vaa(state, tol).item() for state, _ in walk), residuals)
