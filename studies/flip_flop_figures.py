"""The figures of the page on a trained flip-flop.

Run: python studies/flip_flop_figures.py
"""

import math

import torch
from flip_flop import ASKED, BITS, LENGTH, trained
from matplotlib.figure import Figure
from rows import ROOT

from multistable import attractors, fixed_points, plot
from multistable.dynamics import dynamics
from multistable.tasks import flip_flop

STRENGTHS = 81
GAIN, TURN = 1.2, 0.5  # of a pair of units


def main() -> None:
    """One network: what it holds and what stands between, and how a pulse takes wells away."""
    rnn, _, _ = trained("GRU", 0)
    rnn.double()
    inputs = flip_flop(LENGTH, ASKED, generator=2000).tensors[0].double()
    found = attractors(rnn, inputs, u=0, n=ASKED, generator=0)
    points = fixed_points(rnn, inputs, u=0, n=ASKED, generator=0)
    figure = Figure(figsize=(13, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot.portrait(found, fixed_points=points, ax=left)
    path = torch.zeros(STRENGTHS, BITS, dtype=torch.float64)
    path[:, 0] = torch.linspace(-1, 1, STRENGTHS, dtype=torch.float64)
    along = fixed_points(rnn, inputs, u=path, starts=256, n=ASKED, generator=0)
    # Of all units the one whose wells lie farthest apart.
    wells = points.points[points.stable]
    unit = int((wells - wells.mean(0)).abs().mean(0).argmax())
    plot.bifurcation(path, along, unit=unit, ax=right)
    figure.savefig(ROOT / "docs" / "flip-flop.png", dpi=150)

    torch.manual_seed(0)
    pair = torch.nn.RNN(1, 2, bias=False, dtype=torch.float64)
    cos, sin = math.cos(TURN), math.sin(TURN)
    recurrent = GAIN * torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    pair.load_state_dict({"weight_ih_l0": torch.zeros(2, 1), "weight_hh_l0": recurrent})
    starts = 0.1 * torch.randn(6, 2, dtype=torch.float64)
    rhythm = attractors(pair, states=starts, u=0)
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    (layer,) = dynamics(pair)
    plot.vector_field(layer, found=rhythm, ax=figure.subplots())
    figure.savefig(ROOT / "docs" / "rhythm.png", dpi=150)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
