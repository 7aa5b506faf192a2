"""Draw docs/start.png: what becomes of the states of a GRU once a constant input follows, for three GRUs.

Run: python studies/start_figure.py
"""

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rows import ROOT
from torch import Tensor, nn

from multistable import attractors, init, warmup
from multistable.dynamics import dynamics, states_at

HIDDEN, LENGTH, SEQUENCES = 16, 30, 24
HORIZONS = sorted({round(10 ** (k / 20)) for k in range(101)})  # to 100,000 steps


def network() -> nn.GRU:
    """The same GRU at each call."""
    torch.manual_seed(0)
    return nn.GRU(1, HIDDEN)


def networks(sequences: Tensor) -> dict[str, nn.GRU]:
    """The GRU as torch makes it, warmed up, and with bistable units."""
    warm, bistable = network(), init.bistable_(network())
    warmup(warm, sequences, generator=0)
    return {
        "A new GRU: all states fade to one": network(),
        "After warmup: they stay apart for long": warm,
        "With bistable units: for ever": bistable,
    }


def courses(gru: nn.GRU, sequences: Tensor) -> Tensor:
    """The unit that tells most states apart (horizons, sequences), after sequences have led to different states."""
    (layer,) = dynamics(gru)
    with torch.no_grad():
        start = layer.run(sequences)
        found = [start, *states_at(layer, start, torch.zeros(1), HORIZONS)]
    states = torch.stack(found)
    return states[:, :, states.std(1).mean(0).argmax()]


def draw(axes: Axes, title: str, course: Tensor, said: str) -> None:
    """The courses of all states, each in a colour that says where it starts."""
    ranks = course[0].argsort().argsort()
    for values, rank in zip(course.T.tolist(), ranks.tolist(), strict=True):
        axes.plot([0.7, *HORIZONS], values, color=colormaps["viridis"](rank / (SEQUENCES - 1)), linewidth=1.1)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xscale="log", xlim=(0.7, HORIZONS[-1]), ylim=(-1, 1), xlabel="steps after the sequences have ended")
    axes.text(0.98, 0.03, said, transform=axes.transAxes, ha="right", fontsize=9, color="#444444")
    axes.spines[["top", "right"]].set_visible(False)


def figure() -> Figure:
    """One panel for each GRU."""
    torch.manual_seed(1)
    sequences = torch.randn(LENGTH, SEQUENCES, 1)
    drawn = Figure(figsize=(12, 3.6), layout="constrained")
    panels = drawn.subplots(1, 3, sharey=True)
    panels[0].set_ylabel("one unit of the state")
    for axes, (title, gru) in zip(panels, networks(sequences).items(), strict=True):
        found = attractors(gru, sequences, u=0, n=SEQUENCES, generator=0)
        print(title, found)
        said = f"{SEQUENCES} states, {found.count} certain attractor{'s' * (found.count != 1)}"
        draw(axes, title, courses(gru, sequences), said)
    return drawn


if __name__ == "__main__":
    torch.set_num_threads(1)
    figure().savefig(ROOT / "docs" / "start.png", dpi=140)
