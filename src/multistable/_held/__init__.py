"""Which units of a layer with hard gates are held for ever, whatever the inputs."""

from multistable._held.entry import held, margin_loss
from multistable._held.results import Held

__all__ = ["Held", "held", "margin_loss"]
