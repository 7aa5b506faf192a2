import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import plotly.graph_objects as go
import pytest
from experiments.tiny import tiny, words

from multistable.cli import main
from multistable.experiments import figures
from multistable.experiments._run import run
from multistable.experiments.config import Config
from multistable.experiments.results import collect, sections, spread

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "</script><script>document.title = 'taken'</script><b>&"


def configs() -> list[Config]:
    copying = [
        tiny(cell=cell, warmup=warmup, seed=seed, measure_every=2, evaluation_lengths=[3, 12])
        for cell in ("gru", "mgu")
        for warmup in (False, True)
        for seed in (0, 1)
    ]
    return [*copying, tiny("permuted_rows", batch_size=300, epochs=1, cache=HOSTILE)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for config in configs():
        run(config, folder)
    unfinished = tiny(seed=7)
    run(unfinished, folder)
    (folder / unfinished.name / "summary.json").unlink()
    return folder


@pytest.fixture(scope="module")
def page(runs: Path) -> Path:
    assert main(["report", str(runs), "-o", str(runs / "report.html")]) == 0
    return runs / "report.html"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data.strip()


def test_the_table_holds_means_and_deviations_over_seeds(runs: Path, page: Path) -> None:
    rows = Elements(page.read_text()).rows
    best = {}
    for cell in ("gru", "mgu"):
        for variant in ("plain", "warmup"):
            folders = [runs / f"copy_first_input/{cell}/{variant}/T6/seed-{seed}" for seed in (0, 1)]
            summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders]
            errors = [summary["test_metric"] for summary in summaries]
            best[cell.upper(), variant] = fmean(errors)
            (row,) = (row for row in rows if row[:2] == [cell.upper(), variant] and len(row[-1]) == 2)
            assert row[2] == f"{fmean(errors):.3g} ± {stdev(errors):.3g}"
            measures = [summary["vaa"] for summary in summaries]
            assert row[4] == f"{fmean(measures):.2f} ± {stdev(measures):.2f}"
    first, *_ = re.findall(r'<tr data-cell="(\w+)" data-variant="(\w+)" class="best best-of-cell">', page.read_text())
    assert best[first[0].upper(), first[1]] == min(best.values())
    assert ["chance", "", "1", *[""] * 6] in rows
    assert ["chance", "", "0.1", *[""] * 6] in rows


def test_unfinished_runs_are_named_and_left_out(page: Path) -> None:
    text = page.read_text()
    assert "What 9 runs found" in text
    assert "1 not finished, and left out" in text
    assert "copy_first_input/gru/plain/T6/seed-7" in text


def test_it_needs_nothing_else(page: Path) -> None:
    for tag, attributes in Elements(page.read_text()).found:
        assert tag not in ("img", "iframe", "object", "embed", "base")
        assert "src" not in attributes
        if tag != "a":
            assert "href" not in attributes
        elif "href" in attributes:
            assert str(attributes["href"]).startswith("#")


def test_each_run_has_its_settings(runs: Path, page: Path) -> None:
    text = page.read_text()
    found = {attributes.get("id") for tag, attributes in Elements(text).found if tag == "details"}
    for config in configs():
        assert config.name in found
        assert (
            html.escape((runs / config.name / "config.yaml").read_text(), quote=True).replace("&#x27;", "&#39;") in text
        )


def test_plotly_knows_all_that_the_figures_ask_for(runs: Path) -> None:
    for section in sections(collect(runs).runs):
        cells = [figure(section, cell) for cell in section.cells for figure in (figures.learning, figures.horizons)]
        cells += [figures.evaluation(section, cell) for cell in section.cells]
        for figure in [figures.overview(section), figures.time_spent(section), *cells]:
            go.Figure(figure)  # refuses what it does not know


def test_curves_are_means_within_the_range_of_seeds(runs: Path) -> None:
    section = next(one for one in sections(collect(runs).runs) if one.config.task == "copy_first_input")
    band, line = figures.learning(section, "gru")["data"][:2]
    assert line["x"] == [0, 1, 2]
    assert band["x"] == [0, 1, 2, 2, 1, 0]
    for mean, most, least in zip(line["y"], band["y"], band["y"][::-1], strict=False):
        assert least <= mean <= most
    assert figures.learning(section, "gru")["data"][3]["x"] == [0, 2]  # VAA, at its own cadence
    lengths = figures.evaluation(section, "gru")["data"][0]
    assert lengths["x"] == [3, 6, 12]


def test_unlike_runs_are_not_compared(runs: Path) -> None:
    found = collect(runs).runs
    assert [len(section.groups) for section in sections(found)] == [4, 1]
    longer = [one for one in found if one.config.cell == "gru"]
    changed = [type(one)(tiny(cell="gru", epochs=5), one.summary, one.rows, one.folder) for one in longer[:1]]
    assert len(sections([*longer, *changed])) == len(sections(longer)) + 1


def test_spread() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.deviation, found.least, found.most) == (3.0, 7**0.5, 1.0, 6.0)
    assert spread([2.0]).deviation == 0


CLICKS = """
<script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
addEventListener("load", () => {
  const seen = {title: document.title, ready: document.body.dataset.ready};
  const shown = selector => [...document.querySelectorAll(selector)].filter(one => one.offsetParent !== null).length;
  const look = name => {
    const traces = [...document.querySelectorAll(".js-plotly-plot")].filter(one => one.offsetParent !== null)
      .flatMap(one => one.data.filter(({visible}) => visible !== false));
    seen[name] = {
      sections: shown("section[data-task]"),
      rows: shown("tr[data-variant]"),
      plots: [...document.querySelectorAll(".js-plotly-plot")]
        .filter(one => one.offsetParent !== null && one.querySelector(".main-svg .trace")).length,
      variants: [...new Set(traces.map(({meta}) => meta.variant))].sort(),
      cells: [...new Set(traces.map(({meta}) => meta.cell))].sort(),
    };
  };
  const box = (name, value) => document.querySelector(`input[name=${name}][value="${value}"]`);
  look("all");
  box("variant", "plain").click();
  look("without plain");
  box("variant", "plain").click();
  box("cell", "mgu").click();
  look("without mgu");
  box("cell", "mgu").click();
  const task = document.getElementById("task");
  task.value = "permuted_rows";
  task.dispatchEvent(new Event("change", {bubbles: true}));
  look("rows alone");
  task.value = "";
  task.dispatchEvent(new Event("change", {bubbles: true}));
  look("all again");
  const link = document.querySelector("tr[data-variant] a");
  link.click();
  setTimeout(() => {
    seen.open = [...document.querySelectorAll("main details[open]")].map(one => one.id);
    seen.link = link.getAttribute("href");
    seen.errors = errors;
    seen.fetched = performance.getEntriesByType("resource").map(({name}) => name);
    const result = document.createElement("pre");
    result.id = "seen";
    result.textContent = JSON.stringify(seen);
    document.body.append(result);
  }, 500);
});
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed")
def test_opened_and_clicked_in_a_browser(page: Path, tmp_path: Path) -> None:
    clicked = tmp_path / "clicked.html"
    clicked.write_text(page.read_text().replace("<head>", f"<head>{CLICKS}", 1))
    browser = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [*browser, "--window-size=1300,900", "--virtual-time-budget=20000", "--dump-dom", clicked.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="seen">(.*?)</pre>', finished.stdout, re.DOTALL)
    assert found is not None, finished.stderr
    seen: dict[str, Any] = json.loads(html.unescape(found[1]))
    assert seen["errors"] == [] and seen["fetched"] == []
    assert (seen["title"], seen["ready"]) == ("Runs: 9", "yes")
    both = {"variants": ["plain", "warmup"], "cells": ["gru", "mgu"]}
    # Two figures for each section and three for each of its cells.
    everything = {"sections": 2, "rows": 5, "plots": 2 * 2 + 3 * 3, **both}
    assert seen["all"] == everything
    assert seen["without plain"] == {**everything, "sections": 1, "rows": 2, "plots": 8, "variants": ["warmup"]}
    assert seen["without mgu"] == {**everything, "rows": 3, "plots": 10, "cells": ["gru"]}
    assert seen["rows alone"] == {"sections": 1, "rows": 1, "plots": 5, "variants": ["plain"], "cells": ["gru"]}
    assert seen["all again"] == everything
    assert seen["open"] == [seen["link"][1:]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "holds no run: there is no config.yaml anywhere in it"),
        ({"a/config.yaml": "task: copy_first_input\nlength: 5\n"}, "holds no finished run, and 1 unfinished"),
        ({"a/config.yaml": "task: copying\n", "a/summary.json": "{}"}, "task must be one of"),
        (
            {"a/config.yaml": "task: copy_first_input\nlength: 5\n", "a/summary.json": "[", "a/metrics.csv": "epoch\n"},
            "summary.json is no JSON that can be read",
        ),
    ],
)
def test_bad_folders(content: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_pages_that_can_not_be_written(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "nowhere"), "-o", str(tmp_path / "report.html")]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    (tmp_path / "new.ckpt").symlink_to(tmp_path / "page.html")
    run_folder = runs / configs()[0].name
    (tmp_path / "metrics.html").symlink_to(run_folder / "metrics.csv")

    def there() -> dict[Path, tuple[int, int]]:
        found = [path for folder in (tmp_path, run_folder) for path in folder.iterdir() if path.exists()]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    before = there()
    for out, message in {
        tmp_path / "file" / "report.html": "must be in a folder that is there",
        tmp_path / "fifo": "must be a new file or an ordinary one to replace",
        tmp_path / "link": "must be a new file or an ordinary one to replace",
        tmp_path: "must be a new file or an ordinary one to replace",
        tmp_path / "old.ckpt": "must not be a checkpoint",
        tmp_path / "new.ckpt": "must not be a checkpoint",
        run_folder / "start.ckpt": "must not be a checkpoint",
        run_folder / "config.yaml": "must be outside of the folders of runs",
        run_folder / "deeper.html": "must be outside of the folders of runs",
        tmp_path / "metrics.html": "must be outside of the folders of runs",
    }.items():
        assert main(["report", str(runs), "-o", str(out)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"multistable report: out (-o) {message}, got {out}") and said.count("\n") == 1
    assert there() == before
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "config.yaml").write_text("task: copy_first_input\nlength: 5\n")
    assert main(["report", str(runs), "-o", str(tmp_path / "fresh" / "config.yaml")]) == 2


def test_a_link_leads_to_the_page(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "config.yaml").write_text("theme: dark\n")  # of something else
    (tmp_path / "pages" / "old.html").write_text("old")
    (tmp_path / "link.html").symlink_to(tmp_path / "pages" / "old.html")
    assert main(["report", str(runs), "-o", str(tmp_path / "link.html")]) == 0
    assert (tmp_path / "link.html").is_symlink()
    assert "What 9 runs found" in (tmp_path / "pages" / "old.html").read_text()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("summary.json", "{}", "summary.json lacks metric"),
        ("summary.json", '{"metric": NaN}', "summary.json is no JSON that can be read: it holds NaN"),
        ("summary.json", '{"metric": 1e999}', "summary.json is no JSON that can be read: it holds 1e999"),
        ("summary.json", "[" * 100_000, "summary.json is no JSON that can be read"),
        ("metrics.csv", "", "metrics.csv holds no row"),
        ("metrics.csv", "a,b\n1,2\n", "metrics.csv lacks epoch"),
        ("metrics.csv", "epoch\nx\n", "metrics.csv is damaged: could not convert string to float: 'x'"),
        ("metrics.csv", "epoch\nnan\n", "metrics.csv is damaged: epoch is nan"),
        ("metrics.csv", "epoch,vaa\n1\n", "metrics.csv is damaged: a row is longer or shorter than the first"),
        ("metrics.csv", "epoch\n1,2\n", "metrics.csv is damaged: a row is longer or shorter than the first"),
        ("config.yaml", "task: maze\n", "config.yaml is damaged, or no run's: task must be one of"),
    ],
)
def test_what_a_run_wrote_is_damaged(name: str, text: str, message: str, tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    (tmp_path / tiny().name / name).write_text(text)
    results = collect(tmp_path)
    assert results.runs == [] and message in results.damaged[tmp_path / tiny().name]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metric", None),
        ("higher_is_better", None),
        ("test_metric", True),
        ("test_metric", 10**400),
        ("evaluation", [{}]),
        ("evaluation", [{"length": 6, "metric": 1.0}]),
        ("traces", {}),
        ("traces", {"before": {}, "start": {}, "end": {}}),
        ("traces", {key: {"horizons": [1, 2], "vaa": [1.0]} for key in ("before", "start", "end")}),
        ("warmup", "x"),
        ("seconds", {}),
        ("seconds", {"training": 1.0, "evaluation": 1.0}),
        ("versions", None),
    ],
)
def test_a_summary_that_no_run_writes(key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").write_text(json.dumps({**summary, key: value}))
    results = collect(tmp_path)
    assert results.runs == [] and f"summary.json is damaged: {key} is " in results.damaged[tmp_path / tiny().name]
    assert main(words(tmp_path, tmp_path / "a.yaml", tiny())) == 2
    assert f"summary.json is damaged: {key} is " in capsys.readouterr().err


def test_one_damaged_run_keeps_no_other_from_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1, 2):
        run(tiny(seed=seed), tmp_path / "runs")
    whole, damaged, lost = (tmp_path / "runs" / tiny(seed=seed).name for seed in (0, 1, 2))
    (damaged / "summary.json").write_text("{")
    (lost / "metrics.csv").unlink()
    (lost / "checkpoint.ckpt").unlink()
    (whole / "metrics.csv").rename(tmp_path / "metrics.csv")
    assert main(["report", str(tmp_path / "runs"), "-o", str(tmp_path / "page.html")]) == 1
    printed = capsys.readouterr()
    assert printed.out.endswith("page.html, on 1 finished runs; 0 are not finished\n")
    first, second = printed.err.splitlines()
    assert first.startswith(f"multistable report: left out: {damaged / 'summary.json'} is no JSON that can be read")
    assert second == f"multistable report: left out: {lost / 'metrics.csv'} is lost"
    page = (tmp_path / "page.html").read_text()
    assert "2 damaged, and left out" in page and str(lost) in page
    # What was lost was in the checkpoint.
    assert (whole / "metrics.csv").read_bytes() == (tmp_path / "metrics.csv").read_bytes()


def test_a_run_that_is_there_twice(tmp_path: Path) -> None:
    run(tiny(), tmp_path / "runs")
    shutil.copytree(tmp_path / "runs", tmp_path / "runs" / "copy")
    with pytest.raises(ValueError, match="hold the same run; leave one of them out"):
        collect(tmp_path / "runs")
