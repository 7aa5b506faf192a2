from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Within, since tests without the extras collect this file too.
    from experiments.shown import configs
    from experiments.tiny import tiny

    from multistable.experiments._run import run

    folder = tmp_path_factory.mktemp("runs")
    for config in configs():
        run(config, folder)
    unfinished = tiny(seed=7)
    run(unfinished, folder)
    (folder / unfinished.name / "summary.json").unlink()
    return folder


@pytest.fixture(scope="session")
def page(runs: Path) -> Path:
    from multistable.cli import main

    assert main(["report", str(runs), "-o", str(runs / "report.html")]) == 0
    return runs / "report.html"
