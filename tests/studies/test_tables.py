"""Every table and figure is what the scripts make of the data, and stands in a page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from scripts import scripts
from studies.made_runs import ends, in_maze, supervised

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("tables", "tables_results", "tables_t_maze", "claims", "runs", "rows", "markdown_table") as found:
        yield found


def test_tables_are_made_from_the_data(modules: SimpleNamespace) -> None:
    committed = {file.name: file.read_text() for file in (DOCS / "tables").iterdir()}
    assert committed == modules.tables.all_tables()


def test_every_table_stands_in_one_page() -> None:
    included = [name for page in DOCS.glob("*.md") for name in re.findall(r'--8<-- "docs/(.*)"', page.read_text())]
    assert sorted(included) == sorted(f"tables/{file.name}" for file in (DOCS / "tables").iterdir())


def test_figures_are_of_as_many_runs(modules: SimpleNamespace) -> None:
    for runs in modules.runs.found_runs(modules.runs.SUPERVISED + modules.runs.T_MAZE):
        with Image.open(DOCS / f"{modules.runs.slug(runs)}.png") as picture:
            assert picture.info["Description"] == f"{len(runs)} runs"


def test_runs_are_whole_and_those_of_their_sweeps(modules: SimpleNamespace) -> None:
    sweeps = modules.runs.SUPERVISED + modules.runs.T_MAZE
    asked = [config for sweep in sweeps for config in modules.runs.planned(sweep)]
    for run in (run for runs in modules.runs.found_runs(sweeps) for run in runs):
        assert run.config in asked and run.folder == ROOT / "results" / run.config.name
        epochs = run.config.epochs or -(-run.config.episodes // 20)
        assert [row["epoch"] for row in run.rows] == list(range(epochs + 1))


def test_items_with_the_same_label_share_a_row(modules: SimpleNamespace) -> None:
    rows = [{"cell": "GRU", "of": {"a b": 1.25}}, {"cell": "LSTM", "of": {"a b": 2}}, {"cell": "GRU", "of": {"a b": 3}}]
    columns = modules.markdown_table.listed("| value", "{cell} | {of[a b]:.1f} s") | {"rows": len}
    assert modules.markdown_table.table(rows, columns).splitlines() == [
        "|  | value | rows |",
        "| --- | ---: | ---: |",
        "| GRU | 1.2 s, 3.0 s | 2 |",
        "| LSTM | 2.0 s | 1 |",
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [([1.0], "1.00"), ([0.0], "0.00"), ([0.00123] * 2, "0.00123 ± 0.00000"), ([10.0, 20.0, 60.0], "30.0 ± 26.5")],
)
def test_numbers_have_three_digits(values: list[float], shown: str, modules: SimpleNamespace) -> None:
    assert modules.tables_results.plus_minus(values).replace("&nbsp;", " ") == shown


def counts(table: str) -> list[list[str]]:
    """The cells of a table of cases, without the names of the claims."""
    return [line.strip("| ").split(" | ")[1:] for line in table.splitlines()[2:]]


def test_claims_of_supervised_runs(modules: SimpleNamespace) -> None:
    runs = [
        supervised("gru", "plain", **ends(0.8)),
        supervised("gru", "warmup", **ends(0.02, at=1)),
        supervised("gru", "double+warmup", **ends(0.01, at=2)),
        supervised("lstm", "plain", **ends(0.9)),
        supervised("lstm", "warmup", **ends(0.7)),
        supervised("brc", "plain", validation=[1.0, 1.0, 0.1, 0.05], vaa=[0.3, 0.4, 0.5, 0.6]),
        supervised("brc", "warmup", **ends(0.1, at=2)),
        supervised("brc", "double+warmup", **ends(0.04, at=3)),
    ]
    of_claims = modules.tables_results
    assert counts(modules.claims.cases(runs, of_claims.CLAIMS, of_claims.ASIDES)) == [
        ["open", "1 (GRU 1)", "0", "1 (BRC 1)"],  # learns faster: warmup
        ["open", "1 (GRU 1)", "1 (BRC 1)", "0"],
        ["open", "1 (GRU 1)", "1 (BRC 1)", "0"],  # ends better: warmup
        ["open", "2 (GRU 1, BRC 1)", "0", "0"],
        ["open", "1 (BRC 1)", "0", "0"],  # costs precision
        ["open", "2 (GRU 1, BRC 1)", "0", "0"],  # regains precision
        ["open", "1 (BRC 1)", "0", "0"],  # VAA rises
        ["", "1 (LSTM 1)", "0", "0"],  # ends better where neither learned: warmup
        ["", "0", "0", "0"],
        ["", "1 (BRC 1)", "0", "0"],  # more precise than plain
        ["", "0", "0", "2 (GRU 1, LSTM 1)"],  # VAA rises without learning
    ]
    nothing = counts(modules.claims.cases(runs[:1], of_claims.CLAIMS, {}))
    assert nothing == [["no cases", "0", "0", "0"]] * 7


def test_claims_of_agents(modules: SimpleNamespace) -> None:
    at_20, at_40, never = [0.0, 1.0, 0.5, 0.5], [0.0, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 0.5]
    runs = [
        in_maze("gru", "plain", 0, at_40, [1.0, 0.5, 0.5], (0.01, 0.6)),
        in_maze("gru", "warmup", 0, at_20, [1.0, 1.0, 0.5]),
        in_maze("gru", "double+warmup", 0, at_40),
        in_maze("lstm", "plain", 0, never),
        in_maze("lstm", "warmup", 0, never),
        in_maze("nbrc", "plain", 0, at_20, [1.0, 1.0, 1.0], (0.6, 0.62)),
        in_maze("nbrc", "warmup", 0, never),
    ]
    of_claims = modules.tables_t_maze
    assert counts(modules.claims.cases(runs, of_claims.CLAIMS, of_claims.ASIDES)) == [
        ["open", "1 (GRU 1)", "1 (nBRC 1)", "0"],  # sooner: warmup
        ["open", "0", "0", "1 (GRU 1)"],
        ["open", "1 (GRU 1)", "1 (nBRC 1)", "1 (LSTM 1)"],  # in longer mazes: warmup
        ["open", "0", "0", "1 (GRU 1)"],
        ["open", "1 (GRU 1)", "0", "1 (nBRC 1)"],  # VAA rises
        ["", "0", "0", "1 (LSTM 1)"],
    ]


def test_a_study_goes_on_where_it_stopped(
    modules: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules.rows, "ROOT", tmp_path)
    file = tmp_path / "studies" / "results" / "squares.json"
    file.parent.mkdir(parents=True)
    studied = []

    def square(of: int) -> dict[str, int]:
        studied.append(of)
        return {"square": of**2}

    for number in (2, 3):
        modules.rows.complete("squares", [{"of": one} for one in range(number)], square)
    assert studied == [0, 1, 2]
    assert json.loads(file.read_text())["rows"] == [{"of": one, "square": one**2} for one in range(3)]
