"""Experiments that show what a warmup does to learning: from settings to runs, sweeps and a report.

What they need comes with the extras `experiments` and `sweep`, and is imported when it is used.

Examples:
    >>> from multistable.experiments import Config
    >>> Config(task="copy_first_input", length=50, cell="lstm", warmup=True).name
    'copy_first_input/lstm/warmup/T50/seed-0'
"""

from multistable.experiments._run import run
from multistable.experiments._sweep import Outcome, Plan, read_sweep, sweep
from multistable.experiments.config import Config
from multistable.experiments.read import read_config

__all__ = ["Config", "Outcome", "Plan", "read_config", "read_sweep", "run", "sweep"]
