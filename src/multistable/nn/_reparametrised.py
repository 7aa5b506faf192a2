"""Weights that a module computes from others: weight and spectral norm, pruning, parametrisations of any kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

__all__ = ["computed", "refresh", "underlying"]


def computed(module: nn.Module, name: str) -> Tensor | None:
    """The weight as the module's next call in evaluation mode would have it; None where it is not computed.

    It is part of the graph, and nothing is written to what it is computed from.
    """
    if parametrize.is_parametrized(module, name):
        parametrisation: Any = _parametrisation(module, name)
        with _evaluating(parametrisation):  # a spectral norm goes on with its power iteration in training
            weight: Tensor = parametrisation()
            return weight
    hook = _hook(module, name)
    if isinstance(hook, BasePruningMethod):
        masked: Tensor = hook.apply_mask(module)
        return masked
    if isinstance(hook, SpectralNorm):
        return hook.compute_weight(module, do_power_iteration=False)
    return None if hook is None else hook.compute_weight(module)


def refresh(module: nn.Module) -> None:
    """Compute anew what hooks of torch's older functions compute before a call: `forward` alone goes past them."""
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, BasePruningMethod | SpectralNorm | WeightNorm):
            name = hook._tensor_name if isinstance(hook, BasePruningMethod) else hook.name
            setattr(module, name, computed(module, name))


def underlying(module: nn.Module, name: str) -> list[nn.Parameter]:
    """The parameters that a computed weight is made of."""
    if parametrize.is_parametrized(module, name):
        return list(_parametrisation(module, name).parameters())
    suffixes = ("_g", "_v") if isinstance(_hook(module, name), WeightNorm) else ("_orig",)
    return [getattr(module, name + suffix) for suffix in suffixes]


def _parametrisation(module: nn.Module, name: str) -> nn.Module:
    lists: Any = module.parametrizations
    found: nn.Module = lists[name]
    return found


def _hook(module: nn.Module, name: str) -> Any:
    """The hook that computes a weight before each call, as torch's older functions do it."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return hook
        if isinstance(hook, SpectralNorm | WeightNorm) and hook.name == name:
            return hook
    return None


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = {one: one.training for one in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for one, mode in modes.items():
            one.training = mode
