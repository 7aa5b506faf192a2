"""Paths that can't be what a command asks for: each is refused in one line that names the argument."""

from pathlib import Path

import pytest
from experiments.tiny import tiny, words

from multistable.cli import main

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
    assert message.startswith(f"{name} must be a path that the system takes, got ")
    assert message.endswith("characters: File name too long") and len(message) < 200


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["report", ""], "runs"), (["report", ".", "-o", ""], "-o/--out"), (["run", "pixels", "--runs", ""], "--runs")],
)
def test_a_path_of_no_characters(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.endswith(f"error: argument {name}: must be a path, got ''\n")
