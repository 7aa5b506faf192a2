"""Draw the learning curves of docs/results.md and docs/results-t-maze.md from the runs in results/.

Run: python studies/figures.py
"""

from collections.abc import Callable, Sequence

import curves
import maze_curves
from matplotlib.figure import Figure
from rows import ROOT
from runs import SUPERVISED, T_MAZE, found_runs, slug

from multistable.experiments.results import Run

DOCS = ROOT / "docs"

DRAWN: dict[Sequence[str], Callable[[Sequence[Run]], Figure]] = {SUPERVISED: curves.curves, T_MAZE: maze_curves.curves}

if __name__ == "__main__":
    for sweeps, draw in DRAWN.items():
        for runs in found_runs(sweeps):
            # The file says of how many runs it is, so that a test can tell whether there are others by now.
            metadata = {"Description": f"{len(runs)} runs"}
            draw(runs).savefig(DOCS / f"{slug(runs[0].config)}.png", dpi=180, metadata=metadata)
