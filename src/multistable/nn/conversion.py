"""`convert` and `revert`: torch's layers in a model become ours, and back, with the same parameters."""

from itertools import chain
from typing import Any

from torch import nn

from multistable.nn._directions import directions_of
from multistable.nn._layer import RecurrentLayer
from multistable.nn._module import RecurrentModule
from multistable.nn.double_layer import DoubleLayer
from multistable.nn.gru import GRU
from multistable.nn.lstm import LSTM

__all__ = ["convert", "revert"]

_OURS: dict[type[nn.Module], type[nn.Module]] = {nn.GRU: GRU, nn.LSTM: LSTM}
_TORCHS: dict[type[nn.Module], type[nn.Module]] = {ours: theirs for theirs, ours in _OURS.items()}


def convert(model: nn.Module) -> Any:
    """Replace every `nn.GRU` and `nn.LSTM` in a model by `multistable.nn.GRU` and `LSTM`, in place.

    The parameters are the same objects, so that an optimiser goes on with them. At hardness 0, with which they start,
    the layers compute what torch's do. Hooks on the layers and attributes of your own are not carried over, and layers
    that a model also keeps in a plain list or dictionary are not replaced there.

    Args:
        model: any model; a layer itself is left as it is, and its replacement returned.

    Returns:
        The model, or the replacement of the layer.

    Raises:
        TypeError: `model` is no module, or a layer is of a type derived from torch's, has buffers or modules of its
            own, or weights that are computed from others.
        ValueError: nothing in `model` can be replaced or is of `multistable.nn` already, or an LSTM has a projection.
            Nothing is replaced then.

    Examples:
        >>> import torch
        >>> from multistable import nn
        >>> nn.convert(torch.nn.Sequential(torch.nn.GRU(3, 8)))
        Sequential(
          (0): GRU(3, 8)
        )
    """
    layers = _find(model, _OURS, (RecurrentModule,), "an nn.GRU or nn.LSTM")
    for name, layer in layers:
        if getattr(layer, "proj_size", 0):
            raise ValueError(f"{name} has a projection (proj_size={layer.proj_size}), which is not supported")
    return _replaced(model, layers, _OURS)


def revert(model: nn.Module, *, soft: bool = False) -> Any:
    """Replace every `GRU` and `LSTM` of `multistable.nn` in a model by torch's, in place: the inverse of `convert`.

    Args:
        model: any model; a layer itself is left as it is, and its replacement returned.
        soft: replace layers with a hardness above 0 too, whose gates become ordinary ones: they compute something else
            then.

    Returns:
        The model, or the replacement of the layer.

    Raises:
        TypeError: `model` is no module, or weights are computed from others.
        ValueError: there is nothing to replace, or a hardness is above 0 and `soft` false. Nothing is replaced then.

    Examples:
        >>> import torch
        >>> from multistable import nn
        >>> type(nn.revert(nn.GRU(3, 8))) is torch.nn.GRU
        True
    """
    layers = _find(model, _TORCHS, (nn.GRU, nn.LSTM), "a GRU or LSTM of multistable.nn")
    for name, layer in layers:
        if not (soft or layer.hardness.is_meta) and layer.hardness > 0:
            raise ValueError(
                f"{name} has a hardness of {layer.hardness.item():.4g}, which torch's {type(layer).__name__} can't "
                "have: soft=True makes its gates ordinary ones"
            )
    return _replaced(model, layers, _TORCHS)


def _find(
    model: nn.Module, kinds: dict[type[nn.Module], type[nn.Module]], done: tuple[type[nn.Module], ...], wanted: str
) -> list[tuple[str, Any]]:
    """The layers to replace, with their names; raise if there is none, or one that can't be replaced."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
    modules = [(name or "model", module) for name, module in model.named_modules()]
    layers: list[tuple[str, Any]] = [(name, module) for name, module in modules if isinstance(module, tuple(kinds))]
    if not layers and not any(isinstance(module, done) for _, module in modules):
        raise ValueError(f"model must be or hold {wanted}, got {type(model).__name__} without one")
    for name, layer in layers:
        for direction in chain(*directions_of(layer)):
            direction.own_weights()  # raises for those that are computed from others
        if type(layer) not in kinds:
            raise TypeError(
                f"{name} is a {type(layer).__qualname__}, of a type derived from torch's or ours: not replaced"
            )
        more = [*(name for name, _ in layer.named_buffers() if name != "hardness"), *dict(layer.named_children())]
        if more:
            raise TypeError(f"{name} has more than its parameters, which would be lost: {', '.join(more)}")
    return layers


def _replaced(
    model: nn.Module, layers: list[tuple[str, Any]], kinds: dict[type[nn.Module], type[nn.Module]]
) -> nn.Module:
    replacements = {layer: _replacement(layer, kinds[type(layer)]) for _, layer in layers}
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child in replacements:
                module._modules[name] = replacements[child]
        if isinstance(module, DoubleLayer):
            module.layer_type = kinds.get(module.layer_type, module.layer_type)  # type: ignore[assignment]
    return replacements.get(model, model)


def _replacement(layer: Any, kind: type[nn.Module]) -> nn.Module:
    """A layer of another type with the same settings, parameters and mode."""
    made = kind(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        layer.bias,
        layer.batch_first,
        layer.dropout if layer.num_layers > 1 else 0.0,
        layer.bidirectional,
        device="meta",
    )
    for name, parameter in layer.named_parameters(recurse=False, remove_duplicate=False):
        setattr(made, name, parameter)
    made.dropout = layer.dropout
    if isinstance(made, RecurrentLayer):
        made.hardness = layer.weight_ih_l0.new_zeros(())
    return made.train(layer.training)
