import csv
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from experiments.tiny import tiny, words
from torch import nn

from multistable.cli import main
from multistable.experiments._run import prepare, run
from multistable.experiments.config import Config
from multistable.experiments.data import examples_to_test, examples_to_train, seed_for, shuffled, task_of
from multistable.experiments.memory import asking
from multistable.experiments.network import new_network
from multistable.experiments.training import evaluate

HERE = Path(__file__).parent


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "config",
    [
        tiny(cell="mgu", init="bistable", double=True, evaluation_lengths=[3, 12]),
        tiny("denoising", length=14, forgetting=6, cell="brc", warmup=True, evaluation_lengths=[8]),
        tiny("flip_flop", cell="lstm", init="chrono", warmup=True, measure_every=2, evaluation_lengths=[9]),
        tiny("pixels", cell="nbrc", batch_size=300, epochs=1),
        tiny(init="chrono", hardness=0.25, double=True, evaluation_lengths=[12]),
        tiny("permuted_pixels", padding=2, cell="rnn", batch_size=300, epochs=1, double=True, warmup=True),
        tiny("permuted_rows", padding=4, batch_size=300, warmup=True, evaluation_lengths=[0, 9]),
    ],
    ids=lambda config: config.name,
)
def test_every_task_from_end_to_end(config: Config, tmp_path: Path) -> None:
    assert config.epochs is not None
    state = torch.get_rng_state()
    summary = run(config, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    folder = tmp_path / config.name
    assert summary == json.loads((folder / "summary.json").read_text())
    rows = rows_of(folder)
    assert [int(row["epoch"]) for row in rows] == list(range(config.epochs + 1))
    assert [bool(row["vaa"]) for row in rows] == [
        epoch % config.measure_every == 0 or epoch == config.epochs for epoch in range(config.epochs + 1)
    ]
    assert float(rows[-1]["vaa"]) == summary["vaa"] and float(rows[-1]["residual"]) == summary["residual"]
    assert [one["length"] for one in summary["evaluation"]] == sorted([config.horizon, *config.evaluation_lengths])
    assert 1 / config.measure_n <= summary["vaa"] <= 1.0001
    assert (folder / "warmup.json").exists() == config.warmup == (summary["warmup"] is not None)
    assert summary["traces"]["end"]["vaa"][-1] == summary["vaa"]
    assert (summary["traces"]["before"] == summary["traces"]["start"]) == (not config.warmup)


def test_the_checkpoint_is_what_was_trained_and_tested(tmp_path: Path) -> None:
    """A loop by hand comes to the same weights, to the bit, and they to the same test error."""
    config = tiny(epochs=2)
    summary = run(config, tmp_path)
    data = examples_to_train(config)
    network = new_network(config, data.train)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.lr)
    for epoch in (1, 2):
        for inputs, targets in shuffled(data.train, config.batch_size, seed_for(config.seed, "order", epoch)):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(inputs), targets).backward()
            optimizer.step()
    checkpoint = torch.load(tmp_path / config.name / "checkpoint.ckpt", weights_only=True)
    for name, value in network.state_dict().items():
        assert torch.equal(value, checkpoint["state_dict"][f"network.{name}"]), name
    inputs, targets = examples_to_test(config)
    with torch.no_grad():
        error = nn.functional.mse_loss(network(inputs).double(), targets.double()).item()
    assert summary["test_metric"] == pytest.approx(error, rel=1e-6)  # float32 sums of 30 squares


def test_gates_are_hard_at_the_end_of_training(tmp_path: Path) -> None:
    """20 training steps, of which those from the 4th to the 10th harden; what is tested is the hard network."""
    config = tiny(cell="lstm", init="chrono", hardness=0.25, hardening_start=0.2, hardening_end=0.5, epochs=4)
    summary = run(config, tmp_path)
    checkpoint = torch.load(tmp_path / config.name / "checkpoint.ckpt", weights_only=True)
    assert checkpoint["state_dict"]["network.rnn.hardness"] == 0.25
    assert checkpoint["hardening"]["last_step"] == checkpoint["hardening"]["steps"] == 20
    network = new_network(config, examples_to_train(config).train)
    assert network.rnn.hardness == 0
    weights = {key.removeprefix("network."): value for key, value in checkpoint["state_dict"].items()}
    network.load_state_dict(weights)
    score = task_of(config).score
    assert evaluate(network, examples_to_test(config), score)[1] == summary["test_metric"]
    network.rnn.hardness.zero_()
    assert evaluate(network, examples_to_test(config), score)[1] != summary["test_metric"]


def test_a_smaller_last_batch_counts_for_what_it_holds() -> None:
    """The published code divides by a batch too few; here all sequences weigh the same."""
    config = tiny(test_samples=1003)
    examples = examples_to_test(config)
    network = new_network(config, examples)
    with torch.no_grad():
        squares = (network(examples.inputs).double() - examples.targets.double()).square()
    assert evaluate(network, examples, task_of(config).score)[0] == pytest.approx(squares.mean().item(), rel=1e-6)


def test_an_epoch_shows_each_sequence_once_in_an_order_of_its_own() -> None:
    train = examples_to_train(tiny()).train
    orders = [torch.cat([batch.inputs for batch in shuffled(train, 7, seed)])[:, 0, 0] for seed in (0, 0, 1)]
    for order in orders:
        assert torch.equal(order.sort().values, train.inputs[:, 0, 0].sort().values)
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_training_validation_and_test_share_no_sequence() -> None:
    config = tiny()
    data = examples_to_train(config)
    firsts = torch.cat([one.inputs[:, 0, 0] for one in (*data, examples_to_test(config))])
    assert len(firsts.unique()) == len(firsts) == 80
    assert [len(one.inputs) for one in data] == [40, 10]


def test_the_seed_decides_and_the_last_batch_of_training_is_kept(tmp_path: Path) -> None:
    config = tiny(samples=51, epochs=2)  # 41 to train with: five batches of 8 and one of a single sequence
    first, again, other = (
        run(one, tmp_path / name)
        for one, name in ((config, "a"), (config, "b"), (tiny(samples=51, epochs=2, seed=1), "c"))
    )
    for summary in (first, again, other):
        del summary["seconds"]
    assert first == again
    assert first["test_metric"] != other["test_metric"]
    checkpoint = torch.load(tmp_path / "a" / config.name / "checkpoint.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 6 * 2


def test_variants_start_from_the_same_weights_where_they_share_them() -> None:
    examples = examples_to_train(tiny()).train
    plain, warmed = (new_network(tiny(warmup=warmup), examples) for warmup in (False, True))
    for one, other in zip(plain.parameters(), warmed.parameters(), strict=True):
        assert torch.equal(one, other)
    chrono = new_network(tiny(cell="lstm", init="chrono", hidden=64, length=6), examples)
    assert chrono.rnn.get_parameter("bias_ih_l0")[64:128].min() >= 0  # forget gates
    bistable = new_network(tiny(init="bistable"), examples)
    assert torch.equal(bistable.rnn.get_parameter("weight_hh_l0")[8:], 2 * torch.eye(4))


@pytest.mark.slow
def test_killed_at_any_moment_a_run_comes_to_the_same_end(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "killed.py"), str(tmp_path), "copy_first_input"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    moments = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(moments) == 11
    for moment in moments:
        assert all(moment.values()), moment


@pytest.mark.slow
def test_the_command_goes_on_after_a_signal(tmp_path: Path) -> None:
    """Killed, told to end, and interrupted: each ends it with the status that tells so."""
    config = tiny(epochs=60, measure_every=1000)
    command = [sys.executable, "-m", "multistable", *words(tmp_path, tmp_path / "a.yaml", config)]
    # Ctrl-C is ignored in what a shell has started in the background.
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    folder = tmp_path / config.name
    done = 0
    for sent, status in (
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGINT, 130),
    ):
        started = [sys.executable, "-c", heeding, *command]
        process = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not (folder / "metrics.csv").exists() or len(rows_of(folder)) <= done:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(sent)
        said = process.communicate()[1]
        assert process.returncode == status
        assert said == ("multistable run: interrupted\n" if sent == signal.SIGINT else "")
        done = len(rows_of(folder))
        assert done < 61
    assert main(command[3:]) == 0
    assert len(rows_of(folder)) == 61
    assert main([*words(tmp_path / "whole", tmp_path / "a.yaml", config)]) == 0
    for name in ("metrics.csv", "config.yaml"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / config.name / name).read_bytes()


def test_what_is_finished_is_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = words(tmp_path / "runs", tmp_path / "a.yaml", tiny())
    assert main(command) == 0
    first = capsys.readouterr().out
    files = {one: one.stat().st_mtime_ns for one in (tmp_path / "runs").rglob("*")}
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert {one: one.stat().st_mtime_ns for one in (tmp_path / "runs").rglob("*")} == files
    metrics = tmp_path / "runs" / tiny().name / "metrics.csv"
    written = metrics.read_bytes()
    metrics.unlink()
    assert main(command) == 0
    assert metrics.read_bytes() == written


def test_fewer_sequences_than_are_to_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = words(tmp_path / "runs", tmp_path / "a.yaml", tiny(epochs=1, measure_n=11))
    said = "measure_n is 11, and validation has 10 sequences: all are measured"
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[0] == said
    assert main([*command, "measure_n=10", "seed=1"]) == 0
    assert said[:9] not in capsys.readouterr().out


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / tiny().name
    folder.mkdir(parents=True)
    old, new = folder / ".checkpoint.ckpt.1.tmp", folder / ".checkpoint.ckpt.2.tmp"
    for leftover in (old, new):
        leftover.write_text("")
    os.utime(old, (0, 0))
    run(tiny(), tmp_path)
    assert not old.exists() and new.exists()


def test_words_after_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path / "runs", tmp_path / "a.yaml", tiny()), "cell=mgu", "epochs=1"]) == 0
    assert "copy_first_input/mgu/plain/T6/seed-0: mean squared error" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words(tmp_path / "runs", tmp_path / "a.yaml", tiny()), "--fast"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["hiden=3"], "unknown key 'hiden'; did you mean 'hidden'?"),
        (["hidden=many"], "hidden must be an int, got str"),
        (["cell=rnn", "init=chrono"], "init must be one that the cell rnn has a meaning for, got 'chrono'"),
        (["padding=-1"], "padding does not belong to the task copy_first_input"),
        (["hidden=5", "double=true"], "hidden must be even where double is true, got 5"),
        (["device=cuda"], "device is cuda, and torch finds no GPU to use"),
        (
            ["hidden=1000000000"],
            "hidden and layers: at least 32,000,000,000 GB of memory are asked for",
        ),
        (["layers=1000000000000"], "hidden and layers: at least 256,000 GB of memory are asked for, and there are "),
        (["length=1000000000000"], "samples and length: at least 200,000 GB of memory are asked for, and there are "),
        (["evaluation_lengths=[1000000000000]"], "test_samples, length and evaluation_lengths: at least 120,000 GB"),
        (["batch_size=100000000000000000000"], "batch_size must be at most 2^63 - 1, got 100000000000000000000"),
        (["lr=1e300"], "lr must be at most 1e+37, got 1e+300"),
        (["--logger", "paper"], "logger must be one of none, tensorboard, wandb, got 'paper'"),
    ],
)
def test_bad_settings(
    changes: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([*words(tmp_path / "runs", tmp_path / "a.yaml", tiny()), *changes]) == 2
    assert f"multistable run: {message}" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_loss_that_explodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path / "runs", tmp_path / "a.yaml", tiny()), "lr=1e36"]) == 1
    said = capsys.readouterr().err
    name = "copy_first_input/gru/plain/T6/seed-0"
    message = "the training loss of epoch 1 is (inf|nan): a smaller lr may help"
    assert re.fullmatch(f"multistable run: {name} failed: {message}\n", said)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on files")
def test_a_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files may grow to 2,000 bytes: the settings fit, the weights do not."""
    import resource

    command = words(tmp_path / "runs", tmp_path / "a.yaml", tiny())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        assert main(command) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    folder = tmp_path / "runs" / tiny().name
    said = capsys.readouterr().err
    assert said == f"multistable run: {tiny().name} failed: [Errno 27] File too large: '{folder / 'start.ckpt'}'\n"
    assert {one.name for one in folder.iterdir()} <= {"config.yaml", "error.txt"}
    assert main(command) == 0


def test_memory_that_is_refused() -> None:
    message = "^there is too little memory: samples decide how much is needed$"
    with pytest.raises(MemoryError, match=message), asking("samples"):
        torch.empty(2**50)
    with pytest.raises(RuntimeError, match="^inconsistent tensor size"), asking("samples"):
        torch.ones(2) @ torch.ones(3)


def test_missing_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    config = tiny("pixels", source="mnist", cache=str(tmp_path / "taken"))
    assert main(words(tmp_path / "runs", tmp_path / "a.yaml", config)) == 2
    assert "multistable run: source is mnist: MNIST could not be fetched" in capsys.readouterr().err


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "a.yaml")]) == 2
    assert "a.yaml" in capsys.readouterr().err


def test_folders_that_can_not_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        prepare(tiny(), tmp_path / "file")
    strange = tmp_path / tiny().name
    strange.mkdir(parents=True)
    (strange / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="is not empty, and holds no run: there is no config.yaml in it"):
        prepare(tiny(), tmp_path)


def test_a_folder_of_another_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tiny(), tmp_path)
    before = {one: one.read_bytes() for one in (tmp_path / tiny().name).iterdir()}
    message = "holds another experiment: hidden is 4 there, and 6 here; lr is 0.001 there, and 0.01 here"
    with pytest.raises(ValueError, match=message):
        run(tiny(hidden=6, lr=0.01), tmp_path)
    assert main([*words(tmp_path, tmp_path / "a.yaml", tiny()), "lr=0.01"]) == 2
    assert "lr is 0.001 there, and 0.01 here" in capsys.readouterr().err
    assert {one: one.read_bytes() for one in (tmp_path / tiny().name).iterdir()} == before


def test_a_run_that_failed_at_once_is_in_nobodys_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = words(tmp_path / "runs", tmp_path / "a.yaml", tiny(warmup=True))
    folder = tmp_path / "runs" / tiny(warmup=True).name
    assert main([*command, "lr=1e36"]) == 1
    assert "FloatingPointError" in (folder / "error.txt").read_text() and (folder / "start.ckpt").exists()
    assert main(command) == 0
    alone = run(tiny(warmup=True), tmp_path / "alone")
    assert json.loads((folder / "summary.json").read_text())["test_metric"] == alone["test_metric"]
    assert not (folder / "error.txt").exists()
    # One that has come further is in the way.
    assert main([*command, "lr=0.01"]) == 2
    said = capsys.readouterr().err
    assert "lr is 0.001 there, and 0.01 here. To go on, choose another folder with --runs, or delete this one\n" in said
    (folder / "summary.json").unlink()
    (folder / "error.txt").write_text("")
    assert main([*command, "lr=0.01"]) == 2
    # So is one that may be under way.
    for name in ("checkpoint.ckpt", "error.txt"):
        (folder / name).unlink()
    assert main([*command, "lr=0.01"]) == 2


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The folder of a run that lacks nothing but its summary."""
    run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").unlink()
    return tmp_path / tiny().name


class Malicious:
    """What would leave a file behind, were it unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["start.ckpt", "checkpoint.ckpt"])
class TestDamage:
    def refuses(self, folder: Path, name: str, message: str = "is damaged, or no checkpoint of this run") -> None:
        before = (folder / name).read_bytes()
        with pytest.raises(ValueError, match=message) as caught:
            run(tiny(), folder.parents[4])
        assert str(folder / name) in str(caught.value)
        assert (folder / name).read_bytes() == before

    def test_any_flipped_bit_of_what_it_holds(self, interrupted: Path, name: str) -> None:
        path = interrupted / name
        whole = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            weights = max(archive.infolist(), key=lambda one: one.header_offset if "/data/" in one.filename else 0)
        for place in (weights.header_offset + 64 + len(weights.filename), len(whole) // 2, len(whole) - 10):
            changed = whole.copy()
            changed[place] ^= 1
            path.write_bytes(changed)
            try:
                with zipfile.ZipFile(path) as archive:
                    intact = archive.testzip() is None
            except zipfile.BadZipFile:
                intact = False
            if not intact:
                self.refuses(interrupted, name)

    @pytest.mark.parametrize("kept", [0, 1, 100, -100])
    def test_cut_short(self, interrupted: Path, name: str, kept: int) -> None:
        path = interrupted / name
        path.write_bytes(path.read_bytes()[:kept])
        self.refuses(interrupted, name)

    def test_code_in_it_is_not_run(self, interrupted: Path, name: str) -> None:
        path = interrupted / name
        held = torch.load(path, weights_only=True)
        torch.save({**held, "loops": Malicious(interrupted / "harm")}, path)
        self.refuses(interrupted, name)
        path.write_bytes(pickle.dumps(Malicious(interrupted / "harm")))
        self.refuses(interrupted, name)
        assert not (interrupted / "harm").exists()

    def test_weights_of_another_network(self, interrupted: Path, name: str) -> None:
        path = interrupted / name
        held = torch.load(path, weights_only=True)
        held["state_dict"] = {key: value[:1] for key, value in held["state_dict"].items()}
        torch.save(held, path)
        self.refuses(interrupted, name)

    def test_of_other_settings(self, interrupted: Path, name: str) -> None:
        path = interrupted / name
        held = torch.load(path, weights_only=True)
        held["run"]["config"]["lr"] = 0.5
        torch.save(held, path)
        self.refuses(interrupted, name, "holds another experiment: lr is 0.5 there, and 0.001 here")


def test_rows_that_do_not_follow_each_other(interrupted: Path) -> None:
    path = interrupted / "checkpoint.ckpt"
    held = torch.load(path, weights_only=True)
    del held["run"]["rows"][1]
    torch.save(held, path)
    with pytest.raises(ValueError, match=r"its rows are of the epochs \[0, 2\]"):
        run(tiny(), interrupted.parents[4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held["run"]["rows"].pop(), "its rows end with epoch 1, and it was trained for 2"),
        (lambda held: held["run"]["rows"][1].update(vaa=float("nan")), "vaa is nan in a row"),
        (lambda held: held["state_dict"]["network.head.bias"].fill_(float("nan")), "head.bias holds NaN or infinity"),
        (lambda held: held["run"].pop("seconds"), "'seconds'"),
        (lambda held: held.pop("optimizer_states"), "it lacks optimizer_states"),
        (lambda held: held.pop("loops"), "it lacks loops"),
        (lambda held: held["run"].update(seconds=float("inf")), "seconds is inf"),
        (lambda held: held["run"]["rows"][1].update(vaa="1e999"), "vaa is 1e999 in a row"),
        (lambda held: held["run"]["rows"][1].update(vaa=10**400), r"vaa is 10{39} in a row"),
        (lambda held: held["run"]["rows"][2].pop("vaa"), "the row of epoch 2 has other columns than the first"),
        (lambda held: held["optimizer_states"].clear(), "it holds the state of 0 optimisers, and must of one"),
        (
            lambda held: held["optimizer_states"][0]["param_groups"][0].update(lr=0.1),
            "lr of its optimiser is 0.1, and must be 0.001",
        ),
        (lambda held: held["optimizer_states"][0]["param_groups"][0].pop("lr"), "its optimiser lacks lr"),
        (
            lambda held: held["optimizer_states"][0]["param_groups"].clear(),
            "its optimiser has 0 groups of parameters, and must have 1",
        ),
        (lambda held: held["optimizer_states"][0]["state"].pop(3), "3"),
        (
            lambda held: held["optimizer_states"][0]["state"][0].update(exp_avg=torch.zeros(3)),
            "exp_avg of its optimiser has not the shape of the parameter 0",
        ),
        (
            lambda held: held["optimizer_states"][0]["state"][0]["exp_avg_sq"].fill_(float("inf")),
            "exp_avg_sq of its optimiser holds NaN or infinity",
        ),
    ],
)
def test_a_checkpoint_that_no_run_writes(interrupted: Path, change: Callable[[Any], object], message: str) -> None:
    path = interrupted / "checkpoint.ckpt"
    held = torch.load(path, weights_only=True)
    change(held)
    torch.save(held, path)
    with pytest.raises(ValueError, match=f"checkpoint.ckpt is damaged, or no checkpoint of this run: .*{message}"):
        run(tiny(), interrupted.parents[4])


def test_a_start_for_a_checkpoint(interrupted: Path) -> None:
    shutil.copy(interrupted / "start.ckpt", interrupted / "checkpoint.ckpt")
    with pytest.raises(ValueError, match="checkpoint.ckpt is damaged, or no checkpoint of this run"):
        run(tiny(), interrupted.parents[4])
    held = torch.load(interrupted / "start.ckpt", weights_only=True)
    del held["run"]["before"]
    torch.save(held, interrupted / "start.ckpt")
    with pytest.raises(ValueError, match="start.ckpt is damaged, or no checkpoint of this run: it lacks before"):
        run(tiny(), interrupted.parents[4])


@pytest.mark.parametrize("name", ["metrics.csv", "warmup.json"])
def test_a_folder_in_the_place_of_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / tiny().name / name).mkdir(parents=True)
    (tmp_path / tiny().name / "config.yaml").write_text(yaml.safe_dump(tiny().to_dict()))
    with pytest.raises(IsADirectoryError, match=f"{name} is a folder, and must be a file"):
        prepare(tiny(), tmp_path)


@pytest.mark.parametrize("validation", [1e-5, 0.9999])
def test_too_few_images_on_either_side(validation: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="validation must leave two or more of .* samples on either side, got"):
        prepare(tiny("pixels", validation=validation), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_without_its_start(interrupted: Path) -> None:
    (interrupted / "start.ckpt").unlink()
    with pytest.raises(ValueError, match="holds a checkpoint.ckpt but no start.ckpt, which comes before it"):
        run(tiny(), interrupted.parents[4])


def test_a_damaged_summary(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    (tmp_path / tiny().name / "summary.json").write_text("{")
    with pytest.raises(ValueError, match="summary.json is no JSON that can be read"):
        run(tiny(), tmp_path)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path, tmp_path / "a.yaml", tiny(cell="rnn")), "lr=1e30"]) == 1
    message = "copy_first_input/rnn/plain/T6/seed-0 failed: the training loss of epoch 1 is"
    assert message in capsys.readouterr().err
    assert not (tmp_path / tiny(cell="rnn").name / "checkpoint.ckpt").exists()


def test_progress_and_tensorboard_by_option(tmp_path: Path) -> None:
    run(tiny(warmup=True), tmp_path, logger="tensorboard", progress=True)
    assert list((tmp_path / tiny(warmup=True).name / "tensorboard").glob("events*"))


def test_the_command_line_is_light() -> None:
    code = "import sys, multistable.cli; print([one for one in ('lightning', 'ray', 'torch') if one in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": ""}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert finished.stdout == "['torch']\n"  # which `import multistable` brings
