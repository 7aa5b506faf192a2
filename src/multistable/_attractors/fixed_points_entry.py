"""`fixed_points`: where a network under a constant input stays, stable or not, and where it is slow."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from multistable._attractors.asked import Question, check_states, questions, starts_of
from multistable._attractors.basin import bounding, sides
from multistable._attractors.descent import descend
from multistable._attractors.fixed_points_results import FixedPoints
from multistable._attractors.grouping import first_of_groups
from multistable._attractors.newton import newton
from multistable._attractors.roots import SAME
from multistable._attractors.spectrum import STABLE
from multistable._attractors.steps import moved, once
from multistable._measure.constants import Input, check_input
from multistable._measure.selection import select
from multistable._utils.checks import check_int
from multistable._utils.randomness import as_generator
from multistable._utils.together import Group, together
from multistable.dynamics import Dynamics, Forward, jacobians

__all__ = ["fixed_points"]

_ALONG = (0, 1, 3, 10, 30, 100)  # steps from the states that are given, after which starts are taken
_LEAST_SPREAD = 0.1  # of the noise, beside a standard deviation of the states
_BETWEEN, _BETWEEN_NOISE = 4, 0.1  # states that are mixed, and how much of the noise is added: saddles lie between
_FAR = 100.0  # how far beyond the states that were given, in the largest entry, is out of reach
_APART = 1e-3  # slow points closer than this are one
_NEAR = 1e-3  # residuals below this, relative to 1 + |s|, may be those of a root
_AT_A_TIME = 2**22  # entries of Jacobians


@overload
def fixed_points(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: float | Literal["data"] | None = None,
    states: Tensor | None = None,
    starts: int = 512,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> FixedPoints: ...


@overload
def fixed_points(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: Tensor,
    states: Tensor | None = None,
    starts: int = 512,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any: ...


@together
def fixed_points(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: Input = None,
    states: Tensor | None = None,
    starts: int = 512,
    n: int = 100,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any:
    """The fixed points of a network under a constant input: stable ones, saddles and repellers, and its slow points.

    The speed q = ½ |f(s, u) - s|² is brought down from many states at once by the method of Levenberg and Marquardt, as
    Sussillo and Barak (2013, doi:10.1162/NECO_a_00409) do it by gradient descent. Where it comes to zero, Newton's
    method makes sure that there is a fixed point, and finds it to rounding; where it comes to rest above zero, the
    state is a slow point. It starts from the states that the data reach and from where they go in the next 100 steps
    under the constant input; from noise around these; and from mixtures of several of them, as saddles lie between. It
    finds no more than lies near there: no such search is complete. What lies on a line of fixed points is found as slow
    points of speed zero.

    In a process group of `torch.distributed` every process calls `fixed_points`, as it calls `measure`; where `states`
    are given, each works on its own.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some; the fixed points are
            those of all its recurrent modules side by side.
        inputs: sequences, in any of the forms that `measure` takes.
        u: the constant input, as `attractors` takes it.
        states: states to start from instead of those that `inputs` lead to, (n, S), as `attractors` takes them.
        starts: how many states the search starts from.
        n: how many sequences to take, in all processes together; fewer if `inputs` holds fewer.
        layers: the names of the layers whose modules to look at, as `multistable.dynamics.dynamics` lists them.
        forward: how a batch enters the module, as in `lambda model, batch: model(batch["tokens"], batch["lengths"])`;
            the batch comes as `inputs` has it, on the model's device. By default as the signature of the module's
            forward says. A recurrent module that is called by it is seen as a model that holds one.
        generator: draws sequences, prefixes, constant inputs and noise: a `torch.Generator`, or a seed; by default a
            new one with torch's initial seed.
        process_group: the processes of `torch.distributed` that make the call together, by default all where its
            default group is initialised; `"alone"` for this one on its own.

    Returns:
        The points; a tuple of results for several inputs (K, I).

    Raises:
        TypeError: an argument has the wrong type, the module's parameters are in half precision, or not exactly one of
            `inputs` and `states` is given.
        ValueError: nothing in `module` is recurrent; `layers` names no layer; the inputs have a wrong shape, are empty,
            hold fewer than two sequences, NaN or infinity; `u` or `states` do not fit; a number is out of its range.
        FloatingPointError: no sequence leads to a finite state.
        RuntimeError: the model's forward pass never reached one of its recurrent modules.
        TimeoutError: other processes of the group do not call the function.

    Examples:
        Two bistable units have 9 fixed points: each of them may rest in either well, or on the saddle between.

        >>> import torch
        >>> from multistable import fixed_points
        >>> rnn = torch.nn.RNN(1, 2, bias=False)
        >>> _ = rnn.weight_hh_l0.data.copy_(2 * torch.eye(2))
        >>> fixed_points(rnn, torch.randn(20, 50, 1), u=0, generator=0)
        FixedPoints(9 from 512 starts: 4 stable, 4 saddles, 1 repelling; 0 slow points)
    """
    n = check_int("n", n, at_least=2)
    starts = check_int("starts", starts)
    selection = select(module, layers, forward)
    check_input(u, selection.stacks)
    check_states(inputs, states, u, selection.stacks)
    generator = selection.processes.shared(as_generator(generator))
    with selection.opened(generator):
        reached = starts_of(selection, inputs, states, n, generator)
        asked = questions(selection, u, reached, generator)
        found = tuple(replace(_look_at(one, starts, generator), open_loop=reached.open_loop) for one in asked)
    return found if isinstance(u, Tensor) and u.dim() == 2 else found[0]


@torch.no_grad()
def _look_at(asked: Question, starts: int, generator: torch.Generator) -> FixedPoints:
    """The fixed points and the slow points of one map."""
    layer, u = asked.layer, asked.u
    begin = _starts(layer, asked.s, u, starts, generator)
    roots, slow, speeds = [begin[:0]], [begin[:0]], [begin[:0, 0]]
    for block in begin.split(max(1, _AT_A_TIME // layer.state_size**2)):
        found = descend(layer, block, u)
        near = (found.residuals.abs() <= _NEAR * (1 + found.states.abs())).all(1)
        polished = newton(layer, found.states[near], u)
        roots.append(polished.states[polished.are_roots])
        no_root = near.clone()
        no_root[near] = ~polished.are_roots
        settled = found.settled & (no_root | ~near)
        slow.append(found.states[settled])
        speeds.append(found.residuals[settled].square().sum(1) / 2)
    points = torch.cat(roots)
    points = points[first_of_groups(points, SAME).unique()]
    slow_points, speed = torch.cat(slow), torch.cat(speeds)
    order = speed.argsort(stable=True)
    first = first_of_groups(slow_points[order], _APART).unique()
    return _described(layer, points, u, slow_points[order][first], speed[order][first], len(begin))


def _starts(layer: Dynamics, s: Tensor, u: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """States to start from: on the way from those that were reached, with noise, and between several of them."""
    s = s[s.isfinite().all(1)]
    if not len(s):
        raise FloatingPointError("no state that the sequences lead to is finite, so there is nowhere to search from")
    along, time, far = [], 0, _FAR * (1 + s.abs().max())
    for step in _ALONG:
        s, time = layer.hold(s, u, step - time), step
        along.append(s)
    pool = torch.cat(along)
    pool = pool[(pool.abs() <= far).all(1)]  # what runs away leaves no place to search

    def drawn(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64).to(pool)

    which = (drawn(count, _BETWEEN) * len(pool)).long().clamp(max=len(pool) - 1)
    shares = -drawn(count, _BETWEEN).clamp(min=1e-12).log()  # evenly spread over all mixtures, once their sum is 1
    shares[::2, 1:] = 0
    states = ((shares / shares.sum(1, keepdim=True))[..., None] * pool[which]).sum(1)
    noise = torch.randn(count, pool.shape[1], generator=generator, device=generator.device, dtype=torch.float64)
    noise[::4] = 0
    noise[1::2] *= _BETWEEN_NOISE
    width = pool.std(0, correction=0) + _LEAST_SPREAD
    return states + width * noise.to(pool)


def _described(
    layer: Dynamics, points: Tensor, u: Tensor, slow_points: Tensor, speeds: Tensor, starts: int
) -> FixedPoints:
    """What is known of the points, those with the fewest unstable directions first."""
    judged = jacobians(layer, points, u)
    for row, point in enumerate(points):
        beside = sides(lambda s: once(layer, s, u), point)
        if beside is not None:
            judged[row] = bounding(judged[row], jacobians(layer, beside, u))
    values, vectors = torch.linalg.eig(judged)
    largest_first = values.abs().argsort(dim=1, descending=True, stable=True)
    values = values.gather(1, largest_first)
    vectors = vectors.gather(2, largest_first[:, None, :].expand_as(vectors))
    unstable = (values.abs() > 2 - STABLE).sum(1)
    keys = torch.stack([unstable.double(), values.abs().amax(1)]).T.tolist() if len(points) else []
    place = sorted(range(len(points)), key=keys.__getitem__)
    residuals = moved(layer, points, u).abs()
    return FixedPoints(
        points=points[place],
        unstable=unstable[place],
        stable=(values.abs() < STABLE).all(1)[place],
        eigenvalues=values[place],
        eigenvectors=vectors[place],
        residuals=residuals.amax(1)[place],
        slow_points=slow_points,
        speeds=speeds,
        u=u,
        starts=starts,
    )
