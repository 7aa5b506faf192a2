"""Recurrent modules of other packages, known by the names of their types: no package is imported for them."""

from multistable.dynamics.adapter import Adapter
from multistable.dynamics.third_party import mamba, mingru, ncps, torchrl, xlstm

__all__ = ["ADAPTERS"]

ADAPTERS: dict[str, Adapter] = {
    name: adapter for module in (mamba, mingru, ncps, torchrl, xlstm) for name, adapter in module.ADAPTERS.items()
}
"""How each type is seen, by its qualified name."""
