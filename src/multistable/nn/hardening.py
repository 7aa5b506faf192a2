"""`Hardening`: the schedule that makes gates hard in the course of training."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from multistable._utils.checks import check_int, check_not_negative, check_probability
from multistable.nn._module import RecurrentModule

__all__ = ["Hardening", "set_hardness"]


class Hardening:
    """Raises the hardness of all layers of `multistable.nn` in a model while it is trained, step by step.

    Learn first, then harden: a gate that is exactly open or shut has no gradient. Before `start` the layers are as they
    were, from there to `end` their hardness goes in a straight line to `to`, and there it stays. Used as a scheduler of
    `torch.optim.lr_scheduler` is: `step` once after each step of the optimiser. To begin when a validation metric has
    stalled, make it then, for as many steps as it shall take, with `start=0, end=1`.

    Args:
        model: any model that holds such layers; `multistable.nn.convert` makes them of torch's.
        steps: how many training steps there are in all.
        start: the share of them after which hardening begins.
        end: the share of them after which it is complete.
        to: the hardness to end with, 0 or more.

    Raises:
        TypeError: `model` is no module, `steps` no int, or another argument no number.
        ValueError: there is no such layer in `model`, `steps` is below 1, or not 0 <= start < end <= 1, or `to` is
            negative or not finite.

    Examples:
        >>> import torch
        >>> from multistable.nn import GRU, Hardening
        >>> gru = GRU(1, 8)
        >>> hardening = Hardening(gru, steps=100)
        >>> for _ in range(100):
        ...     hardening.step()
        >>> gru
        GRU(1, 8, hardness=0.3)
    """

    def __init__(self, model: nn.Module, steps: int, start: float = 0.5, end: float = 0.8, to: float = 0.3) -> None:
        self._layers = hard_layers(model)
        self._set_settings(steps, start, end, to)
        self._first = [layer.hardness.item() for layer in self._layers]
        self.last_step = 0

    def _set_settings(self, steps: int, start: float, end: float, to: float) -> None:
        given = check_int("steps", steps), check_probability("start", start), check_probability("end", end)
        if not start < end:
            raise ValueError(f"start must come before end, got start={start} and end={end}")
        self.to = check_not_negative("to", to)
        self.steps, self.start, self.end = given

    def step(self) -> None:
        """Count a training step, and set the hardness that the next one has."""
        self.last_step += 1
        before = self._done(self.last_step - 1)
        done = self._done(self.last_step)
        if done != before:
            self._set(done)

    def _done(self, step: int) -> float:
        """How much of the way lies behind after so many steps."""
        return min(max((step / self.steps - self.start) / (self.end - self.start), 0.0), 1.0)

    def _set(self, done: float) -> None:
        for layer, first in zip(self._layers, self._first, strict=True):
            layer.hardness.fill_(first + (self.to - first) * done if done < 1 else self.to)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, in numbers alone."""
        return {
            "steps": self.steps,
            "start": self.start,
            "end": self.end,
            "to": self.to,
            "first": list(self._first),
            "last_step": self.last_step,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where another stood, with its settings; the layers get the hardness that belongs there.

        Raises:
            TypeError: it is no mapping, or a value has the wrong type.
            ValueError: keys are missing or unknown, a value is out of its range, or it was made for another number of
                layers.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        if set(state_dict) != set(self.state_dict()):
            raise ValueError(
                f"state_dict must have the keys {', '.join(self.state_dict())}, got {', '.join(map(str, state_dict))}"
            )
        if len(state_dict["first"]) != len(self._layers):
            raise ValueError(
                f"state_dict must be that of a model with {len(self._layers)} such layers, "
                f"got one for {len(state_dict['first'])}"
            )
        first = [check_not_negative("first", one) for one in state_dict["first"]]
        last_step = check_int("last_step", state_dict["last_step"], at_least=0)
        self._set_settings(*(state_dict[key] for key in ("steps", "start", "end", "to")))
        self._first, self.last_step = first, last_step
        self._set(self._done(self.last_step))


def set_hardness(module: nn.Module, hardness: float) -> None:
    """Set the hardness of all layers of `multistable.nn` in a module.

    Raises:
        TypeError: `module` is no module, or `hardness` no number.
        ValueError: there is no such layer in `module`, or `hardness` is negative or not finite.

    Examples:
        >>> from multistable.nn import LSTM, set_hardness
        >>> lstm = LSTM(1, 8)
        >>> set_hardness(lstm, 0.3)
        >>> lstm
        LSTM(1, 8, hardness=0.3)
    """
    layers, value = hard_layers(module), check_not_negative("hardness", hardness)
    for layer in layers:
        layer.hardness.fill_(value)


def hard_layers(module: nn.Module) -> list[RecurrentModule]:
    """The layers whose gates can be hard.

    Raises:
        TypeError: `module` is not an `nn.Module`.
        ValueError: it holds no such layer.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"model must be an nn.Module, got {type(module).__name__}")
    layers = list(_found(module))
    if not layers:
        raise ValueError(
            f"model must be or hold a recurrent layer of multistable.nn, got {type(module).__name__} without one "
            "(multistable.nn.convert makes them of torch's)"
        )
    return layers


def _found(module: nn.Module) -> Iterator[RecurrentModule]:
    return (one for one in module.modules() if isinstance(one, RecurrentModule))
