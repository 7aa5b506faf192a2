"""A GRU as torch makes it, warmed up, and with half its units bistable: what fades, and what is remembered for ever.

Run: python studies/portrait.py
"""

from io import BytesIO

import numpy as np
import torch
from matplotlib import image
from rows import ROOT
from torch import nn

from multistable import attractors, init, warmup

FIGURE = ROOT / "docs" / "attractors.png"

FEATURES, HIDDEN, LENGTH, SEQUENCES = 2, 64, 100, 100


def networks(inputs: torch.Tensor) -> dict[str, nn.GRU]:
    """The same GRU, three times over."""
    new, warm, bistable = (network() for _ in range(3))
    warmup(warm, inputs, generator=0)
    init.bistable_(bistable, fraction=0.5)
    return {
        "a new GRU: all fades at once": new,
        "after warmup: most fades slowly": warm,
        "with half of its units bistable: remembered for ever": bistable,
    }


def network() -> nn.GRU:
    torch.manual_seed(0)
    return nn.GRU(FEATURES, HIDDEN)


def row(title: str, module: nn.GRU, inputs: torch.Tensor) -> np.ndarray:
    """The portrait as a picture."""
    found = attractors(module, inputs, generator=0)
    print(f"{title}\n    {found}")
    figure = found.plot()
    figure.suptitle(title, x=0.005, horizontalalignment="left", fontweight="bold")
    file = BytesIO()
    figure.savefig(file, dpi=100)
    file.seek(0)
    return image.imread(file)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs = torch.randn(LENGTH, SEQUENCES, FEATURES)
    rows = [row(title, module, inputs) for title, module in networks(inputs).items()]
    image.imsave(FIGURE, np.concatenate(rows))
