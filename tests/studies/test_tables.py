"""Every table and figure is what the scripts make of the data, and stands in a page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from scripts import scripts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("tables", "tables_results", "runs", "rows", "markdown_table") as found:
        yield found


def test_tables_are_made_from_the_data(modules: SimpleNamespace) -> None:
    committed = {file.name: file.read_text() for file in (DOCS / "tables").iterdir()}
    assert committed == modules.tables.all_tables()


def test_every_table_stands_in_one_page() -> None:
    included = [name for page in DOCS.glob("*.md") for name in re.findall(r'--8<-- "docs/(.*)"', page.read_text())]
    assert sorted(included) == sorted(f"tables/{file.name}" for file in (DOCS / "tables").iterdir())


def test_figures_are_of_as_many_runs(modules: SimpleNamespace) -> None:
    for runs in modules.runs.found_runs(modules.runs.SUPERVISED + modules.runs.T_MAZE):
        with Image.open(DOCS / f"{modules.runs.slug(runs[0].config)}.png") as picture:
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


@pytest.mark.parametrize(
    "study", ["certified", "demo_seeds", "max_prefix", "multistability", "recurrent_ppo", "third_party"]
)
def test_studies_have_nothing_left_to_do(study: str) -> None:
    with scripts(study, "rows") as found:
        rows = found.rows.findings(study)
        assert all(any(case.items() <= row.items() for row in rows) for case in vars(found)[study].CASES)


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
