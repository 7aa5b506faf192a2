"""The shelf of systems whose attractors are known: nothing false is said of any."""

import pytest
import torch
from devices import here
from problems import Written
from systems import SYSTEMS, System

from multistable._attractors.search import Outcome, Search

pytestmark = pytest.mark.usefixtures("device")

STARTS = 3
# J - I is so near singular that no root can be located.
MISSED = {"a non-normal chain"}
# Followed for tens of thousands of steps: they are in the study alone.
LONG = {
    "Lorenz's butterfly",
    "a faint spiral beside an entry of 10,000",
    "a ghost on a circle",
    "a leaky random network, dt 0.02",
    "a neuron that spikes",
    "chaos that passes",
    "van der Pol with jumps",
}


def looked_at(system: System) -> Outcome:
    starts = here(system.starts(torch.Generator().manual_seed(0))[:: max(1, 24 // STARTS)][:STARTS])
    nothing = torch.zeros(1, dtype=starts.dtype, device=starts.device)
    return Search(Written(system.step, starts.shape[1]), starts, nothing, system.horizon, 1e-4).run()


@pytest.mark.parametrize("system", [one for one in SYSTEMS if one.name not in LONG], ids=lambda system: system.name)
def test_nothing_false_is_said(system: System) -> None:
    outcome = looked_at(system)
    said = set(outcome.kinds) - {"slow"}
    assert said <= system.may
    if len(system.may) == 1 and system.name not in MISSED:
        assert system.must <= said
    for kind, root in zip(outcome.kinds, outcome.roots.tolist(), strict=True):
        if system.points and kind in ("equilibrium", "cycle"):
            points = outcome.equilibria.points[root][None] if kind == "equilibrium" else outcome.cycles[root].points
            known = [here(one) for one in system.points if len(one) == len(points)]
            assert min((points[0] - one).abs().amax(-1).min() for one in known) < 1e-6
    for motion in outcome.motions.values():
        if motion.curve is not None and system.rotation is not None:
            assert motion.curve.rotation == pytest.approx(system.rotation, abs=1e-6)
        if motion.kind == "chaos" and system.exponent is not None:
            expected, within = system.exponent
            assert motion.exponent[0] == pytest.approx(expected, abs=within + 5 * motion.exponent[1])
