"""`attractors`: where the states that data reach go in the end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from multistable._attractors.asked import Question, check_states, questions, starts_of
from multistable._attractors.kinds import Kind
from multistable._attractors.rest import held_at_rest
from multistable._attractors.results import Attractors
from multistable._attractors.search import SHORTEST_HORIZON, Outcome, Search
from multistable._attractors.steps import orbit
from multistable._attractors.summary import summarise
from multistable._measure import Trace
from multistable._measure.constants import Input, check_input
from multistable._measure.reach import Reached
from multistable._measure.selection import select
from multistable._utils.checks import check_int, check_tol
from multistable._utils.randomness import as_generator
from multistable._utils.together import Group, together
from multistable.dynamics import Dynamics, Forward
from multistable.functional import vaa

__all__ = ["attractors"]

_PATHS, _PATH_STEPS, _PATH_ENTRIES = 50, 256, 2**21  # of what is kept for pictures


@overload
def attractors(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: float | Literal["data"] | None = None,
    states: Tensor | None = None,
    n: int = 100,
    horizon: int = 10_000,
    tol: float = 1e-4,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Attractors: ...


@overload
def attractors(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: Tensor,
    states: Tensor | None = None,
    n: int = 100,
    horizon: int = 10_000,
    tol: float = 1e-4,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any: ...


@together
def attractors(
    module: nn.Module,
    inputs: Any = None,
    *,
    u: Input = None,
    states: Tensor | None = None,
    n: int = 100,
    horizon: int = 10_000,
    tol: float = 1e-4,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    generator: torch.Generator | int | None = None,
    process_group: Group = None,
) -> Any:
    """Tell the attractors that data can reach from what only fades slowly.

    States are reached as `measure` does it, with the same numbers for the same generator, or given. From there each
    trajectory is followed in float64, under a constant input, until it is certain where it goes, at the horizon at the
    latest. Looks are taken at the horizon, half of it, a quarter, and so on, and at each look at every trajectory that
    is not yet decided:

    - *Equilibrium*: Newton's method leads to a root of f(s, u) - s, where all eigenvalues of the Jacobian lie within
      the unit circle, and the trajectory is within 1e-6 of it, or, at the horizon, in a ball around it: in a norm in
      which every step of the map brings closer to the root whatever is in the ball, as far as could be seen in many
      states of it. At a kink (a ReLU at 0), the Jacobian must be stable on all sides together.
    - *Cycle*: the same of f^p, p <= 64, where the state comes back to its neighbourhood after p steps.
    - *Held*, by the end: hard gates keep some of a state's units to the bit, and no other moves by more than `tol`, for
      ever under the constant input; proven as by `held`, for layers of `multistable.nn` that go forwards.

    At the horizon, if it is 900 steps or more, what is left and goes on moving is pushed by 1e-7, and followed for
    further 1,600 steps at least:

    - *Chaos*: the largest Lyapunov exponent is above zero by five standard errors, displacements grow by 2 % or more
      while the trajectory goes as far as it reaches, and the trajectory itself reaches no further all the while.
    - *Oscillation*: the trajectory turns on a closed curve (or is a longer cycle), it was there before it was pushed,
      and what lies across the curve shrinks.
    - *Drift*, from 512 steps: an entry of the state is above 10, and has grown without slowing down.

    *Unbounded* is what grows beyond float64; what is left is *slow*. Trajectories that have met are followed as one,
    those that are decided no longer. The module is left as it is: what is followed is a copy of its recurrent parts in
    float64, made with `copy.deepcopy`. A registered step must be deterministic and have a derivative.

    In a process group of `torch.distributed` every process calls `attractors`, as it calls `measure`; where `states`
    are given, each works on its own.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some.
        inputs: sequences, in any of the forms that `measure` takes.
        u: the constant input. By default one drawn from N(0, I) for each recurrent module; 0 for none; `"data"` for one
            drawn with the mean and the standard deviation of each feature that the module receives; or a tensor (I,),
            or (K, I) for several one after the other, where I counts the features of all recurrent modules in order.
            Under a given input, layers above the lowest one get none of their own when they are driven alone.
        states: states to start from instead of those that `inputs` lead to, (n, S): for each recurrent module those of
            all its layers and directions side by side, for an LSTM h before c.
        n: how many sequences to take, in all processes together; fewer if `inputs` holds fewer.
        horizon: steps after which a trajectory is given up, 128 at least.
        tol: states closer than this to their equilibrium have arrived.
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
        The attractors of the whole network (of all recurrent modules side by side) and of each layer alone; a tuple of
        them for several inputs (K, I).

    Raises:
        TypeError: an argument has the wrong type, the module's parameters are in half precision, or not exactly one of
            `inputs` and `states` is given.
        ValueError: nothing in `module` is recurrent; `layers` names no layer; the inputs have a wrong shape, are empty,
            hold fewer than two sequences, NaN or infinity; `u` or `states` do not fit; a number is out of its range.
        RuntimeError: the model's forward pass never reached one of its recurrent modules.
        FloatingPointError: a step of states that are not large is NaN.
        TimeoutError: other processes of the group do not call the function.

    Examples:
        >>> import torch
        >>> from multistable import attractors, init
        >>> gru = torch.nn.GRU(1, 6)
        >>> _ = init.bistable_(gru)
        >>> found = attractors(gru, torch.randn(50, 64, 1), u=0, generator=0)
        >>> found.count > 1, found.shares["equilibrium"]
        (True, 1.0)
    """
    n = check_int("n", n, at_least=2)
    horizon = check_int("horizon", horizon, at_least=SHORTEST_HORIZON)
    tol = check_tol("tol", tol, torch.float64)
    selection = select(module, layers, forward)
    check_input(u, selection.stacks)
    check_states(inputs, states, u, selection.stacks)
    generator = selection.processes.shared(as_generator(generator))
    with selection.opened(generator):
        reached = starts_of(selection, inputs, states, n, generator)
        found = tuple(_answer(one, reached, horizon, tol) for one in questions(selection, u, reached, generator))
    return found if isinstance(u, Tensor) and u.dim() == 2 else found[0]


def _answer(asked: Question, reached: Reached, horizon: int, tol: float) -> Attractors:
    """The attractors of a network, and of its layers."""
    open_loop = reached.open_loop
    alone = [_look_at(one, reached, horizon, tol) for one in asked.alone]
    per_layer = tuple(replace(one, open_loop=tuple(name for name in open_loop if name == one.name)) for one in alone)
    if len(asked.alone) == 1 and asked.alone[0].layer.state_size == asked.layer.state_size:
        return replace(per_layer[0], name="", per_layer=per_layer)
    return replace(_look_at(asked, reached, horizon, tol), name="", per_layer=per_layer, open_loop=open_loop)


def _look_at(asked: Question, reached: Reached, horizon: int, tol: float) -> Attractors:
    """The attractors of one map."""
    layer, s, u = asked.layer, asked.s, asked.u
    outcome = Search(layer, s, u, horizon, tol).run()
    outcome = replace(outcome, kinds=_kinds_with_held(outcome, layer, u, tol))
    found, labels = summarise(outcome)
    return Attractors(
        name=layer.name,
        attractors=found,
        kinds=outcome.kinds,
        labels=labels,
        n=len(s),
        horizon=horizon,
        tol=tol,
        trace=Trace(
            outcome.steps, tuple(vaa(layer.observe(states), tol).item() for states in outcome.states), outcome.residual
        ),
        trajectory=outcome.states,
        paths=_paths(layer, s, u),
        u=u,
        sequences=reached.sequences,
        prefixes=reached.prefixes,
    )


@torch.no_grad()
def _paths(layer: Dynamics, s: Tensor, u: Tensor) -> Tensor:
    """Every step of the first states, for as long as all of them are finite, (steps, m, S)."""
    some = s[:_PATHS]
    path = orbit(layer, some, u, min(_PATH_STEPS, max(1, _PATH_ENTRIES // some.numel())))
    finite = torch.isfinite(path).flatten(1).all(1)
    return path[: int(finite.long().cumprod(0).sum())]


def _kinds_with_held(outcome: Outcome, layer: Dynamics, u: Tensor, tol: float) -> tuple[Kind, ...]:
    """The kinds, where those not known to go anywhere may be held where they are."""
    undecided = torch.tensor([kind == "slow" for kind in outcome.kinds], device="cpu") & (outcome.roots.cpu() < 0)
    rows = undecided.nonzero().flatten().tolist()
    held = held_at_rest(layer, outcome.final[rows], u, tol).tolist()
    now = {row for row, one in zip(rows, held, strict=True) if one}
    return tuple("held" if row in now else kind for row, kind in enumerate(outcome.kinds))
