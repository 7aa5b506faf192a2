"""What else could make memories last: other ways to harden the GRU of hard_gates.py, three seeds each.

Run: python studies/hard_variants.py
"""

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hard_gates import (
    BATCH,
    CLIP,
    HIDDEN,
    LAYERS,
    LONGEST,
    LR,
    SHORTEST,
    STEPS,
    Network,
    evaluate,
    loss_of,
    new_network,
    rate,
    train,
    trained,
)
from rows import Row, complete
from torch import Tensor, nn

from multistable import init, warmup
from multistable.nn import GRU, DoubleLayer, Hardening
from multistable.tasks import copy_first_input

SEEDS = 3
SHORT = 500  # steps of a consolidation
NOISE, EVERY = 0.05, 20  # of the noise on states: its standard deviation, and after how many steps it comes
CODE = 0.1  # the weight of what draws units that answer with a sign to -1 and 1
DISTURBED, AFTER = 0.1, 1_000  # a disturbance of all states, and how many steps later the answer is asked for
TESTED = 256


class DoubleNetwork(Network):
    """The same with double layers."""

    def __init__(self) -> None:
        super().__init__("gru")
        self.rnn: Any = DoubleLayer(GRU, 1, HIDDEN, LAYERS)


class NoisyNetwork(nn.Module):
    """A network whose states are disturbed every few steps while it is trained."""

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__()
        self.network = network
        self.generator = torch.Generator().manual_seed(6000 + seed)

    def forward(self, sequences: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        for piece in sequences.split(EVERY):
            if state is not None:
                state = state + NOISE * torch.randn(state.shape, generator=self.generator)
            answers, state = self.network(piece, state)
        return answers, state


def train_coded(network: Network, seed: int) -> None:
    """As `train` does for the sign, with states drawn to -1 and 1."""
    generator = torch.Generator().manual_seed(1000 + seed)
    steps = STEPS["gru"]
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step / steps))
    hardening = Hardening(network, steps)
    for _ in range(steps):
        length = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=generator))
        inputs = torch.randn(length, BATCH, 1, generator=generator)
        answers, hx = network(inputs)
        optimizer.zero_grad()
        (loss_of("sign", answers, inputs[0]) + CODE * (1 - hx.square()).square().mean()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        hardening.step()


def uniform(seed: int) -> Network:
    """Uniform gates instead of chrono ones, hardened."""
    network = new_network("gru", "plain", seed)
    init.uniform_gates_(network.rnn, generator=seed)
    train(network, "copy", True, seed, STEPS["gru"])
    return network


def warm_chrono(seed: int) -> Network:
    """Chrono gates, warmed up and hardened."""
    network = new_network("gru", "chrono", seed)
    warmup(network.rnn, copy_first_input(LONGEST, 1000, generator=seed).tensors[0].transpose(0, 1), generator=seed)
    train(network, "copy", True, seed, STEPS["gru"])
    return network


def double(seed: int) -> Network:
    """Double layers, whose first parts alone are warmed up and hardened."""
    torch.manual_seed(seed)
    network = DoubleNetwork()
    init.paper_(network.rnn, generator=seed)
    warmup(network.rnn, copy_first_input(LONGEST, 1000, generator=seed).tensors[0].transpose(0, 1), generator=seed)
    train(network, "copy", True, seed, STEPS["gru"], hardened=network.rnn.first)
    return network


def consolidated(start: str, seed: int) -> Network:
    """Trained with ordinary gates, and then hardened over a short time."""
    network, _ = trained("gru", "copy", start, "soft", seed)
    train(network, "copy", True, seed, SHORT)
    return network


def noisy(seed: int) -> Network:
    """Warmed up, and hardened while states are disturbed."""
    network = new_network("gru", "warmup", seed)
    train(NoisyNetwork(network, seed), "copy", True, seed, STEPS["gru"])
    return network


def coded(seed: int) -> Network:
    """The sign, as states near -1 and 1."""
    network = new_network("gru", "warmup", seed)
    train_coded(network, seed)
    return network


VARIANTS: dict[str, tuple[str, Callable[[int], Network]]] = {
    "warmup, hard (as above)": ("copy", lambda seed: trained("gru", "copy", "warmup", "hard", seed)[0]),
    "chrono and warmup": ("copy", warm_chrono),
    "uniform gates": ("copy", uniform),
    "double layers": ("copy", double),
    "consolidation from chrono": ("copy", lambda seed: consolidated("chrono", seed)),
    "consolidation from a warmup": ("copy", lambda seed: consolidated("warmup", seed)),
    "noise on states": ("copy", noisy),
    "sign, warmup, hard (as above)": ("sign", lambda seed: trained("gru", "sign", "warmup", "hard", seed)[0]),
    "sign as a code": ("sign", coded),
}
"""The task of each, and how a network comes about."""


@torch.no_grad()
def disturbed(network: Network, seed: int) -> float:
    """The squared error where all states are disturbed once, long before the answer is asked for."""
    generator = torch.Generator().manual_seed(8000 + seed)
    inputs = torch.randn(LONGEST, TESTED, 1, generator=generator)
    _, state = network(inputs)
    state = state + DISTURBED * torch.randn(state.shape, generator=generator)
    answers, _ = network(torch.randn(AFTER, TESTED, 1, generator=generator), state)
    return float(f"{F.mse_loss(answers, inputs[0]).item():.5g}")


def looked_at(variant: str, seed: int) -> Row:
    """What one network remembers."""
    began = time.perf_counter()
    task, make = VARIANTS[variant]
    network = make(seed)
    seconds = round(time.perf_counter() - began)
    row: Row = {"task": task, "test": evaluate(network, task, seed), "seconds": seconds}
    return row | ({"disturbed": disturbed(network, seed)} if task == "copy" else {})


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = [{"variant": variant, "seed": seed} for variant in VARIANTS for seed in range(SEEDS)]
    complete("hard_variants", cases, looked_at)
