from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multistable.experiments.config import CELLS, INITS, Config, variant_keys
from multistable.experiments.read import read_config, read_yaml

COPY: dict[str, Any] = {"task": "copy_first_input", "length": 10}
DENOISING: dict[str, Any] = {"task": "denoising", "length": 40, "forgetting": 20}


@given(
    cell=st.sampled_from(CELLS),
    init=st.sampled_from(sorted(INITS)),
    double=st.booleans(),
    warmup=st.booleans(),
    hardness=st.sampled_from([0.0, 0.3]),
)
def test_a_variant_is_a_name_for_keys(cell: str, init: str, double: bool, warmup: bool, hardness: float) -> None:
    keys: dict[str, Any] = {"init": init, "double": double, "warmup": warmup, "hardness": hardness}
    if cell in INITS[init] and cell == "rnn" and hardness > 0:
        with pytest.raises(ValueError, match="^hardness is of gates, and the cell rnn has none$"):
            Config(**COPY, cell=cell, **keys)
    elif cell in INITS[init]:
        assert variant_keys(Config(**COPY, cell=cell, **keys).variant) == keys
    else:
        with pytest.raises(ValueError, match=f"init must be one that the cell {cell} has a meaning for, got '{init}'"):
            Config(**COPY, cell=cell, **keys)


@pytest.mark.parametrize(
    "variant", ["", "warm", "plain+warmup", "chrono+bistable", "warmup+warmup", "default", "double+"]
)
def test_no_variant(variant: str) -> None:
    with pytest.raises(
        ValueError, match="a variant must be plain, or made of chrono or bistable, double, warmup and hard"
    ):
        variant_keys(variant)


def test_names_tell_runs_apart() -> None:
    assert Config(**COPY, seed=3).name == "copy_first_input/gru/plain/T10/seed-3"
    assert Config(**DENOISING, double=True, warmup=True).name == "denoising/gru/double+warmup/T40-N20/seed-0"
    assert Config(task="pixels", source="mnist", padding=72).name == "pixels/gru/plain/mnist-N72/seed-0"


@pytest.mark.parametrize("values", [COPY, DENOISING, {"task": "pixels"}, {**COPY, "evaluation_lengths": [5, 20]}])
def test_what_is_written_reads_back(values: dict[str, Any]) -> None:
    config = Config.from_dict(values)
    assert Config.from_dict(config.to_dict()) == config


def test_the_papers_settings_are_the_defaults() -> None:
    config = Config(**COPY)
    assert (config.layers, config.hidden, config.lr, config.batch_size, config.epochs) == (2, 256, 1e-3, 32, 50)
    assert (config.samples, config.test_samples, config.validation) == (60_000, 10_000, 0.2)
    assert (config.warmup_steps, config.warmup_lr, config.warmup_target, config.warmup_horizon) == (
        100,
        0.01,
        0.95,
        200,
    )
    assert Config(task="pixels").padding_value == -0.5


def test_a_longer_evaluation_forgets_longer_and_marks_in_the_same_place() -> None:
    longer = Config(**DENOISING).at(50)
    assert (longer.length, longer.forgetting) == (70, 50)
    assert Config(**COPY).at(50).length == 50
    assert Config(task="pixels", padding=5).at(50).padding == 50


def test_words_come_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("task: copy_first_input\nlength: 10\nlr: 1e-4\nevaluation_lengths: [5]\n")
    assert read_config(path) == Config(**COPY, lr=1e-4, evaluation_lengths=(5,))
    changed = read_config(
        path, ["lr=2e-3", "cell=lstm", "warmup=true", "warmup_max_prefix=null", "evaluation_lengths=[]"]
    )
    assert changed == Config(**COPY, lr=2e-3, cell="lstm", warmup=True, warmup_max_prefix=None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"length": 10}, "task is missing: one of copy_first_input, denoising"),
        ({"task": "copy_first_input"}, "length is missing: the task copy_first_input needs it"),
        ({"task": "denoise"}, "task must be one of .*, got 'denoise'; did you mean 'denoising'?"),
        ({**COPY, "hiden": 3}, "unknown key 'hiden'; did you mean 'hidden'?"),
        ({**COPY, "xyzzy": 3}, "unknown key 'xyzzy'$"),
        ({**COPY, "hidden": "64"}, "hidden must be an int, got str '64'$"),
        ({**COPY, "length": 10.0}, "length must be an int, got float 10.0: 10 would do$"),
        ({**COPY, "epochs": -5.0}, r"epochs must be an int, got float -5\.0$"),
        ({**COPY, "seed": 1e300}, r"seed must be an int, got float 1e\+300$"),
        ({**COPY, "length": 10**5000}, r"length must be at most 2\^63 - 1, got a number of about 5000 digits$"),
        ({**COPY, "lr": 10**5000}, "lr must be a number that a float can hold, got a number of about 5000 digits$"),
        ({**COPY, "cell": 10**5000}, "cell must be a word, got int a number of about 5000 digits$"),
        ({**COPY, "cell": "x" * 300}, "got 'x{60}'… of 300 characters$"),
        ({**COPY, "hidden": "x" * 300}, "hidden must be an int, got str 'x{60}'… of 300 characters$"),
        ({**COPY, "evaluation_lengths": "x" * 300}, "must be a list, got 'x{60}'… of 300 characters$"),
        ({**COPY, "length": 2.5}, "length must be an int, got float 2.5$"),
        ({**COPY, "length": float("inf")}, "length must be an int, got float inf$"),
        ({**COPY, "lr": "fast"}, "lr must be a number, got str 'fast'$"),
        ({**COPY, "lr": float("nan")}, "lr must be finite and above 0, got nan"),
        ({**COPY, "warmup": "yes"}, "warmup must be true or false, got 'yes'"),
        ({**COPY, "double": 1}, "double must be true or false, got 1"),
        ({**COPY, "cell": 3}, "cell must be a word, got int 3$"),
        ({**COPY, "cell": ["gru"]}, "cell must be a word, got list$"),
        ({**COPY, "cell": "gur"}, "got 'gur'; did you mean 'gru'?"),
        ({**COPY, "cell": "transformer"}, "cell must be one of rnn, gru, lstm, mgu, brc, nbrc, got 'transformer'"),
        ({**COPY, "seed": -1}, "seed must be at least 0, got -1"),
        ({**COPY, "device": "tpu"}, "device must be one of cpu, cuda, got 'tpu'"),
        ({**COPY, "batch_size": 1}, "batch_size must be at least 2, got 1"),
        ({**COPY, "validation": 1.0}, "validation must be below 1, got 1.0"),
        ({**COPY, "validation": 0.2, "samples": 5}, "validation must leave two or more of 5 samples on either side"),
        ({**COPY, "warmup_target": 1.5}, r"warmup_target must lie in \(0, 1\], got 1.5"),
        ({**COPY, "attractors_horizon": 100}, "attractors_horizon must be at least 128, got 100"),
        ({**COPY, "hidden": 5, "double": True}, "hidden must be even where double is true, got 5"),
        (
            {**COPY, "cell": "rnn", "init": "chrono"},
            "init must be one that the cell rnn has a meaning for, got 'chrono'",
        ),
        ({**COPY, "hardness": -0.1}, "hardness must be finite and not negative, got -0.1"),
        ({**COPY, "hardness": float("nan")}, "hardness must be finite and not negative, got nan"),
        ({**COPY, "hardness": "hard"}, "hardness must be a number, got str"),
        ({**COPY, "hardening_start": 0.8}, "hardening_start must come before hardening_end, .* got 0.8 and 0.8"),
        ({**COPY, "hardening_end": 1.5}, "hardening_start must come before hardening_end, .* got 0.5 and 1.5"),
        ({**COPY, "length": 1, "init": "chrono"}, "init chrono needs a length of at least 2, got 1"),
        ({**COPY, "padding": 3}, "padding does not belong to the task copy_first_input, which has length, samples"),
        ({"task": "pixels", "padding": -1}, "padding must be at least 0, got -1"),
        ({"task": "pixels", "padding_value": float("inf")}, "padding_value must be finite, got inf"),
        ({"task": "pixels", "source": "fashion"}, "source must be one of digits, mnist, got 'fashion'"),
        ({"task": "pixels", "cache": 3}, "cache must be a path or null, got int"),
        ({**DENOISING, "forgetting": 4}, "forgetting must be at least 5, got 4"),
        ({**DENOISING, "length": 24}, "length must be at least forgetting [+] 5 = 25, got 24"),
        (
            {**DENOISING, "evaluation_lengths": [30, 2]},
            "evaluation_lengths holds 2: forgetting must be at least 5, got 2",
        ),
        ({**COPY, "evaluation_lengths": 5}, "evaluation_lengths must be a list, got 5$"),
        ({**COPY, "evaluation_lengths": ["far"]}, "evaluation_lengths holds 'far': length must be an int, got str"),
    ],
)
def test_bad_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Config.from_dict(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must hold a mapping of keys to values, got list"),
        ("task: [\n", "is no YAML that can be read"),
        ("lr: 1\nlr: 2\n", "lr is given twice"),
        ("!!python/object/apply:os.getcwd []\n", "is no YAML that can be read"),
        ("run: {lr: 1, lr: 2}\n", "lr is given twice"),
        ("task: " + 3000 * "[" + 3000 * "]", "a.yaml is no YAML that can be read: it is nested too deeply$"),
        ("warmup: !!bool abc\n", "a.yaml is no YAML that can be read: warmup must be true or false, got 'abc'$"),
        (
            "length: !!int ''\n",
            "a.yaml is no YAML that can be read: length must be written in decimals .*, got nothing$",
        ),
        ("lr: !!float ''\n", "a.yaml is no YAML that can be read: lr must be written in decimals .*, got nothing$"),
        ("task: !!timestamp x\n", "a.yaml is no YAML that can be read: "),
        ("task: 2020-99-99\n", "a.yaml is no YAML that can be read: month must be in 1..12"),
        ("length: 010\n", "a.yaml is no YAML .*: length must be written in decimals without leading zeros, got 010"),
        ("length: 1:30\n", "length must be written in decimals without leading zeros, got 1:30"),
        ("length: 0x10\n", "length must be written in decimals without leading zeros, got 0x10"),
        ("lr: 1:30.5\n", "lr must be written in decimals without leading zeros, got 1:30.5"),
        ("evaluation_lengths: [10, -020]\n", "evaluation_lengths must be written in decimals .*, got -020"),
        ("runs: [{length: 010}]\n", "length must be written in decimals without leading zeros, got 010"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"a.yaml is no text in UTF-8"):
        read_yaml(tmp_path / "a.yaml")


def test_merged_mappings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: &base {lr: 0.1, hidden: 4}\nrun:\n  <<: *base\n  lr: 0.2\n")
    assert read_yaml(tmp_path / "a.yaml")["run"] == {"lr": 0.2, "hidden": 4}


def test_numbers_and_words(tmp_path: Path) -> None:
    text = "a: 1e-3\naa: 1.5e3\nb: 10_000\nc: 0\nd: -7\ne: 0.5\nf: '010'\ng: ${lr}\nh: ${\ni: ~\nj: 08\n"
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == {
        "a": 0.001, "aa": 1500.0,
        "b": 10_000, "c": 0, "d": -7, "e": 0.5, "f": "010", "g": "${lr}", "h": "${", "i": None, "j": "08"
    }  # fmt: skip


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [1, *a]\n")
    assert read_yaml(tmp_path / "a.yaml")["a"][0] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed=010"], "the value of seed is no YAML that can be read: it must be written in decimals .*, got 010"),
        (["lr"], "an override must look like key=value, got 'lr'"),
        (["=3"], "an override must look like key=value, got '=3'"),
        (["lr=1", "lr=2"], "lr is given twice on the command line"),
        (["lr=["], "the value of lr is no YAML that can be read"),
    ],
)
def test_bad_words(words: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("task: copy_first_input\nlength: 10\n")
    with pytest.raises(ValueError, match=message):
        read_config(path, words)
