"""Leave a user's module as it was."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

import torch
from torch import Tensor, nn

from multistable._utils.randomness import forked_rng

__all__ = ["attributes_kept", "kept_on_failure", "tried", "undisturbed"]


@contextmanager
def undisturbed(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Run foreign code on `model`, then restore its training mode and buffers and the global random state.

    Within the block the model is in evaluation mode, so that dropout is off and no statistics are updated, and the
    global generators are seeded from `generator`. Embeddings that normalise their weights as they look them up get
    these back, too.
    """
    training = {module: module.training for module in model.modules()}
    written = [*model.buffers(), *(one.weight for one in model.modules() if _normalises(one))]
    values = [(one, one.detach().clone()) for one in written]
    try:
        with forked_rng({parameter.device for parameter in model.parameters()}, generator):
            model.eval()
            yield
    finally:
        for module, mode in training.items():
            module.training = mode
        with torch.no_grad():
            for one, value in values:
                one.copy_(value)


@contextmanager
def tried(module: nn.Module) -> Iterator[None]:
    """Call a module on what is not the user's: afterwards it is as if it had not been called."""
    with undisturbed(module, torch.Generator().manual_seed(0)), attributes_kept(module):
        yield


def _normalises(module: nn.Module) -> TypeGuard[nn.Embedding | nn.EmbeddingBag]:
    return isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.max_norm is not None


@contextmanager
def attributes_kept(model: nn.Module) -> Iterator[None]:
    """Put back what foreign code sets on a model's modules, such as a state that it keeps from batch to batch.

    Attributes, parameters, buffers and submodules are the same objects as before, and lists have the same items; what
    is changed within other objects stays.
    """
    kept = [
        (own, dict(own))
        for module in model.modules()
        for own in (module._buffers, module._parameters, module._modules, vars(module))
    ]
    lists = [(value, list(value)) for _, values in kept for value in values.values() if type(value) is list]
    try:
        yield
    finally:
        for attributes, values in kept:
            attributes.clear()
            attributes.update(values)
        for value, items in lists:
            value[:] = items


@contextmanager
def kept_on_failure(parameters: Sequence[nn.Parameter], buffers: Sequence[Tensor] = ()) -> Iterator[None]:
    """Restore parameters and buffers if the block raises, and the parameters' `.grad` and `.requires_grad` anyway."""
    kept = [*parameters, *buffers]
    values = [one.detach().clone() for one in kept]
    gradients = [(parameter.grad, parameter.requires_grad) for parameter in parameters]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for one, value in zip(kept, values, strict=True):
                one.copy_(value)
        raise
    finally:
        for parameter, (gradient, requires_grad) in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
            parameter.requires_grad_(requires_grad)
