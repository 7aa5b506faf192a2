"""Paths that can't be what a command asks for: each is refused in one line that names the argument."""

import os
from pathlib import Path

import pytest
from experiments.tiny import tiny, words

from multistable.cli import main
from multistable.experiments.store import replacing

LONG = "x" * 300


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err.strip().removeprefix(f"multistable {arguments[0]}: ")


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_a_folder(below: str, taken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = taken / below
    end = f"must be a folder, or a new one to make, got {asked}: {taken} is no folder"
    run = words(asked, taken.with_name("a.yaml"), tiny())
    for option, command in {"runs (--runs)": run, "out (--out)": ["demo", "--out", str(asked)]}.items():
        assert said(command, capsys) == f"{option} {end}"
    assert said(["sweep", "denoising", "--runs", str(asked)], capsys) == f"runs (--runs) {end}"


def test_a_link_that_leads_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "link"
    link.symlink_to("gone")
    for asked in (link, link / "deeper"):
        end = f"must be a folder, or a new one to make, got {asked}: {link} is a link that leads nowhere"
        assert said(words(asked, tmp_path / "a.yaml", tiny()), capsys) == f"runs (--runs) {end}"
        assert said(["demo", "--out", str(asked)], capsys) == f"out (--out) {end}"
        assert said(["sweep", "denoising", "--runs", str(asked)], capsys) == f"runs (--runs) {end}"


def test_a_link_that_leads_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    assert said(["run", str(link)], capsys) == f"config: Too many levels of symbolic links: {link}"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no folder that nobody can write to")
def test_a_folder_that_nothing_can_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end = "can't be written: No such file or directory: /proc/x"
    assert said(words(Path("/proc/x"), tmp_path / "a.yaml", tiny()), capsys) == f"runs (--runs) {end}"
    assert said(["sweep", "denoising", "--runs", "/proc/x"], capsys) == f"runs (--runs) {end}"
    assert said(["demo", "--out", "/proc/x"], capsys) == f"out (--out) {end}"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    command = words(shut, tmp_path / "a.yaml", tiny())
    shut.chmod(0o500)
    folder = shut / "copy_first_input"
    assert said(command, capsys) == f"runs (--runs) can't be written: Permission denied: {folder}"
    assert (
        said(["demo", "--out", str(shut)], capsys) == f"out (--out) must be a folder that can be written to, got {shut}"
    )
    shut.chmod(0)
    assert said(command, capsys) == f"runs (--runs): Permission denied: {shut / tiny().name}"


def test_a_page_of_the_longest_name(tmp_path: Path) -> None:
    page = tmp_path / ("x" * 250 + ".html")
    with replacing(page) as temporary:
        temporary.write_text("whole")
    assert page.read_text() == "whole" and list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize(("command", "argument"), [("run", "config"), ("sweep", "grid")])
def test_a_folder_in_the_place_of_a_file(
    command: str, argument: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = f"{argument} must be a YAML file or the name of one of the package, got the folder {tmp_path}"
    assert said([command, str(tmp_path)], capsys) == message


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "pixels", "--runs", LONG], "runs (--runs)"),
        (["sweep", "denoising", "--runs", LONG], "runs (--runs)"),
        (["demo", "--out", LONG], "out (--out)"),
        (["run", LONG], "config"),
        (["sweep", LONG], "grid"),
        (["report", LONG], "runs"),
        (["report", ".", "-o", f"/{LONG}"], "out (-o)"),
    ],
)
def test_names_that_are_too_long(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = said(arguments, capsys)
    assert message.startswith(f"{name}: File name too long: ")
    assert message.endswith(" characters") and len(message) < 200


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["report", ""], "runs"), (["report", ".", "-o", ""], "-o/--out"), (["run", "pixels", "--runs", ""], "--runs")],
)
def test_a_path_of_no_characters(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.endswith(f"error: argument {name}: must be a path, got ''\n")
