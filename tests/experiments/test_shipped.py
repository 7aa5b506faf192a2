"""The experiments of the package are found by name, in the repository and in a wheel."""

import runpy
import zipfile
from pathlib import Path

import pytest

from multistable.cli import main
from multistable.experiments import read_config, read_sweep
from multistable.experiments.shipped import locate, names

ROOT = Path(__file__).parents[2]


def test_names_are_those_of_the_files() -> None:
    small = names()[len(names()) // 2 :]
    assert [f"small/{name}" for name in names() if "/" not in name] == small
    for name in names():
        assert read_config(name) == read_config(ROOT / "configs" / f"{name}.yaml")
    for name in names(sweeps=True):
        assert read_sweep(name) == read_sweep(ROOT / "configs" / "sweeps" / f"{name}.yaml")


def test_a_file_wins_and_a_folder_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pixels").mkdir()
    assert locate(Path("pixels")) == ROOT / "configs" / "pixels.yaml"
    (tmp_path / "pixels").rmdir()
    (tmp_path / "pixels").write_text("task: copy_first_input\nlength: 7\n")
    assert read_config("pixels").length == 7
    (tmp_path / "denoising").write_text("config: pixels\ncells: [gru]\nvariants: [plain]\nlengths: [8]\nseeds: [0]\n")
    assert [one.name for one in read_sweep("denoising").configs] == ["copy_first_input/gru/plain/T8/seed-0"]
    (tmp_path / "pixels").unlink()
    assert [one.task for one in read_sweep("denoising").configs] == ["pixels"]


@pytest.mark.parametrize(
    ("command", "kind", "asked", "meant"),
    [
        ("run", "experiment", "small/pixel", "small/pixels"),
        ("sweep", "sweep", "initialisers", "small/initialisers"),
        ("sweep", "sweep", "small/permuted-pixels-1", "small/permuted-rows"),
    ],
)
def test_unknown_names(command: str, kind: str, asked: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, asked]) == 2
    said = capsys.readouterr().err
    known = ", ".join(names(sweeps=command == "sweep"))
    assert said == (
        f"multistable {command}: {asked} is no file, and no {kind} of the package, which has {known}; "
        f"did you mean '{meant}'?\n"
    )


def test_the_name_of_a_sweep_without_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "initialisers"]) == 2
    end = "; small/initialisers is a sweep: use multistable sweep small/initialisers\n"
    assert capsys.readouterr().err.endswith(end)


@pytest.mark.parametrize("asked", ["small/initialisers", str(ROOT / "configs" / "sweeps" / "pixels.yaml")])
def test_a_sweep_is_no_experiment(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", asked]) == 2
    assert capsys.readouterr().err == f"multistable run: {asked} is a sweep: use multistable sweep {asked}\n"


@pytest.mark.parametrize("asked", ["small/pixels", str(ROOT / "configs" / "pixels.yaml")])
def test_an_experiment_is_no_sweep(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", asked]) == 2
    assert capsys.readouterr().err == f"multistable sweep: {asked} is one experiment: use multistable run {asked}\n"


def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    wheels = pytest.importorskip("hatchling.builders.wheel")
    (wheel,) = wheels.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    installed = runpy.run_path(str(tmp_path / "multistable" / "experiments" / "shipped.py"))
    assert installed["names"]() == names() and installed["names"](sweeps=True) == names(sweeps=True)
    found = installed["locate"](Path("small/pixels"))
    assert found.is_relative_to(tmp_path) and read_config(found) == read_config("small/pixels")
