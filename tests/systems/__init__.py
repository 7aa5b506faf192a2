"""A shelf of maps s' = f(s) whose attractors are known, by hand or from the literature or by brute force."""

from systems.base import System
from systems.chaos import CHAOS
from systems.cycles import CYCLES
from systems.equilibria import EQUILIBRIA
from systems.marginal import MARGINAL
from systems.misleading import MISLEADING
from systems.networks import NETWORKS
from systems.rhythms import RHYTHMS

__all__ = ["SYSTEMS", "System"]

SYSTEMS = [*EQUILIBRIA, *NETWORKS, *CYCLES, *RHYTHMS, *CHAOS, *MISLEADING, *MARGINAL]
