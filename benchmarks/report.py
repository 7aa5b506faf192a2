"""Reports of 200 and of 1,000 runs: their size, the seconds to make them, and to open them in a browser.

Run: python benchmarks/report.py
"""

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import write

from multistable.experiments.config import Config, variant_keys
from multistable.experiments.report import write_report
from multistable.experiments.store import METRICS, SUMMARY, claim, write_csv, write_json

CELLS, VARIANTS, SEEDS = ("gru", "lstm", "mgu", "brc", "nbrc"), ("plain", "warmup"), range(5)
EPOCHS, HORIZONS = 100, (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 960, 1920, 2000)
COUNTS, REPEATS = (200, 1000), 3
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# Laid out, as far as it is: what is off the screen a browser may leave until it is scrolled to.
CLOCK = """<script>addEventListener("load", () => {
  document.body.offsetHeight;
  document.documentElement.dataset.seconds = performance.now() / 1000;
});</script>"""


def write_runs(folder: Path, count: int) -> None:
    """Runs of as many lengths as that takes, each with all that one of a real sweep leaves for a report."""
    lengths = [50 * place for place in range(1, 1 + count // (len(CELLS) * len(VARIANTS) * len(SEEDS)))]
    for length, cell, variant, seed in product(lengths, CELLS, VARIANTS, SEEDS):
        settings: dict[str, Any] = {
            "cell": cell,
            "seed": seed,
            "epochs": EPOCHS,
            "evaluation_lengths": [length // 2, 2 * length],
        }
        config = Config(task="copy_first_input", length=length, **settings, **variant_keys(variant))
        claim(folder / config.name, config)
        write_run(folder / config.name, config)


def write_run(folder: Path, config: Config) -> None:
    """Made-up numbers in the form of a run's."""
    random = np.random.default_rng(config.seed)
    errors = 10 ** np.minimum(0, np.cumsum(random.normal(-0.02, 0.05, EPOCHS + 1)))
    vaa = random.uniform(0.01, 1, EPOCHS + 1)
    columns = ("epoch", "validation_loss", "validation_metric", "vaa", "residual")
    table = zip(range(EPOCHS + 1), errors, errors, vaa, random.random(EPOCHS + 1), strict=True)
    write_csv(folder / METRICS, [dict(zip(columns, map(float, row), strict=True)) for row in table])
    error = float(errors[-1])
    trace = {"horizons": HORIZONS, "vaa": np.sort(random.random(len(HORIZONS)))[::-1].tolist()}
    lengths = sorted({config.horizon, *config.evaluation_lengths})
    summary = {
        "name": config.name,
        "metric": "mean squared error",
        "higher_is_better": False,
        "chance": 1.0,
        "test_metric": error,
        "evaluation": [{"length": length, "metric": error * (length / config.horizon)} for length in lengths],
        "vaa": float(vaa[-1]),
        "residual": 1e-3,
        "certified": float(vaa[0]),
        "traces": dict.fromkeys(("before", "start", "end"), trace),
        "warmup": {"message": "VAA went from 0.01 to 0.97 in 100 steps of warmup"} if config.warmup else None,
        "attractors": {"count": 1, "shares": {"equilibrium": 1.0}},
        "seconds": {"warmup": 10.0 * config.warmup, "training": 100.0, "evaluation": 20.0},
        "versions": {"python": "3", "torch": "2"},
    }
    write_json(folder / SUMMARY, summary)


def seconds_to_open(page: Path) -> float:
    """From the start of loading to a page that is laid out, in a browser that has never seen it; the median."""
    clocked = page.with_name("clocked.html")
    clocked.write_text(page.read_text().replace("<head>", f"<head>{CLOCK}", 1))
    return statistics.median(opened(clocked) for _ in range(REPEATS))


def opened(page: Path) -> float:
    """What the clock in the page says."""
    with tempfile.TemporaryDirectory() as profile:
        browser = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command = [*browser, "--window-size=1400,900", "--dump-dom", page.as_uri()]
        seen = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    found = re.search(r'data-seconds="([\d.]+)"', seen)
    if found is None:
        raise RuntimeError("the browser showed the page before it was loaded")
    return float(found[1])


def row(count: int, folder: Path) -> dict[str, Any]:
    """Of one report."""
    write_runs(folder / "runs", count)
    page = folder / "report.html"
    start = time.perf_counter()
    found = write_report(folder / "runs", page)
    seconds = time.perf_counter() - start
    opening = {"seconds to open": round(seconds_to_open(page), 2)} if BROWSER else {}
    megabytes = round(page.stat().st_size / 1e6, 2)
    return {"runs": len(found.runs), "megabytes": megabytes, "seconds to make": round(seconds, 1), **opening}


if __name__ == "__main__":
    rows = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(count, Path(folder)))
    write("report", rows)
