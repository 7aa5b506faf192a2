"""Kill runs, a sweep and T-Mazes at 50 random moments of their lives, and compare them with ones that were left alone.

Run: python studies/kills_anywhere.py
"""

import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kills import argv, same, to_its_end
from rows import Row, complete

from multistable.experiments._sweep import read_sweep
from multistable.experiments.config import Config
from multistable.experiments.read import read_config

KILLS = {
    "run small/copy-first-input warmup=true samples=2_000 epochs=6": 20,
    "run small/t-maze length=6 episodes=120 measure_every=2": 20,
    "sweep small/initialisers hidden=16 samples=300 epochs=2 warmup_steps=10 measure_n=20 attractors_horizon=200": 10,
}
"""How often each command is killed."""


def configs_of(words: Sequence[str]) -> list[Config]:
    """The runs that a command asks for."""
    command, name, *settings = words
    if command == "sweep":
        return read_sweep(name, settings).configs
    return [read_config(name, settings)]


def lives_on(words: Sequence[str], runs: Path, seconds: float) -> bool:
    """Start the command and kill it after so many seconds; False where it has come to its end before."""
    with subprocess.Popen(argv(words, runs), stdout=subprocess.DEVNULL) as process:
        try:
            if process.wait(timeout=seconds) != 0:
                raise RuntimeError(f"{' '.join(words)} failed after it was killed")
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            return True


def study(command: str) -> Row:
    """Kill it again and again in a folder of its own, and in the next one where it came to its end."""
    words, draw = command.split(), random.Random(0)
    configs = configs_of(words)
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / "killed-0"]
        whole, began = Path(temporary) / "whole", time.perf_counter()
        to_its_end(words, whole)
        life = time.perf_counter() - began
        killed = 0
        while killed < KILLS[command]:
            if lives_on(words, folders[-1], draw.random() * life):
                killed += 1
            else:
                folders.append(Path(temporary) / f"killed-{len(folders)}")
        to_its_end(words, folders[-1])
        alike = sum(same(whole, folder, configs) for folder in folders)
    return {"kills": killed, "runs": len(folders) * len(configs), "runs that are the same to the bit": alike}


if __name__ == "__main__":
    complete("kills_anywhere", [{"command": command} for command in KILLS], study)
