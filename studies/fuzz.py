"""Try the command on settings, files and run folders that nobody would write, and count what comes of it.

Run: python studies/fuzz.py
"""

import contextlib
import io
import json
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rows import ROOT

from multistable.cli import main
from multistable.experiments import Config, run

EXAMPLES = 500
CONFIG = Config(
    task="copy_first_input",
    length=6,
    samples=50,
    test_samples=30,
    hidden=4,
    batch_size=8,
    epochs=2,
    warmup=True,
    warmup_steps=2,
    warmup_horizon=5,
    measure_n=8,
    measure_horizon=20,
    attractors_horizon=128,
)
TEXT = yaml.safe_dump(CONFIG.to_dict(), sort_keys=False)
CHANGEABLE = ("summary.json", "metrics.csv")
"""Files in which a figure for another is no damage that could be seen."""

FILES = (*CHANGEABLE, "config.yaml", "start.ckpt", "warmup.json", "checkpoint.ckpt")

# No size that is honest work for hours.
VALUES = ["-1", "0", "1", "2", "3", "1e-3", "0.5", "1e300", "1e999", ".nan", "-.inf", "1" + 30 * "0", "true", "null"]
VALUES += ["''", "gru", "rnn", "chrono", "pixels", "t_maze", "[]", "[3]", "[1e9]", "{a: 1}", "[", "!!bool x", "&a [*a]"]
LIKELY = {
    "task": ["flip_flop", "pixels", "denoising"],
    "cell": ["rnn", "gru", "lstm", "mgu", "brc", "nbrc"],
    "init": ["chrono", "bistable"],
    "lr": ["1e36", "1e10", "1e-300"],
    "warmup_lr": ["1e36", "1e10"],
    "hardness": ["0.3", "1e10"],
    "hidden": ["1", "2", "5"],
    "layers": ["1", "3"],
    "length": ["1", "9"],
    "batch_size": ["3", "1000000"],
    "samples": ["4", "10"],
    "validation": ["0.5", "0.99"],
    "warmup_target": ["1", "1e-9"],
    "warmup_max_prefix": ["1", "null"],
    "measure_n": ["2", "1000000"],
    "measure_horizon": ["1", "9000000000000000000"],
    "evaluation_lengths": ["[1, 9]", "[9, 9]"],
    "double": ["true"],
}
WORDS = st.one_of(
    st.tuples(st.sampled_from([field.name for field in fields(Config)] + ["hiden"]), st.sampled_from(VALUES)),
    st.sampled_from([(key, value) for key, values in LIKELY.items() for value in values]),
)
CHANGES = st.sampled_from(["flip", "cut", "random", "empty", "gone", "folder"])


def finished(folder: Path) -> Path:
    """A folder of all runs, with a finished one."""
    run(CONFIG, folder)
    return folder


def command(words: list[str]) -> str:
    """What comes of a command: done, failed or refused; raise if it says nothing of it, or more than a line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    said = err.getvalue().splitlines()
    if (status == 0) != (said == []) or len(said) > 1 or status not in (0, 1, 2):
        raise AssertionError(f"{words} ended with {status}, and said {said}")
    return ("done", "failed", "refused")[status]


def settings_of_words(words: list[tuple[str, str]]) -> str:
    """A run with some settings changed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        path.write_text(TEXT)
        changed = [f"{key}={value}" for key, value in dict(words).items()]
        return command(["run", str(path), "--runs", f"{folder}/runs", *changed])


def settings_of_text(lines: list[tuple[str, str]], junk: bytes, place: int) -> str:
    """A run of a file with some lines changed, and bytes put into it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        text = "".join(f"{key}: {value}\n" for key, value in {**CONFIG.to_dict(), **dict(lines)}.items())
        place %= len(text)
        path.write_bytes(text[:place].encode() + junk + text[place:].encode())
        return command(["run", str(path), "--runs", f"{folder}/runs"])


def damage(path: Path, change: str, place: int, junk: bytes) -> None:
    held = path.read_bytes()
    place %= len(held)
    path.unlink()
    if change == "folder":
        path.mkdir()
    elif change != "gone":
        flipped = held[:place] + bytes([held[place] ^ 1]) + held[place + 1 :]
        path.write_bytes({"flip": flipped, "cut": held[:place], "random": junk, "empty": b""}[change])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def end_of(folder: Path) -> tuple[bytes, float]:
    """What a run came to."""
    return (folder / "metrics.csv").read_bytes(), json.loads((folder / "summary.json").read_text())["test_metric"]


def damaged_run(whole: Path, ended: bool, name: str, change: str, place: int, junk: bytes) -> str:
    """A run and a report on a folder of which one file is damaged: either comes to what it was, or says so."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        shutil.copytree(whole, runs)
        there = runs / CONFIG.name
        if not ended:
            (there / "summary.json").unlink()
        if (there / name).exists():
            damage(there / name, change, place, junk)
        (Path(folder) / "a.yaml").write_text(TEXT)
        before = contents(runs)
        report = command(["report", str(runs), "-o", f"{folder}/page.html"])
        came = command(["run", f"{folder}/a.yaml", "--runs", str(runs)])
        after = contents(runs)
        if came != "done" and any(after.get(path) != held for path, held in before.items()):
            raise AssertionError("a run that was refused has changed a file")
        seen = not (ended and name in CHANGEABLE)
        if came == "done" and seen and end_of(there) != end_of(whole / CONFIG.name):
            raise AssertionError("a run came to another end")
        return f"run {came}, report {report}"


def try_all(examples: int, number: int) -> Counter[str]:
    """Try so many examples, drawn by a seed; how many came to which outcome.

    Raises:
        AssertionError: an outcome is none that is meant.
    """
    outcomes: Counter[str] = Counter()
    junk, place = st.binary(max_size=12), st.integers(0, 10**6)
    names = st.sampled_from(FILES)
    with tempfile.TemporaryDirectory() as folder:
        whole = finished(Path(folder))
        cases: st.SearchStrategy[tuple[str, Callable[..., str], tuple[Any, ...]]] = st.one_of(
            st.tuples(st.just("words"), st.just(settings_of_words), st.tuples(st.lists(WORDS, min_size=1, max_size=3))),
            st.tuples(st.just("file"), st.just(settings_of_text), st.tuples(st.lists(WORDS, max_size=2), junk, place)),
            st.tuples(
                st.just("folder"),
                st.just(damaged_run),
                st.tuples(st.just(whole), st.booleans(), names, CHANGES, place, junk),
            ),
        )

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases)
        def attempt(case: tuple[str, Callable[..., str], tuple[Any, ...]]) -> None:
            kind, tried, arguments = case
            outcomes[f"{kind}: {tried(*arguments)}"] += 1

        attempt()
    return outcomes


if __name__ == "__main__":
    found = try_all(EXAMPLES, 0)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    result = {"versions": versions, "examples": found.total(), "outcomes": dict(sorted(found.items()))}
    (ROOT / "studies" / "results" / "fuzz.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
