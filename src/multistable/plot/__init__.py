"""Figures from results; needs the extra `plot`."""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install 'multistable[plot]'") from error

from multistable.plot._bifurcation import bifurcation
from multistable.plot._fixed_points import fixed_points
from multistable.plot._learning_curves import learning_curves
from multistable.plot._portrait import portrait
from multistable.plot._traces import traces
from multistable.plot._vector_field import vector_field

__all__ = ["bifurcation", "fixed_points", "learning_curves", "portrait", "traces", "vector_field"]
