"""`attractors`: where the states that data reach go in the end."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor, nn

from multistable._attractors.rest import held_at_rest
from multistable._attractors.results import Attractor, Attractors
from multistable._attractors.search import SHORTEST_HORIZON, Kind, Outcome, Search
from multistable._measure import Trace
from multistable._measure.score import draw_constant
from multistable._measure.selection import select
from multistable._utils.checks import check_int, check_positive
from multistable._utils.randomness import as_generator
from multistable.dynamics import Dynamics, Product
from multistable.functional import vaa

__all__ = ["attractors"]


def attractors(
    module: nn.Module,
    inputs: Any,
    *,
    n: int = 100,
    horizon: int = 10_000,
    tol: float = 1e-4,
    layers: Sequence[str] | None = None,
    generator: torch.Generator | int | None = None,
) -> Attractors:
    """Tell the attractors that data can reach from what only fades slowly.

    States are reached, and constant inputs are drawn, as `measure` does it, with the same numbers for the same
    generator. From there each trajectory is followed in float64 until it is decided where it goes, at the horizon at
    the latest. Looks are taken at the horizon, half of it, a quarter, and so on, and at each look at every trajectory
    that is not yet decided:

    - *Equilibrium*: Newton's method leads from the state to a root of f(s, u) - s, with a residual of at most 1e-10 and
      a spectral radius of the Jacobian below 1, and the trajectory really goes there. Either it is there, within
      1e-9; or at two looks in a row a step of Newton's method leads towards the root from each of 64 states that follow
      each other, and between the looks, in a time constant or more, the state comes closer by at least half of what the
      Jacobian says that it comes closer in the end, in the norm that every step of the linearised map shrinks.
    - *Cycle*: where a state comes back to its neighbourhood after p <= 64 steps, a stable root of f^p in the same way,
      which the trajectory heads for and comes closer to over 64 steps.
    - *Held*, by the end: hard gates keep some of a state's units to the bit, and no other moves by more than `tol`, for
      ever under the constant input; proven as by `held`, for layers of `multistable.nn` that go forwards.
    - *Drift*, at a horizon of 512 steps or more: the largest entry of the state is above 10, and grows over the last
      half of the steps by more than one and a half times what it grew over the quarter before.
    - *Chaos*, at a horizon of 900 steps or more: the state moves by more than 0.001 in a step, and the largest Lyapunov
      exponent along the next 1,000 steps is above 0.005, and above zero by five standard errors.

    What is left is *slow*. Trajectories that have met are followed as one, those that are decided no longer. The module
    is left as it is: what is followed is a copy of its recurrent parts in float64, made with `copy.deepcopy`. A
    registered step must be deterministic and have a derivative.

    Args:
        module: a recurrent module of torch's or a registered type, or any model that holds some.
        inputs: sequences, in any of the forms that `measure` takes.
        n: how many sequences to take; fewer if `inputs` holds fewer.
        horizon: steps after which a trajectory is given up, 128 at least.
        tol: states closer than this to their equilibrium have arrived.
        layers: the names of the layers to look at, as `multistable.dynamics.dynamics` lists them; a name stands for all
            that lies under it (`"encoder"` for `"encoder.l0"` and `"encoder.l1"`). The network is then made of the
            recurrent modules that hold them, and no other module is looked at. By default all.
        generator: draws sequences, prefixes and constant inputs: a `torch.Generator`, or a seed; by default a new one
            with torch's initial seed.

    Returns:
        The attractors of the whole network (of all recurrent modules side by side) and of each layer alone.

    Raises:
        TypeError: an argument has the wrong type, or the module's parameters are in half precision.
        ValueError: nothing in `module` is recurrent; `layers` names no layer; the inputs have a wrong shape, are empty,
            hold fewer than two sequences, NaN or infinity; a number is out of its range.
        RuntimeError: the model's forward pass never reached one of its recurrent modules.
        FloatingPointError: states grow beyond what the dtype can hold.

    Examples:
        >>> import torch
        >>> from multistable import attractors, init
        >>> gru = torch.nn.GRU(1, 6)
        >>> _ = init.bistable_(gru)
        >>> found = attractors(gru, torch.randn(50, 64, 1), generator=0)
        >>> found.count > 1, found.shares["equilibrium"]
        (True, 1.0)
    """
    n = check_int("n", n, at_least=2)
    horizon = check_int("horizon", horizon, at_least=SHORTEST_HORIZON)
    tol = check_positive("tol", tol)
    selection = select(module, layers)
    stacks = selection.stacks
    generator = as_generator(generator)
    with selection.opened(generator):
        drawn = selection.batches(inputs, n, generator, endless=False)
        reached = [states.double() for states in selection.reach(drawn, n, generator)]
        # Drawn in the precision of the module, as `measure` draws them.
        constants = [draw_constant(stack, generator).double() for stack in stacks]
        exact = [stack.in_float64() for stack in stacks]
        alone = []
        for stack, copy, start, u in zip(stacks, exact, reached, constants, strict=True):
            for part, same, s in zip(stack.parts, copy.parts, copy.split(start), strict=True):
                if part in selection.layers:
                    held = u if part in stack.layers[0] else draw_constant(part, generator).double()
                    alone.append((same, s, held))
        per_layer = tuple(_look_at(layer, s, u, horizon, tol) for layer, s, u in alone)
        if len(exact) == len(exact[0].parts) == 1:
            return replace(per_layer[0], name="", per_layer=per_layer)
        network = exact[0] if len(exact) == 1 else Product("", exact)
        whole = _look_at(network, torch.cat(reached, -1), torch.cat(constants), horizon, tol)
        return replace(whole, name="", per_layer=per_layer)


def _look_at(layer: Dynamics, s: Tensor, u: Tensor, horizon: int, tol: float) -> Attractors:
    """The attractors of one map."""
    outcome = Search(layer, s, u, horizon, tol).run()
    outcome = replace(outcome, kinds=_kinds_with_held(outcome, layer, u, tol))
    found, labels = _attractors(outcome)
    scores = tuple(vaa(states, tol).item() for states in outcome.states)
    return Attractors(
        name=layer.name,
        attractors=found,
        kinds=outcome.kinds,
        labels=labels,
        n=len(s),
        horizon=horizon,
        tol=tol,
        trace=Trace(outcome.steps, scores, outcome.residual),
        trajectory=outcome.states,
    )


def _kinds_with_held(outcome: Outcome, layer: Dynamics, u: Tensor, tol: float) -> tuple[Kind, ...]:
    """The kinds, where those not known to go anywhere may be held where they are."""
    undecided = torch.tensor([kind == "slow" for kind in outcome.kinds]) & (outcome.roots.cpu() < 0)
    rows = undecided.nonzero().flatten().tolist()
    held = held_at_rest(layer, outcome.final[rows], u, tol).tolist()
    now = {row for row, one in zip(rows, held, strict=True) if one}
    return tuple("held" if row in now else kind for row, kind in enumerate(outcome.kinds))


def _attractors(outcome: Outcome) -> tuple[tuple[Attractor, ...], tuple[int, ...]]:
    """The attractors, and for each state the place of its own among them."""
    members: dict[tuple[str, int], list[int]] = {}
    for row, (kind, root) in enumerate(zip(outcome.kinds, outcome.roots.tolist(), strict=True)):
        if kind == "chaos" or root >= 0:
            # A slow state with a root is still on its way to an equilibrium.
            members.setdefault(("equilibrium" if kind == "slow" else kind, root), []).append(row)
    groups = sorted(members.items(), key=lambda item: -len(item[1]))
    labels = [-1] * len(outcome.kinds)
    for place, (_, rows) in enumerate(groups):
        for row in rows:
            labels[row] = place
    return tuple(_attractor(outcome, kind, root, rows) for (kind, root), rows in groups), tuple(labels)


def _attractor(outcome: Outcome, kind: str, root: int, rows: list[int]) -> Attractor:
    share = len(rows) / len(outcome.kinds)
    if kind == "chaos":
        exponents, errors = zip(*(outcome.exponents[row] for row in rows), strict=True)
        between = stdev(exponents) / len(rows) ** 0.5 if len(rows) > 1 else 0.0
        exponent, error = fmean(exponents), max(between, fmean(errors) / len(rows) ** 0.5)
        return Attractor("chaos", share, None, None, None, exponent, error, outcome.final[rows[0]], None)
    if kind == "cycle":
        cycle = outcome.cycles[root]
        constant = _time_constant(cycle.radius, cycle.period)
        return Attractor("cycle", share, cycle.period, cycle.radius, constant, None, None, cycle.points, cycle.jacobian)
    equilibria = outcome.equilibria
    radius = equilibria.radii[root].item()
    return Attractor(
        "equilibrium",
        share,
        1,
        radius,
        _time_constant(radius, 1),
        None,
        None,
        equilibria.points[root].clone(),
        equilibria.jacobians[root].clone(),
    )


def _time_constant(radius: float, period: int) -> float:
    return 0.0 if radius == 0 else -period / math.log(radius)
