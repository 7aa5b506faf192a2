"""The network that a run trains."""

from typing import Any

import torch
from torch import Tensor, nn

from multistable import init
from multistable.experiments.config import Config
from multistable.experiments.data import Examples, Score, seed_for
from multistable.nn import BRC, MGU, NBRC, DoubleLayer

__all__ = ["Network", "new_network"]

_TYPES: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM, "mgu": MGU, "brc": BRC, "nbrc": NBRC}

_ASKED = {"denoising": slice(-5, None), "flip_flop": slice(None)}  # other tasks ask at the last step alone


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


def new_network(config: Config, examples: Examples, score: Score) -> Network:
    """The network as the run's seed draws it, on the run's device; the global random state is left alone."""
    sizes = (examples.inputs.shape[2], config.hidden, config.layers)
    kind = _TYPES[config.cell]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_for(config.seed, "weights"))
        rnn = DoubleLayer(kind, *sizes, batch_first=True) if config.double else kind(*sizes, batch_first=True)
        network = Network(rnn, config.hidden, score.outputs, _ASKED.get(config.task, -1))
    generator = torch.Generator().manual_seed(seed_for(config.seed, "initialiser"))
    if config.cell != "rnn":
        init.paper_(rnn, generator=generator)
    if config.init == "chrono":
        init.chrono_(rnn, t_max=examples.inputs.shape[1], generator=generator)
    elif config.init == "bistable":
        init.bistable_(rnn)
    return network.to(config.device)
