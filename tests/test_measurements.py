"""The figures in the documentation are those of the files that the benchmarks write."""

import json
from pathlib import Path
from statistics import median

from scripts import scripts

ROOT = Path(__file__).parents[1]


def test_the_page_is_made_from_the_results() -> None:
    with scripts("tables") as found:
        assert (ROOT / "docs" / "measurements.md").read_text() == found.tables.page()


def test_what_the_page_says_of_the_cells() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "multistability.json").read_text())["rows"]
    bistable = [row for row in rows if row["cell"] in ("BRC", "nBRC")]
    others = [row for row in rows if row not in bistable]
    assert (len(others), len(bistable)) == (24, 12)
    assert max(row["before"]["vaa"] for row in others) < 0.011 and min(row["before"]["vaa"] for row in bistable) > 0.28
    assert max(row["before"]["residual"] for row in rows) < 3e-7
    less = [row["cell"] for row in bistable if row["after"]["vaa"] < row["before"]["vaa"]]
    assert (less.count("BRC"), less.count("nBRC")) == (6, 4)
    slower = [row for row in bistable if row["after"]["vaa at 240 steps"] > row["before"]["vaa at 240 steps"]]
    assert len(slower) == 10


def test_what_the_documentation_says_of_the_layers() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "layers.json").read_text())["rows"]
    grus = {(row["hidden"], row["inputs"]): row["peak megabytes"] for row in rows if row["cell"] == "GRU"}
    ours = [row for row in rows if row["cell"] != "GRU"]
    assert all(row["time / GRU"] < 1 for row in ours)
    assert all(0.49 < row["peak megabytes"] / grus[row["hidden"], row["inputs"]] < 0.7 for row in ours)


def test_the_readme_quotes_the_demonstration() -> None:
    result = json.loads((ROOT / "docs" / "demo" / "result.json").read_text())
    readme = (ROOT / "README.md").read_text()
    for quoted in (
        f"| test error (MSE; chance is 1) | {result['loss_plain']:.3f} | {result['loss_warmup']:.4f} |",
        f"| VAA before training | {result['vaa_before']:.2f} | {result['vaa_after']:.2f} |",
    ):
        assert quoted in readme


def test_what_the_page_says_of_what_is_certified() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "certified.json").read_text())["rows"]
    assert len(rows) == 63
    single = [row for row in rows if row["cell"] in ("LSTM", "chrono LSTM", "GRU", "MGU")]
    new, warm = ([row for row in single if row["variant"] == variant] for variant in ("new", "warmup"))
    assert all(row["count"] == 1 and row["shares"] == {"equilibrium": 1.0} for row in new)
    assert max(row["count"] for row in warm) <= 2
    kept = [row for row in rows if "contraction" in row["variant"]]
    assert all(row["shares"] == {"equilibrium": 1.0} for row in kept)
    chrono = [row for row in kept if row["cell"] == "chrono LSTM"]
    assert all(row["count"] == 1 for row in chrono)
    before = {(row["cell"], row["seed"]): row for row in rows if row["variant"] == "bistable_"}
    after = {(row["cell"], row["seed"]): row for row in rows if row["variant"] == "bistable_, contraction"}
    assert all(after[key]["certified"] > row["certified"] for key, row in before.items())


def test_what_the_page_says_of_lasting_memory() -> None:
    results = ROOT / "benchmarks" / "results"
    single, double = (
        json.loads((results / f"lasting_memory_{kind}.json").read_text())["rows"] for kind in ("single", "double")
    )
    assert (len(single), len(double)) == (30, 24)
    for row in single + double:
        value = row["test"]["100"]
        # Nobody is between: either has learned it or is at chance.
        assert (value < 0.01 or value > 0.9) if row["task"] == "copy" else (value > 0.95 or 0.4 < value < 0.6)
        if row["variant"] != "none":
            assert (value < 0.01) if row["task"] == "copy" else (value > 0.95)
    for rows in (single, double):
        at = {
            variant: median(row["test"]["10000"] for row in rows if row["task"] == "copy" and row["variant"] == variant)
            for variant in ("bistable_", "bistable_, contraction")
        }
        assert at["bistable_, contraction"] > at["bistable_"]


def test_what_the_documentation_says_of_experiments() -> None:
    run, sweep = json.loads((ROOT / "benchmarks" / "results" / "kills.json").read_text())["rows"]
    assert len(run["killed"]) == len(sweep["killed"]) == 5
    assert run["times warmed up"] == 1
    assert run["epochs that changed"] == sweep["finished runs that were touched again"] == 0
    assert all(row["runs that are the same to the bit"] == row["runs"] for row in (run, sweep))
    configs = json.loads((ROOT / "benchmarks" / "results" / "small_configs.json").read_text())["rows"]
    small = (ROOT / "configs" / "small").glob("*.yaml")
    assert [row["config"] for row in configs] == sorted(path.relative_to(ROOT).as_posix() for path in small)
