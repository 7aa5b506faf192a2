"""Whether the manifold-attractor penalty of Schmidt et al. 2021 (arXiv:1910.03471) earns a place: copy first input.

It draws half of a ReLU network's units towards an identity without bias, on which states neither grow nor fade. Here it
is asked of a new network and of one that starts there, and compared at the cost of `starts_learning.py`.

Run: python studies/manifold.py
"""

import time

import torch
import torch.nn.functional as F
from rows import Row, complete
from starts import HIDDEN
from starts_learning import BATCH, BUDGET, LENGTH, LR, TESTED, Network, descend, drawn, score
from torch import Tensor, nn

from multistable import init

WEIGHTS, LENGTHS, SEEDS = (0.0, 0.1, 1.0, 10.0), (20, LENGTH), 2
DRAWN_TO_IT = HIDDEN // 2  # units


def penalty(rnn: nn.RNN) -> Tensor:
    """How far the first units are from an identity: the sum of squares."""
    weight_hh, bias_ih, bias_hh = (parameter[:DRAWN_TO_IT] for parameter in list(rnn.parameters())[1:])
    return (weight_hh - torch.eye(*weight_hh.shape)).square().sum() + (bias_ih + bias_hh).square().sum()


def learnt(length: int, identity: bool, weight: float, seed: int) -> Row:
    """The test error at the end, and how far from an identity the units are."""
    test = drawn("copy", TESTED, torch.Generator().manual_seed(2000 + seed), length)
    torch.manual_seed(seed)
    rnn = nn.RNN(1, HIDDEN, nonlinearity="relu")
    if identity:
        init.identity_(rnn, generator=seed)
    network = Network(rnn, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    generator = torch.Generator().manual_seed(1000 + seed)
    steps, began = 0, time.process_time()
    while time.process_time() - began < BUDGET:
        sequences, targets = drawn("copy", BATCH, generator, length)
        loss = F.mse_loss(network(sequences), targets) + weight * penalty(rnn)
        descend(network, optimizer, loss)
        steps += 1
    return {"steps": steps, "penalty": float(f"{penalty(rnn).item():.3g}"), "test": score(network, test)}


CASES = [
    {"length": length, "identity": identity, "weight": weight, "seed": seed}
    for seed in range(SEEDS)
    for length in LENGTHS
    for identity in (False, True)
    for weight in WEIGHTS
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    complete("manifold", CASES, learnt)
