"""`portrait`; a stand-in until drawn."""

from matplotlib.figure import Figure

from multistable.attractors import Attractors

__all__ = ["portrait"]


def portrait(found: Attractors) -> Figure:
    """Trajectories and attractors; a stand-in until drawn."""
    raise NotImplementedError
