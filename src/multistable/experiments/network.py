"""The network that a run trains."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from multistable import init
from multistable.experiments.config import Config
from multistable.experiments.data import Examples, seed_for, task_of
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer, Hardening

__all__ = ["Network", "drawn", "hardening_of", "new_network", "recurrent_layers"]

Model = TypeVar("Model", bound=nn.Module)

_TYPES: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM, "mgu": MGU, "brc": BRC, "nbrc": NBRC}
_HARD: dict[str, Any] = _TYPES | {"gru": GRU, "lstm": LSTM}


class Network(nn.Module):
    """Recurrent layers, and a linear read-out.

    Args:
        rnn: the recurrent layers, with `batch_first`.
        hidden: H, their hidden units.
        outputs: features of an answer.
        asked: the step that answers, or the steps.
    """

    def __init__(self, rnn: nn.Module, hidden: int, outputs: int, asked: int | slice) -> None:
        super().__init__()
        self.rnn = rnn
        self.head = nn.Linear(hidden, outputs)
        self.asked = asked

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, T, I) -> (B, outputs) of the step asked, or (B, steps, outputs)."""
        states, _ = self.rnn(inputs)
        answers: Tensor = self.head(states[:, self.asked])
        return answers


def recurrent_layers(
    cell: str, features: int, hidden: int, layers: int, *, double: bool, batch_first: bool, hard: bool = False
) -> nn.Module:
    """Layers of one of the `CELLS`, or double layers of it, with weights as torch draws them; with `hard`, ours."""
    sizes, layer_type = (features, hidden, layers), (_HARD if hard else _TYPES)[cell]
    made: nn.Module = (
        DoubleLayer(layer_type, *sizes, batch_first=batch_first)
        if double
        else layer_type(*sizes, batch_first=batch_first)
    )
    return made


def hardening_of(config: Config, recurrent: nn.Module, steps: int) -> Hardening | None:
    """The schedule of the gates' hardness over the run's training steps, if they are to become hard."""
    if config.hardness == 0:
        return None
    return Hardening(recurrent, steps, config.hardening_start, config.hardening_end, config.hardness)


def new_network(config: Config, examples: Examples) -> Network:
    """The network as the run's seed draws it, on the run's device; the global random state is left alone."""
    task = task_of(config)
    _, steps, features = examples.inputs.shape

    def around(recurrent: nn.Module) -> Network:
        return Network(recurrent, config.hidden, task.outputs, task.asked)

    return drawn(config, around, features, t_max=steps, batch_first=True)


def drawn(
    config: Config, around: Callable[[nn.Module], Model], features: int, *, t_max: int, batch_first: bool
) -> Model:
    """A model with the run's recurrent layers in it, all weights as the run's seed draws them, on the run's device.

    Args:
        config: the settings.
        around: makes the model, given the recurrent layers.
        features: I, of their inputs.
        t_max: the longest memory that chrono gates are made for.
        batch_first: as of `nn.GRU`.
    """
    sizes = features, config.hidden, config.layers
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(config.seed, "weights"))
        rnn = recurrent_layers(
            config.cell, *sizes, double=config.double, batch_first=batch_first, hard=config.hardness > 0
        )
        model = around(rnn)
    generator = torch.Generator().manual_seed(seed_for(config.seed, "initialiser"))
    if config.cell != "rnn":
        init.paper_(rnn, generator=generator)
    if config.init == "chrono":
        init.chrono_(rnn, t_max=t_max, generator=generator)
    elif config.init == "bistable":
        init.bistable_(rnn)
    return model.to(config.device)
