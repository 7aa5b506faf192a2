"""The wall time of each experiment in configs/small/, from the command to its end.

Run: python benchmarks/small_configs.py
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import write

from multistable.experiments.read import read_config
from multistable.experiments.store import SUMMARY

CONFIGS = Path(__file__).parents[1] / "configs" / "small"


def row(path: Path, runs: Path) -> dict[str, Any]:
    """Run it as a user would, and say how long that took and what came of it."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "multistable", "run", str(path), "--runs", str(runs)], check=True)
    seconds = time.perf_counter() - start
    summary = json.loads((runs / read_config(path, []).name / SUMMARY).read_text())
    return {
        "config": path.relative_to(CONFIGS.parents[1]).as_posix(),
        "seconds": round(seconds),
        "of which": {part: round(value, 1) for part, value in summary["seconds"].items()},
        "metric": summary["metric"],
        "test": round(summary["test_metric"], 4),
        "chance": summary["chance"],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write("small_configs", [row(path, Path(folder)) for path in sorted(CONFIGS.glob("*.yaml"))])
