"""A step of warmup beside an ordinary training step, and beside a plain transcription of the formulas.

Run: python benchmarks/warmup_step.py
"""

from typing import Any

import torch
from side_by_side import median_seconds, write
from torch import Tensor, nn

from multistable import vaa_star, warmup
from multistable._measure.constants import draw_constant
from multistable._measure.reach import draw_prefixes
from multistable._measure.selection import select, trainable
from multistable._warmup.descent import Descent
from multistable.dynamics import Sequences, Stack, dynamics, stacks
from multistable.dynamics.calls import full_lengths

HIDDEN, LAYERS, BATCH, LENGTH, REPEATS = 128, 2, 32, 300, 11
HORIZON = 100  # the mean of what `warmup` draws from 1..200; the cost grows linearly with it
CAP = 30  # the default of `warmup`


def training_step(module: nn.RNNBase, head: nn.Linear, inputs: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Forward, backward and Adam on the whole sequences."""
    outputs, _ = module(inputs)
    loss = nn.functional.mse_loss(head(outputs[-1]), inputs[0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def warmup_step(
    stack: Stack, inputs: Tensor, max_prefix: int | None, seed: int, optimizer: torch.optim.Optimizer
) -> None:
    """The step that `warmup` takes."""
    generator = torch.Generator().manual_seed(seed)
    descent = Descent(select(stack.module, None), 0.95, 1e-4, max_prefix, BATCH, generator)
    descent.step([Sequences(inputs, full_lengths(inputs))], HORIZON, trainable(stack.parts), optimizer)


def transcribed_step(
    module: nn.GRU | nn.LSTM,
    layers: list[nn.GRU | nn.LSTM],
    inputs: Tensor,
    max_prefix: int | None,
    seed: int,
    optimizer: torch.optim.Optimizer,
) -> None:
    """The same step as the formulas say it: each sequence runs alone along its prefix and under the constant input."""
    generator = torch.Generator().manual_seed(seed)
    prefixes = draw_prefixes(full_lengths(inputs), max_prefix, generator).tolist()
    constants = [draw_constant(layer, generator) for layer in dynamics(module)]
    ends: list[list[Tensor]] = [[] for _ in layers]
    for row, prefix in enumerate(prefixes):
        _, reached = module(inputs[:prefix, row : row + 1])
        parts = reached if isinstance(reached, tuple) else (reached,)
        for k, (layer, u) in enumerate(zip(layers, constants, strict=True)):
            start = tuple(part[k : k + 1].contiguous() for part in parts)
            _, end = layer(u.expand(HORIZON, 1, -1), start if len(start) > 1 else start[0])
            ends[k].append(torch.cat(end, -1)[0, 0] if isinstance(end, tuple) else end[0, 0])
    loss = torch.stack([(vaa_star(torch.stack(states)) - 0.95) ** 2 for states in ends]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def single_layers(module: nn.GRU | nn.LSTM) -> list[nn.GRU | nn.LSTM]:
    """The module's layers as modules of their own that share its parameters."""
    layers = []
    for k in range(module.num_layers):
        kind = nn.GRU if isinstance(module, nn.GRU) else nn.LSTM
        layer = kind(module.input_size if k == 0 else module.hidden_size, module.hidden_size)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(layer, f"{name}_l0", getattr(module, f"{name}_l{k}"))
        layers.append(layer)
    return layers


def compare(kind: type[nn.GRU | nn.LSTM]) -> dict[str, Any]:
    """Time the steps on a network that has been warmed up, so that states stay apart as they do in most steps."""
    module = kind(1, HIDDEN, LAYERS)
    head = nn.Linear(HIDDEN, 1)
    inputs = torch.randn(LENGTH, BATCH, 1)
    warmup(module, inputs, generator=0)
    (stack,) = stacks(module)
    layers = single_layers(module)
    trained = kind(1, HIDDEN, LAYERS)
    of_training = torch.optim.Adam([*trained.parameters(), *head.parameters()])
    of_warmup = torch.optim.Adam(module.parameters(), lr=1e-5)
    seconds = median_seconds(
        {
            "training step": lambda _: training_step(trained, head, inputs, of_training),
            "warmup step, whole prefixes": lambda turn: warmup_step(stack, inputs, None, turn, of_warmup),
            "warmup step, default cap": lambda turn: warmup_step(stack, inputs, CAP, turn, of_warmup),
            "transcription, whole prefixes": lambda turn: transcribed_step(
                module, layers, inputs, None, turn, of_warmup
            ),
            "transcription, default cap": lambda turn: transcribed_step(module, layers, inputs, CAP, turn, of_warmup),
        },
        REPEATS,
    )
    return {
        "cell": kind.__name__,
        "median milliseconds": {name: round(1e3 * value, 1) for name, value in seconds.items()},
        "warmup / training, whole prefixes": round(
            seconds["warmup step, whole prefixes"] / seconds["training step"], 3
        ),
        "warmup / training, default cap": round(seconds["warmup step, default cap"] / seconds["training step"], 3),
        "transcription / warmup, whole prefixes": round(
            seconds["transcription, whole prefixes"] / seconds["warmup step, whole prefixes"], 2
        ),
        "transcription / warmup, default cap": round(
            seconds["transcription, default cap"] / seconds["warmup step, default cap"], 2
        ),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write("warmup_step", [compare(kind) for kind in (nn.GRU, nn.LSTM)])
