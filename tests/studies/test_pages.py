"""Numbers that stand in sentences, and what sentences conclude, are held to the data."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from types import SimpleNamespace
from typing import Any

import pytest
from scripts import scripts

ROOT = Path(__file__).parents[2]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("tables_findings", "tables_start_questions", "tables_starts", "comparisons", "runs") as found:
        yield found


def says(sentence: str, page: str = "docs/measurements.md") -> bool:
    """Whether a page has these words, whatever its lines."""
    return sentence in " ".join((ROOT / page).read_text().split())


def rows_of(name: str) -> list[Row]:
    (file,) = ROOT.glob(f"*/results/{name}.json")
    rows: list[Row] = json.loads(file.read_text())["rows"]
    return rows


def test_the_readme_quotes_the_demonstration() -> None:
    result = json.loads((ROOT / "docs" / "demo" / "result.json").read_text())
    errors = f"{result['loss_plain']:.3f} | {result['loss_warmup']:.4f}"
    assert says(f"| test error (MSE; chance is 1) | {errors} |", "README.md")
    assert says(f"| VAA before training | {result['vaa_before']:.2f} | {result['vaa_after']:.2f} |", "README.md")


def test_versions(modules: SimpleNamespace) -> None:
    files = [*ROOT.glob("benchmarks/results/*.json"), *ROOT.glob("studies/results/*.json")]
    ((python, torch, machine),) = {tuple(json.loads(file.read_text())["versions"].values()) for file in files}
    assert says(f"({machine}) with Python {python} and torch {torch}.")
    for page, sweeps in {"results": modules.runs.SUPERVISED, "results-t-maze": modules.runs.T_MAZE}.items():
        found = [run.summary["versions"] for runs in modules.runs.found_runs(sweeps) for run in runs]
        ((python, torch),) = {(one["python"], one["torch"]) for one in found}
        assert says(f"Python {python} and torch {torch}.", f"docs/{page}.md")
        assert says(f"falls if it changes by more than {modules.comparisons.MOVED:g}.", f"docs/{page}.md")


def test_cells() -> None:
    rows = rows_of("multistability")
    bistable = [row for row in rows if row["cell"] in ("BRC", "nBRC")]
    others = [row for row in rows if row not in bistable]
    assert says(f"holds in all {len(rows)}. The {len(others)} LSTMs, GRUs and MGUs have a single equilibrium")
    assert says(f"the {len(bistable)} BRCs and nBRCs have many, at rest.")
    assert max(row["before"]["vaa"] for row in others) < 0.011 and min(row["before"]["vaa"] for row in bistable) > 0.28
    assert max(row["before"]["residual"] for row in rows) < 3e-7
    less = [row["cell"] for row in bistable if row["after"]["vaa"] < row["before"]["vaa"]]
    assert says("in all six networks, and of an nBRC in four of six") and (less.count("BRC"), less.count("nBRC")) == (
        6,
        4,
    )
    slower = [row for row in bistable if row["after"]["vaa at 240 steps"] > row["before"]["vaa at 240 steps"]]
    assert says("rises in ten of the twelve") and len(slower) == 10


def test_certified() -> None:
    rows = rows_of("certified")
    single = [row for row in rows if row["cell"] not in ("BRC", "nBRC")]
    assert all(row["count"] == 1 for row in single if row["variant"] == "new")
    assert all(row["count"] <= 2 for row in single if row["variant"] == "warmup")
    kept = [row for row in rows if "contraction" in row["variant"]]
    assert all(row["shares"] == {"equilibrium": 1.0} for row in kept)
    assert all(row["count"] == 1 for row in kept if row["cell"] == "chrono LSTM")
    certified = {(row["variant"], row["cell"], row["seed"]): row["certified"] for row in rows}
    for (variant, *network), value in certified.items():
        if variant == "bistable_":
            assert certified["bistable_, contraction", *network] > value
        if variant == "contraction" and network[0] != "chrono LSTM":
            assert certified["warmup", *network] < value


def test_lasting_memory(modules: SimpleNamespace) -> None:
    tested = {task: modules.tables_findings.memory_rows(task) for task in ("sign", "copy")}
    learned = {
        task: [row for row in rows if modules.tables_findings.LEARNED[task](row["test"]["100"])]
        for task, rows in tested.items()
    }
    # None is between: what has not learned a task is at chance.
    assert all(0.4 < row["test"]["100"] < 0.6 for row in tested["sign"] if row not in learned["sign"])
    assert all(row["test"]["100"] > 0.9 for row in tested["copy"] if row not in learned["copy"])
    counts = {task: f"{len(learned[task])} of {len(tested[task])}" for task in tested}
    alone = sum(row["variant"] == "none" for rows in learned.values() for row in rows)
    helped = f"{alone} of these without any help before training."
    assert says(f"{counts['sign']} networks learned the sign, and {counts['copy']} the copy; {helped}")
    last = [row["test"]["100000"] for row in learned["sign"]]
    nearly, exactly = sum(share >= 0.99 for share in last), sum(share == 1 for share in last)
    assert says(f"after 100,000 steps {nearly} networks have it right in 99 % or more, {exactly} in all")


def test_copies_that_last(modules: SimpleNamespace) -> None:
    rows = modules.tables_findings.memory_rows("copy")

    def error(length: str, variant: str, double: bool) -> float:
        group = [row for row in rows if row["variant"] == variant and row["double"] == double]
        return float(median(row["test"][length] for row in group))

    best = min({(row["variant"], row["double"]) for row in rows}, key=lambda one: error("100000", *one))
    assert says("best off at 100,000 steps is `bistable_, double`.") and best == ("bistable_", True)
    for double in (False, True):
        assert error("10000", "bistable_, contraction", double) > error("10000", "bistable_", double)


def test_what_is_proven_of_hard_gates() -> None:
    rows = rows_of("hard_gates_held")
    margin = [row["bounds"] for row in rows if row["cell"] == "gru" and row["gates"] == "margin"]
    distinct = sum(row["5"]["distinct"] == row["5"]["n"] for row in margin)
    page = "docs/lasting-memory.md"
    assert says(f"{distinct} of the {len(margin)} GRUs that were trained for their margin have all 64 states", page)
    every = [at for row in rows for at in row["bounds"].values()]
    assert all(at["moved by an adversary"] == 0 for at in every)
    assert [at["moved in a million steps"] for at in margin[0].values()] == [0, 0, 0]
    assert all(sum(at["share"]) == 0 for row in rows if row["cell"] == "lstm" for at in row["bounds"].values())


def test_layers() -> None:
    rows = rows_of("layers")
    grus = {(row["hidden"], row["inputs"]): row["peak megabytes"] for row in rows if row["cell"] == "GRU"}
    ours = [row for row in rows if row["cell"] != "GRU"]
    assert says("train faster than `nn.GRU` on a CPU, in 50 to 70 % of its memory", "docs/layers.md")
    assert all(row["time / GRU"] < 1 for row in ours)
    assert all(0.49 < row["peak megabytes"] / grus[row["hidden"], row["inputs"]] < 0.7 for row in ours)


def test_recurrent_ppo() -> None:
    after = {(row["seed"], row["variant"]): row["solved after steps"] for row in rows_of("recurrent_ppo")}
    ratios = [after[seed, "plain"] / steps for (seed, variant), steps in after.items() if variant == "warmup"]
    assert says(f"Without the warmup it took {min(ratios):.1f} to {max(ratios):.1f} times as many steps, seed by seed.")


def test_kills() -> None:
    run, sweep = rows_of("kills")
    assert run["times warmed up"] == 1
    assert run["epochs that changed"] == sweep["finished runs that were touched again"] == 0
    assert all(row["runs that are the same to the bit"] == row["runs"] for row in (run, sweep))
    anywhere = rows_of("kills_anywhere")
    assert all(row["runs that are the same to the bit"] == row["runs"] for row in anywhere)
    assert says("sixty kills of runs, sweeps and T-Mazes", "docs/experiments.md")
    assert len(run["killed"]) + len(sweep["killed"]) + sum(row["kills"] for row in anywhere) == 60


def test_the_cost_of_a_warmup() -> None:
    *small, first, second = (row["warmup / epoch"] for row in rows_of("warmup_cost"))
    words = (
        f"it is {min(small):.0f} to {max(small):.0f} epochs, and on one of the paper's size {first:.0%} of the first."
    )
    assert says(words.replace("%", " %"), "docs/training-loops.md") and f"{first:.0%}" == f"{second:.0%}"


def test_every_small_experiment_was_timed() -> None:
    small = [path.relative_to(ROOT).as_posix() for path in (ROOT / "configs" / "small").glob("*.yaml")]
    assert [row["config"] for row in rows_of("small_configs")] == sorted(small)


PAGE = "docs/which-start.md"


def test_which_start(modules: SimpleNamespace) -> None:
    kinds: dict[tuple[str, bool], list[float]] = {}
    for row in rows_of("lstm_starts"):
        kinds.setdefault((row["start"], row["readout_first"]), []).append(row["after"]["2000"]["test"])
    chrono, both, warm = kinds["chrono_", False], kinds["chrono_, warmup", False], kinds["warmup", False]
    lost = [error for error in warm if error > 0.5]
    assert says(f"and {len(lost)} of {len(warm)} seeds end near chance or there", PAGE)
    assert median(error for error in warm if error not in lost) < median(chrono)
    again = sum(error > 0.5 for error in kinds["warmup", True])
    assert says(f"leaves {again} of {len(warm)} with an error above 0.5.", PAGE)
    lower = sum(one < other for one, other in zip(both, chrono, strict=True))
    assert says(f"all {len(both)} learn, to a lower median error than after chrono alone, though seed by seed", PAGE)
    assert says(f"it is lower in {lower} of {len(both)}.", PAGE)
    assert max(both) < 0.1 and median(both) < median(chrono)
    places = modules.tables_starts.mean_places(modules.tables_starts.learned("LSTM"))
    assert says("two starts lead, close to each other: `chrono_` alone, and both in a double layer.", PAGE)
    first, second, third, *_ = sorted(places.values())
    assert {places["chrono_"], places["chrono_, warmup, doubled"]} == {first, second}
    assert second - first < third - second
    digits: dict[str, list[float]] = {}
    for row in modules.tables_starts.learned("LSTM"):
        if row["task"] == "rows":
            digits.setdefault(row["start"], []).append(row["test"][-1])
    shares = [f"{100 * median(digits[start]):.0f}" for start in ("linear autoencoder", "chrono_")]
    assert says(f"nearly as well from it as from chrono gates ({' and '.join(shares)} %).", PAGE)
    assert max(digits["linear autoencoder"]) > min(digits["chrono_"])
    by_start: dict[str, list[float]] = {}
    for row in modules.tables_starts.learned("GRU"):
        if row["task"] == "rows":
            by_start.setdefault(row["start"], []).append(row["test"][-1])
    best = sorted(by_start, key=lambda start: -median(by_start[start]))[:2]
    assert says("are among the best starts that a GRU was given on digits", PAGE) and "uniform_gates_" in best


def test_agents_from_each_start(modules: SimpleNamespace) -> None:
    firsts: dict[tuple[str, str], list[int | None]] = {}
    for row in rows_of("maze_starts"):
        firsts.setdefault((row["start"], row["cell"]), []).append(modules.tables_start_questions.first_optimal(row))
    assert firsts["new", "LSTM"] == firsts["uniform_gates_", "LSTM"] == [None] * 3
    assert None not in firsts["bistable_", "LSTM"] + firsts["chrono_, warmup, doubled", "LSTM"]
    assert says("after 200 episodes at most, where a new one takes 280 and more, or does not come there.", PAGE)
    assert max(one or 1000 for one in firsts["warmup", "GRU"]) == 200
    assert None in firsts["new", "GRU"] and min(one or 1000 for one in firsts["new", "GRU"]) == 280
    assert [firsts["chrono_", cell].count(None) for cell in ("GRU", "LSTM")] == [1, 1]
    assert all(
        max(one or 1000 for one in seeds) > 200
        for (start, cell), seeds in firsts.items()
        if cell == "GRU" and start != "warmup"
    )
    seconds = median(row["seconds of training"] for row in rows_of("maze_starts"))
    assert says(f"400 episodes take {seconds:.0f} s here in the median", PAGE)


def test_the_penalty_on_a_relu_network() -> None:
    errors: dict[tuple[int, bool, bool], list[float]] = {}
    for row in rows_of("manifold"):
        errors.setdefault((row["length"], row["identity"], row["weight"] > 0), []).append(row["test"])
    best = [
        row["test"] for row in rows_of("manifold") if (row["length"], row["identity"], row["weight"]) == (20, False, 1)
    ]
    assert says(f"with a weight of 1 comes to {median(best):.6f} in the median.", PAGE)
    assert min(errors[20, False, False]) > 1 and max(errors[20, False, True]) < 0.01
    assert all(error > 0.9 for key, several in errors.items() if key[0] == 100 for error in several)


def test_precision_where_training_has_converged() -> None:
    least: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows_of("convergence"):
        least.setdefault((row["cell"], row["seed"]), {})[row["start"]] = min(row["error"])
    assert all(min(of_cell.values()) > 0.3 for (cell, _), of_cell in least.items() if cell == "BRC")
    assert all(
        of_cell["new"] > 0.9 and of_cell["warmup"] < 1e-3 for (cell, _), of_cell in least.items() if cell == "LSTM"
    )
    pairs = [of_cell for of_cell in least.values() if of_cell["new"] < 0.1 and "warmup" in of_cell]
    ratios = [of_cell["warmup"] / of_cell["new"] for of_cell in pairs]
    assert min(ratios) > 0.2 and max(ratios) < 2.2
    assert says(f"and smaller in {sum(ratio < 1 for ratio in ratios)} of {len(ratios)} networks;", PAGE)
    both = [of_cell for of_cell in least.values() if "warmup, doubled" in of_cell and of_cell["warmup"] < 0.1]
    assert sum(of_cell["warmup, doubled"] > of_cell["warmup"] for of_cell in both) > len(both) / 2
    steps = {(row["cell"], row["seed"], row["start"]): len(row["error"]) for row in rows_of("convergence")}
    doubled = [case for case in steps if case[2] == "warmup, doubled"]
    assert all(steps[case] >= steps[*case[:2], "warmup"] for case in doubled)


def test_who_leads() -> None:
    for row in rows_of("who_leads"):
        rises = next((k for k, vaa in enumerate(row["vaa"]) if vaa >= max(0.1, max(row["vaa"]) / 2)), len(row["vaa"]))
        halves = next((k for k, error in enumerate(row["error"]) if error <= row["error"][0] / 2), None)
        if row["cell"] == "RNN":
            assert halves == rises + 1 and row["every"] == 25
        if row["cell"] in ("GRU", "MGU", "nBRC") and row["start"] == "new":
            assert halves is not None and halves < rises


def test_a_warmed_up_gru_is_behind_on_leaves_at_first() -> None:
    rows = [row for row in rows_of("starts_learning_OSULeaf") if row["cell"] == "GRU" and row["seed"] == 0]
    new, warm = (next(row["test"] for row in rows if row["start"] == start) for start in ("new", "warmup"))
    assert says("is far behind after five seconds, and ahead of one that starts as it is only after ten.", PAGE)
    assert warm[0] < new[0] - 0.1 and warm[1] > new[1]


def test_where_multistability_comes_from() -> None:
    rows = rows_of("starts")
    single = ("RNN", "GRU", "LSTM", "MGU")
    vaa: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        vaa.setdefault((row["cell"], row["start"]), []).append(row["vaa"])
        if row["cell"] in single:
            assert (row["certified"] > 2 / 64) == (row["start"] == "bistable_")
    for cell in single:
        assert max(*vaa[cell, "next step"], *vaa[cell, "linear autoencoder"]) * 64 <= 1
    for cell, start in [
        *(("RNN", "autoencoder"), ("nBRC", "autoencoder"), ("BRC", "chrono_"), ("nBRC", "chrono_")),
        ("nBRC", "orthogonal_"),
    ]:
        assert mean(vaa[cell, start]) > 1.3 * mean(vaa[cell, "new"])
    assert all(mean(vaa[cell, "next step"]) < mean(vaa[cell, "new"]) for cell in ("BRC", "nBRC"))
