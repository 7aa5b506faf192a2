"""The layers beside `nn.GRU` of the same size: time of forward and backward, peak memory, and the floor under both.

Run: python benchmarks/layers.py
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from side_by_side import in_own_process, median_seconds, peak_megabytes, write
from torch import Tensor, nn

from multistable.nn import BRC, MGU, NBRC, ops

LENGTH, BATCH, REPEATS = 300, 32, 15
HIDDEN = (128, 256)
KINDS: dict[str, Any] = {"GRU": nn.GRU, "BRC": BRC, "nBRC": NBRC, "MGU": MGU}
LOOPS: dict[str, Any] = {"BRC": ops.brc_reference, "nBRC": ops.nbrc_reference, "MGU": ops.mgu_reference}
# Gates; and how wide each product with the state is that a step takes, as multiples of H.
PRODUCTS: dict[str, tuple[int, list[int]]] = {"GRU": (3, [3]), "BRC": (3, []), "nBRC": (3, [2]), "MGU": (2, [1, 1])}


def inputs_of(input_size: int) -> Tensor:
    """Sequences as a layer above another receives them, or, of a single feature, as data."""
    return torch.randn(LENGTH, BATCH, input_size, requires_grad=input_size > 1)


def train(module: nn.Module, inputs: Tensor) -> None:
    """Forward, and backward to all parameters and, above another layer, to the inputs."""
    outputs, _ = module(inputs)
    outputs.sum().backward()


def loop(cell: str, module: nn.Module, inputs: Tensor) -> None:
    """The same as a loop over the formula."""
    weights = [module.get_parameter(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias")]
    states, _ = LOOPS[cell](inputs, inputs.new_zeros(BATCH, weights[0].shape[0] // PRODUCTS[cell][0]), *weights)
    states.sum().backward()


@torch.no_grad()
def products(cell: str, hidden: int, inputs: Tensor) -> None:
    """The matrix products alone that forward and backward take, with the state step by step."""
    gates, with_state = PRODUCTS[cell]
    weight = inputs.new_ones(gates * hidden, inputs.shape[-1])
    rows = inputs.flatten(0, 1)
    drive = rows @ weight.t()
    drive.t() @ rows
    if inputs.requires_grad:
        drive @ weight
    states = inputs.new_ones(LENGTH * BATCH, hidden)
    for out in with_state:
        recurrent, gradients = inputs.new_ones(out * hidden, hidden), drive[:, : out * hidden]
        for h in states.split(BATCH):
            h @ recurrent.t()
        for gradient in gradients.split(BATCH):
            gradient @ recurrent
        gradients.t() @ states


def added_megabytes(cell: str, hidden: int, input_size: int) -> float:
    """Peak memory of forward and backward above that of the module and its inputs."""
    torch.set_num_threads(1)
    module, inputs = KINDS[cell](input_size, hidden), inputs_of(input_size)
    # Short sequences first, so that what is loaded once does not count.
    train(module, inputs[:2])
    module.zero_grad()
    before = peak_megabytes()
    train(module, inputs)
    return peak_megabytes() - before


def compare(hidden: int, input_size: int) -> list[dict[str, Any]]:
    """All layers of one size."""
    inputs = inputs_of(input_size)
    modules = {cell: kind(input_size, hidden) for cell, kind in KINDS.items()}
    tasks: dict[str, Callable[[int], object]] = {}
    for cell, module in modules.items():
        tasks[cell] = partial(_ignoring, train, module, inputs)
        tasks[f"{cell}, products"] = partial(_ignoring, products, cell, hidden, inputs)
        if cell in LOOPS:
            tasks[f"{cell}, loop"] = partial(_ignoring, loop, cell, module, inputs)
    seconds = median_seconds(tasks, REPEATS)
    rows = []
    for cell in KINDS:
        row: dict[str, Any] = {
            "cell": cell,
            "hidden": hidden,
            "inputs": input_size,
            "median milliseconds": round(1e3 * seconds[cell], 1),
            "matrix products alone, milliseconds": round(1e3 * seconds[f"{cell}, products"], 1),
            "peak megabytes": round(in_own_process(added_megabytes, cell, hidden, input_size), 1),
            "time / GRU": round(seconds[cell] / seconds["GRU"], 3),
        }
        if cell in LOOPS:
            row["loop / layer"] = round(seconds[f"{cell}, loop"] / seconds[cell], 2)
        rows.append(row)
    return rows


def _ignoring(task: Callable[..., object], *arguments: object) -> object:
    """`task(*arguments[:-1])`: the last is the number of the round."""
    return task(*arguments[:-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write("layers", [row for hidden in HIDDEN for size in (hidden, 1) for row in compare(hidden, size)])
