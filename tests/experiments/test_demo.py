import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread

from multistable.cli import main
from multistable.experiments.demo import CELLS, DemoConfig, new_network, run_demo, train

TINY: dict[str, Any] = {"length": 12, "hidden": 8, "steps": 3, "warmup_steps": 2, "batch_size": 16}
ARGUMENTS = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.mark.slow
def test_warmup_makes_a_task_learnable() -> None:
    """A small form of the demonstration, long enough that a network without warmup stays at chance."""
    result = run_demo(DemoConfig(length=60, layers=1, steps=150, lr=3e-3, seed=0))
    assert result.loss_plain > 0.9
    assert result.loss_warmup < 0.1
    assert result.early_before.vaa == pytest.approx(0.01)
    assert result.early_after.vaa > 0.5


@pytest.mark.parametrize(("cell", "double"), [*((cell, False) for cell in CELLS), ("brc", True)])
def test_same_seed_same_figures(cell: str, double: bool) -> None:
    state = torch.get_rng_state()
    results = [run_demo(DemoConfig(cell=cell, double=double, seed=3, **TINY)) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert results[0].curve_plain == results[1].curve_plain
    assert results[0].curve_warmup == results[1].curve_warmup
    assert results[0].loss_warmup == results[1].loss_warmup
    assert results[0].curve_plain != results[0].curve_warmup


def test_gates_are_hard_after_training() -> None:
    config = DemoConfig(cell="brc", hardness=0.3, **TINY)
    model = new_network(config)
    train(model, config, "", progress=False)
    assert model.rnn.get_buffer("hardness") == 0.3


def test_double_layers_are_warmed_up_by_half() -> None:
    result = run_demo(DemoConfig(cell="brc", double=True, **TINY))
    assert result.warmup.history.layers == ("first.0.l0", "first.1.l0")


def test_chrono_is_an_lstm_whose_forget_gates_are_open() -> None:
    networks = [new_network(DemoConfig(cell=cell, **TINY)) for cell in ("lstm", "chrono")]
    biases = [network.rnn.get_parameter("bias_ih_l0")[8:16] for network in networks]
    assert biases[0].min() < 0 <= biases[1].min()


def test_the_command_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *ARGUMENTS, "--seed", "5", "--cell", "lstm", "--out", str(tmp_path / "new" / "folder")]) == 0
    folder = tmp_path / "new" / "folder"
    result = json.loads((folder / "result.json").read_text())
    wanted = {"loss_plain", "loss_warmup", "vaa_before", "vaa_after", "warmup_seconds", "training_seconds"}
    assert wanted <= result.keys()
    assert result["settings"] == {
        **TINY,
        "seed": 5,
        "cell": "lstm",
        "layers": 2,
        "lr": 1e-3,
        "double": False,
        "hardness": 0.0,
    }
    assert result["loss_plain"] == run_demo(DemoConfig(cell="lstm", seed=5, **TINY)).loss_plain
    for name in ("curves.png", "multistability.png"):
        assert imread(folder / name)[..., :3].std() > 0.05  # something is drawn
    printed = capsys.readouterr()
    assert f"{result['loss_warmup']:.4f}" in printed.out
    assert "training with warmup" in printed.err


def test_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "multistable", "demo", *ARGUMENTS, "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "transformer"], "cell must be one of rnn, gru, lstm, mgu, brc, nbrc, chrono, got 'transformer'"),
        (["--length", "0"], "length must be at least 1, got 0"),
        (["--steps", "-1"], "steps must be at least 1, got -1"),
        (["--lr", "nan"], "lr must be finite and above 0, got nan"),
        (["--double", "--hidden", "1"], "hidden must be at least 2, got 1"),
        (["--batch-size", "1"], "batch_size must be at least 2, got 1"),
        (["--lr", "1e38"], "lr must be at most 1e+37, got 1e+38"),
        (["--hidden", "1000000000"], "hidden and layers: at least 32,000,000,000 GB of memory are asked for"),
        (["--length", "10000000000000"], "length: at least 40,000,000 GB of memory are asked for"),
        (["--batch-size", "10000000000000"], "batch_size, length and hidden: at least 256,000,000 GB of memory"),
        (["--steps", "100000000000000000000"], "steps must be at most 2^63 - 1, got 100000000000000000000"),
        (["--seed", "-1"], "seed must lie in 0..2^62 - 1, got -1"),
    ],
)
def test_bad_settings(arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_loss_that_explodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *ARGUMENTS, "--lr", "1e30", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "multistable demo: failed: the loss of step 2 is inf: a smaller lr may help"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["demo", "--out", str(tmp_path / "taken")]) == 2
    assert "taken" in capsys.readouterr().err


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["dance"])
    assert stopped.value.code == 2
    assert "invalid choice: 'dance'" in capsys.readouterr().err
