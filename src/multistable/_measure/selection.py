"""`Selection`: the layers that a call of `measure`, `warmup` or `attractors` is about, and the context it works in."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from multistable._measure.inputs import batches, received
from multistable._measure.reach import Reached, reach_many
from multistable._measure.replicas import check_replicas, check_whole, replica
from multistable._utils.processes import Processes, current
from multistable._utils.restore import attributes_kept, tried, undisturbed
from multistable.dynamics import Adapter, Dynamics, Forward, Sequences, Stack, recurrent_modules
from multistable.dynamics._agreement import check_agreement

__all__ = ["Selection", "select", "select_to_change", "trainable"]


@dataclass(frozen=True)
class Selection:
    """Some recurrent layers of a module.

    Attributes:
        module: the module.
        stacks: the recurrent modules in it that hold the layers.
        layers: the layers.
        forward: how a batch enters the module; None for the way that its signature says.
        processes: those that look at them, each with a replica of the module and with inputs of its own.
    """

    module: nn.Module
    stacks: list[Stack]
    layers: list[Dynamics]
    forward: Forward | None = None
    processes: Processes = field(default_factory=current)

    @property
    def dtype(self) -> torch.dtype:
        """The least exact dtype of the layers' parameters."""
        dtypes = {parameter.dtype for part in self.layers for parameter in part.parameters()}
        return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)

    def whole(self) -> "Selection":
        """The same with all layers of the modules that hold the chosen ones."""
        return replace(self, layers=[part for stack in self.stacks for part in stack.parts])

    def only(self, layers: Iterable[Dynamics]) -> "Selection":
        """The same with some of the layers alone."""
        kept = list(layers)
        stacks = [stack for stack in self.stacks if any(part in kept for part in stack.parts)]
        return replace(self, stacks=stacks, layers=kept)

    @contextmanager
    def opened(self, generator: torch.Generator) -> Iterator[None]:
        """Work on the module in this block; afterwards it is as it was.

        The module is in evaluation mode and in its parameters' own precision, no gradient is taken, and the global
        random state is seeded from `generator`.

        Raises:
            TypeError: parameters are in half precision, or a module overrides forward and can't be called any more.
            ValueError: parameters hold NaN or infinity, or no values that can be worked with, or are not all on one
                device, or are others in other processes; or a module does something else than its type is known to do.
        """
        _check_devices(self.stacks)
        for part in (part for stack in self.stacks for part in stack.parts):
            _check_parameters(part)
        check_replicas(self.processes, self.stacks)
        device = self.stacks[0].parameters()[0].device.type
        with (
            undisturbed(self.module, self.processes.own(generator)),
            attributes_kept(self.module),
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(device, enabled=False),
        ):
            for stack in self.stacks:
                with tried(stack.module):
                    check_agreement(stack)
            yield

    def batches(self, inputs: Any, size: int, generator: torch.Generator, *, endless: bool) -> Iterator[Any]:
        """What `inputs` has for the module, in batches: this process's share of so many sequences."""
        own, forward = self.processes, self.forward
        return batches(self.module, self.stacks, inputs, size, generator, forward, endless=endless, processes=own)

    def received(self, batch: Any, generator: torch.Generator, *, first: bool = False) -> list[Sequences]:
        """What each of the recurrent modules receives when the module is given a batch."""
        own = self._for_model(generator)
        return received(self.module, self.stacks, batch, own, self.forward, first=first)

    def reach(self, drawn: Iterable[Any], n: int, generator: torch.Generator) -> Reached:
        """`n` states that prefixes of the sequences in batches lead to, in the order of the sequences.

        They are those of all processes, in each of these.
        """
        return reach_many(self.stacks, self._sequences(iter(drawn), generator), n, generator, self.processes)

    def _sequences(self, drawn: Iterator[Any], generator: torch.Generator) -> Iterator[list[Sequences] | None]:
        """What is received from batch to batch, as long as any process has one; None where this one has no more."""
        first = True
        while any(self.processes.exchange("a batch", (batch := next(drawn, None)) is not None)):
            if batch is None:
                self._for_model(generator)  # draws as the others do
                yield None
            else:
                yield self.received(batch, generator, first=first)
            first = False

    def _for_model(self, generator: torch.Generator) -> torch.Generator:
        """What seeds a model that is run; a recurrent module by itself is not."""
        runs = self.forward is not None or self.stacks[0].module is not self.module
        return self.processes.own(generator) if runs else generator


def select(module: nn.Module, layers: Sequence[str] | str | None, forward: Forward | None = None) -> Selection:
    """The layers of a module with these names, or all of them.

    Args:
        module: the module.
        layers: names as `multistable.dynamics.dynamics` lists them; a name stands for all that lies under it. Modules
            that hold none of them are not looked at.
        forward: how a batch enters the module, (module, batch).

    Raises:
        TypeError: `module` is not an `nn.Module`, its parameters are sharded, the layers are not named, or `forward` is
            no function.
        ValueError: nothing in `module` is recurrent, or a name is no layer's.
    """
    if forward is not None and not callable(forward):
        raise TypeError(f"forward must be a function (model, batch), got {type(forward).__name__}")
    module = replica(module)
    found = recurrent_modules(module)
    check_whole(module)
    if layers is None:
        stacks = [Stack(*one) for one in found]
        return Selection(module, stacks, [], forward).whole()
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must hold names, got {type(layers).__name__}")
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise ValueError("layers must name at least one layer, got none")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"layers must hold names, got {type(name).__name__}")
    stacks = [Stack(*one) for one in found if any(_may_hold(one[0], name) for name in names)]
    parts = [part for stack in stacks for part in stack.parts]
    for name in names:
        if not any(_lies_under(part.name, name) for part in parts):
            known = ", ".join(repr(one) for one in _known(found))
            raise ValueError(f"layers must name recurrent layers ({known}), got {name!r}")
    chosen = [part for part in parts if any(_lies_under(part.name, name) for name in names)]
    return Selection(module, stacks, [], forward).only(chosen)


def select_to_change(
    module: nn.Module, layers: Sequence[str] | None, doing: str, forward: Forward | None = None
) -> Selection:
    """The layers that are named, or all that are meant to be warm, that have a parameter to change.

    Args:
        module: the module.
        layers: as `select` takes them.
        doing: what is done to them, for the error message.
        forward: how a batch enters the module.

    Raises:
        TypeError, ValueError: as `select`; all of the layers are frozen.
    """
    selection = select(module, layers, forward)
    meant = [layer for layer in selection.layers if layers is not None or layer.warm]
    chosen = [layer for layer in meant if any(parameter.requires_grad for parameter in layer.parameters())]
    if not chosen:
        raise ValueError(f"a layer to {doing} must have a parameter that requires a gradient, got all of them frozen")
    return selection.only(chosen)


def trainable(layers: Sequence[Dynamics]) -> list[nn.Parameter]:
    """The parameters of `layers` that require a gradient, each once."""
    unique = {id(one): one for layer in layers for one in layer.parameters() if one.requires_grad}
    return list(unique.values())


def _known(found: Iterable[tuple[str, nn.Module, Adapter]]) -> Iterator[str]:
    """The names of all layers, and of modules whose layers can't be looked at."""
    for name, module, adapter in found:
        try:
            yield from (part.name for part in Stack(name, module, adapter).parts)
        except (TypeError, ValueError):
            yield name


def _may_hold(module: str, layer: str) -> bool:
    """Whether a module of one name may have layers that lie under another."""
    return not module or _lies_under(module, layer) or _lies_under(layer, module)


def _lies_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _check_devices(stacks: Iterable[Stack]) -> None:
    """Raise unless all recurrent modules are on one device: their states stand side by side."""
    devices: dict[torch.device, str] = {}
    for part in (part for stack in stacks for part in stack.parts):
        for parameter in part.parameters():
            devices.setdefault(parameter.device, part.name)
    if len(devices) > 1:
        found = ", ".join(f"{name!r} on {device}" for device, name in devices.items())
        raise ValueError(f"recurrent modules must be on one device, got {found}; `layers` chooses some of them")


def _check_parameters(layer: Dynamics) -> None:
    """Raise unless all parameters are finite and in single or double precision."""
    for parameter in layer.parameters():
        if parameter.dtype.to_real() not in (torch.float32, torch.float64):
            raise TypeError(
                f"parameters of {layer.name!r} must be float32 or float64, got {parameter.dtype}: "
                "half precision can't tell states apart at this tolerance"
            )
        if parameter.is_meta or parameter.is_inference():
            kind = "meta" if parameter.is_meta else "inference"
            raise ValueError(f"parameters of {layer.name!r} must be ordinary tensors, got {kind} tensors")
        if not torch.isfinite(parameter).all():
            raise ValueError(f"parameters of {layer.name!r} must be finite, got NaN or infinity")
