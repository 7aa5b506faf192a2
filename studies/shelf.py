"""The shelf of systems whose attractors are known (tests/systems): what is said of them, what is false, what is missed.

Run: python studies/shelf.py
"""

import sys
from collections import Counter

import torch
from rows import ROOT, Row, complete
from torch import Tensor

from multistable._attractors.search import Outcome, Search

sys.path.insert(0, str(ROOT / "tests"))
from problems import Written
from systems import SYSTEMS, System

SEEDS, STARTS = 20, 8
EXACT, ROTATION = 1e-6, 1e-5  # how far points and rotation numbers may be from what is known


def nearest(points: Tensor, known: System) -> float:
    """How far points that were found are from those that are known, the entry that is farthest counting."""
    return min(float((points[0] - one).abs().max()) for of_one in known.points for one in of_one)


def false_claims(known: System, outcome: Outcome) -> list[str]:
    """What was said that is not so."""
    false: list[str] = [kind for kind in outcome.kinds if kind != "slow" and kind not in known.may]
    for kind, root in zip(outcome.kinds, outcome.roots.tolist(), strict=True):
        if kind in ("equilibrium", "cycle") and known.points:
            points = outcome.equilibria.points[root][None] if kind == "equilibrium" else outcome.cycles[root].points
            if nearest(points, known) > EXACT:
                false.append(f"{kind} elsewhere")
    for motion in outcome.motions.values():
        turned = None if motion.curve is None else motion.curve.rotation
        if turned is not None and known.rotation is not None and abs(turned - known.rotation) > ROTATION:
            false.append("another rotation number")
        if motion.kind == "chaos" and known.exponent is not None:
            expected, within = known.exponent
            if abs(motion.exponent[0] - expected) > within + 5 * motion.exponent[1]:
                false.append("another exponent")
    return false


def studied(system: str, seed: int) -> Row:
    """What is said of some trajectories of a system."""
    known = next(one for one in SYSTEMS if one.name == system)
    starts = known.starts(torch.Generator().manual_seed(seed))
    chosen = torch.randperm(len(starts), generator=torch.Generator().manual_seed(seed))[:STARTS]
    nothing = torch.zeros(1, dtype=torch.float64)
    outcome = Search(Written(known.step, starts.shape[1]), starts[chosen], nothing, known.horizon, 1e-4).run()
    return {
        "kinds": dict(Counter(outcome.kinds)),
        "false": false_claims(known, outcome),
        "missed": sorted(known.must - set(outcome.kinds)),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("shelf", [{"system": one.name, "seed": seed} for seed in range(SEEDS) for one in SYSTEMS], studied)
