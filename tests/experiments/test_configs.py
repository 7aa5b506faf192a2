"""The files in configs/, and those that runs have left in results/."""

from pathlib import Path

import pytest

from multistable.experiments.read import read_config, read_yaml
from multistable.experiments.store import read_settings
from multistable.tasks import TASKS

ROOT = Path(__file__).parents[2]
CONFIGS, RESULTS = ROOT / "configs", ROOT / "results"
PAPER = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_each_runs_as_in_the_paper_and_has_a_small_twin(path: Path) -> None:
    config, small = read_config(path), read_config(CONFIGS / "small" / path.name)
    assert small.task == config.task
    assert (config.layers, config.batch_size, config.lr) == (2, 32, 1e-3)
    if config.task == "t_maze":
        assert (config.hidden, config.episodes) == (32, 2000)
        assert small.hidden <= 32 and (small.episodes or 0) <= 1000
    else:
        assert (config.hidden, config.epochs, config.validation, config.samples or 60_000) == (256, 50, 0.2, 60_000)
        assert small.hidden <= 64 and (small.epochs or 0) <= 30 and (small.samples or 0) <= 10_000
        assert small.source in (None, "digits")


def test_there_is_one_for_each_task() -> None:
    assert {read_config(path).task for path in PAPER} == set(TASKS)
    assert len(PAPER) == len(TASKS)
    assert {path.name for path in PAPER} == {path.name for path in (CONFIGS / "small").glob("*.yaml")}


def test_finished_runs_are_still_what_their_folders_say() -> None:
    paths = sorted(RESULTS.rglob("config.yaml"))
    assert paths
    for path in paths:
        config = read_settings(path)
        assert config.name == path.parent.relative_to(RESULTS).as_posix()
        assert list(config.to_dict().items()) == list(read_yaml(path).items()), path
        assert config.at(config.horizon).name == config.name
