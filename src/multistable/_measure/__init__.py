"""How many attractors the data can reach: inputs, the states they lead to, held and scored."""

from multistable._measure.entry import measure
from multistable._measure.results import LayerMultistability, Multistability, Trace

__all__ = ["LayerMultistability", "Multistability", "Trace", "measure"]
