"""Draw docs/start.png: what becomes of the states of three GRUs when nothing more comes in.

Run: python studies/start_figure.py
"""

import torch
from matplotlib.figure import Figure
from rows import ROOT
from torch import Tensor, nn
from tutorial_figures import STATES, courses, draw_courses, run

from multistable import attractors, held, warmup
from multistable.dynamics import dynamics

HIDDEN, LENGTH = 16, 40  # as in the tutorial that the third network comes from
BOUND = 3.0
HORIZONS = sorted({round(10 ** (k / 30)) for k in range(151)})  # to 100,000 steps


def new() -> nn.GRU:
    """The same GRU at each call."""
    torch.manual_seed(0)
    return nn.GRU(1, HIDDEN)


def networks(sequences: Tensor) -> dict[str, nn.Module]:
    """A GRU as torch makes it; warmed up; and trained, with hard gates."""
    warm = new()
    warmup(warm, sequences, generator=0)
    return {
        "A new GRU: gone at once": new(),
        "After warmup: fades slowly": warm,
        "Trained, hard gates: stays": run("memory-that-lasts")["lasting"].memory,
    }


def said_of(module: nn.Module, sequences: Tensor, states: Tensor) -> str:
    """What is certain of a number of states."""
    if "hardness" in repr(module):
        found = held(module, states[None], bound=BOUND)
        assert found.distinct == found.n
        return f"all {found.n} states distinct for ever"
    count = attractors(module, sequences, u=0, n=STATES, generator=0).count
    return f"{STATES} states end in {count} {'place' if count == 1 else 'places'}"


def apart(states: Tensor) -> Tensor:
    """The states (horizons, states, S) along the direction that tells most of them apart."""
    deviations = (states - states.mean(1, keepdim=True)).flatten(0, 1)
    direction: Tensor = torch.linalg.svd(deviations, full_matrices=False)[2][0]
    return states @ direction


def figure() -> Figure:
    """One panel for each GRU."""
    torch.manual_seed(1)
    sequences = torch.randn(LENGTH, STATES, 1)
    drawn = Figure(figsize=(8.4, 3.1), layout="constrained")
    panels = drawn.subplots(1, 3)
    panels[0].set_ylabel("the state")
    for axes, (title, module) in zip(panels, networks(sequences).items(), strict=True):
        (layer,) = dynamics(module)
        with torch.no_grad():
            start = layer.run(sequences)
        states = courses(module, start, HORIZONS)
        draw_courses(axes, HORIZONS, apart(states))
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel(said_of(module, sequences, start), fontsize=10)
        axes.set(xscale="log", xlim=(1, HORIZONS[-1]), yticks=[])
        axes.spines[["top", "right"]].set_visible(False)
    drawn.supxlabel("steps since the sequences ended", fontsize=10)
    return drawn


if __name__ == "__main__":
    torch.set_num_threads(1)
    figure().savefig(ROOT / "docs" / "start.png", dpi=180)
