import html
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

import pytest
from experiments.shown import configs
from experiments.tiny import tiny

from multistable.cli import main
from multistable.experiments import figures, report
from multistable.experiments._run import run
from multistable.experiments.results import Results, collect, sections


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


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no folder that nobody can write to")
def test_where_no_page_can_be_written(runs: Path) -> None:
    with pytest.raises(OSError, match="^out \\(-o\\) can't be written: No such file or directory: /proc/a.html$"):
        report.write_report(runs, Path("/proc/a.html"))


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
        assert any(str(one).endswith(f"/{config.name}") for one in found)
        assert (
            html.escape((runs / config.name / "config.yaml").read_text(), quote=True).replace("&#x27;", "&#39;") in text
        )


def test_curves_are_means_within_the_range_of_seeds(runs: Path) -> None:
    section = next(one for one in sections(collect(runs).runs) if one.config.task == "copy_first_input")
    shown, measured = figures.learning(section, "gru").panels
    curve = shown.curves[0]
    assert curve.xs == [0, 1, 2]
    for mean, least, most in zip(curve.means, curve.least, curve.most, strict=True):
        assert least <= mean <= most
    assert measured.curves[0].xs == [0, 2]  # VAA, at its own cadence
    assert figures.evaluation(section, "gru").panels[0].curves[0].xs == [3, 6, 12]


def test_elements_can_be_understood_without_seeing_them(page: Path) -> None:
    found = Elements(page.read_text()).found
    tags = [tag for tag, _ in found]
    figures_of_page = [attributes for _, attributes in found if attributes.get("role") == "img"]
    assert len(figures_of_page) == tags.count("figure") == tags.count("figcaption") == 2 * 2 + 3 * 3
    for attributes in figures_of_page:
        assert re.search(r"(GRU|MGU) (plain|warmup).*: .*\d", attributes["aria-label"] or "")
    assert tags.count("caption") == tags.count("table") == 2
    for tag, attributes in found:
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in found:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def test_a_figure_stands_before_the_table(page: Path) -> None:
    for section in page.read_text().split("<section ")[1:]:
        assert section.index("<figure") < section.index("<table")


def test_warmups_that_differ_have_a_section_each_and_share_the_runs_without(runs: Path) -> None:
    plain, steps_2 = tiny(epochs=1, warmup_steps=2), tiny(epochs=1, warmup=True, warmup_steps=2)
    made = [
        plain,
        steps_2,
        replace(plain, warmup_steps=3),
        replace(steps_2, warmup_steps=3),
        replace(plain, warmup_steps=4, seed=1),
        replace(plain, warmup_steps=5, lr=0.1),
        replace(plain, warmup_steps=6, length=7),
    ]
    there = [one for one in collect(runs).runs if one.config.task == "copy_first_input"]
    changed = [replace(one, config=config) for one, config in zip(there, made, strict=False)]
    found = sections(changed)
    shown = [[[changed.index(one) for one in group.runs] for group in section.groups] for section in found]
    assert shown == [[[0, 4], [1]], [[0, 4], [3]], [[5]], [[6]]]
    text = report.page(Results(changed, [], {}), runs)
    assert re.findall("<h2 .*>(.*)</h2>", text) == [
        "Copy first input, T6, warmup_steps 2, lr 0.001",
        "Copy first input, T6, warmup_steps 3, lr 0.001",
        "Copy first input, T6, lr 0.1",
        "Copy first input, T7",
    ]
    assert "What 6 runs found" in text and "1 epoch of 50 sequences" in text
    ids = [attributes["id"] for _, attributes in Elements(text).found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(attributes["href"]) for tag, attributes in Elements(text).found if tag == "a"}
    assert links <= {f"#{one}" for one in ids}


def test_hard_gates_are_compared_to_what_does_without_them(runs: Path) -> None:
    made = [
        tiny(epochs=1),
        tiny(epochs=1, warmup=True, warmup_steps=2),
        tiny(epochs=1, hardness=0.3),
        tiny(epochs=1, hardness=0.5),
        tiny(epochs=1, hardness=0.5, warmup=True, warmup_steps=3),
        tiny(epochs=1, hardening_end=0.9, seed=1),
    ]
    there = [one for one in collect(runs).runs if one.config.task == "copy_first_input"]
    changed = [replace(one, config=config) for one, config in zip(there, made, strict=False)]
    found = sections(changed)
    shown = [[[changed.index(one) for one in group.runs] for group in section.groups] for section in found]
    assert shown == [[[0, 5], [3], [4]], [[0, 5], [1], [2]]]
    assert [(one.config.hardness, one.config.warmup_steps) for one in found] == [(0.5, 3), (0.3, 2)]


def test_a_run_that_differs_in_nothing_that_decides_is_left_out_by_name(runs: Path) -> None:
    here, there, *_ = [one for one in collect(runs).runs if one.config.task == "copy_first_input"]
    alike = [
        replace(here, config=tiny(epochs=1)),
        replace(there, config=tiny(epochs=1, warmup_steps=3, hardening_end=1.0)),
    ]
    text = report.page(Results(alike, [], {}), runs)
    assert "What 1 run found" in text
    name = there.folder.relative_to(runs).as_posix()
    assert f'>1 like another in all that decides, and left out</summary><pre tabindex="0">{name}</pre>' in text


def test_unlike_runs_are_not_compared(runs: Path) -> None:
    found = collect(runs).runs
    assert [len(section.groups) for section in sections(found)] == [4, 1]
    longer = [one for one in found if one.config.cell == "gru"]
    changed = [type(one)(tiny(cell="gru", epochs=5), one.summary, one.rows, one.folder) for one in longer[:1]]
    assert len(sections([*longer, *changed])) == len(sections(longer)) + 1


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
    assert "runs must be a folder that is there, got " in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
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
        tmp_path / "loop": "must not be a link that leads to itself",
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
    assert printed.out.endswith("page.html, on 1 finished run; 0 are not finished\n")
    first, second = printed.err.splitlines()
    assert first.startswith(f"multistable report: left out: {damaged / 'summary.json'} is no JSON that can be read")
    assert second == f"multistable report: left out: {lost / 'metrics.csv'} is lost"
    page = (tmp_path / "page.html").read_text()
    assert "2 damaged, and left out" in page and str(lost) in page
    # What was lost was in the checkpoint.
    assert (whole / "metrics.csv").read_bytes() == (tmp_path / "metrics.csv").read_bytes()
