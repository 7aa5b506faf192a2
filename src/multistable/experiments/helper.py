"""A process that trains a run on another device, for as long as the one that started it: `helped` starts it."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from multistable.experiments.folder import CONFIG, read_settings
from multistable.experiments.parallel import Team
from multistable.experiments.run import read_start
from multistable.experiments.supervised import Supervised

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Train what a folder says, as one of a team.

    Args:
        words: the run's folder, the three numbers of `Team`, and the number of the process that is waited for.
    """
    folder = Path(words[0])
    *numbers, parent = map(int, words[1:])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    team = Team(*numbers)
    config = read_settings(folder / CONFIG)
    with torch.cuda.device(team.process) if config.device == "cuda" else nullcontext():
        subject = Supervised(config, team)
    start = read_start(folder, config, subject)
    subject.train(start["rows"], folder, "none", False)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
