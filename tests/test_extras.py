"""What a base install, with torch and numpy alone, can and can't do."""

import subprocess
import sys
import textwrap

BLOCKED = """
import importlib.machinery
import sys

find_spec = importlib.machinery.PathFinder.find_spec
extras = {
    "gymnasium", "jinja2", "lightning", "matplotlib", "plotly", "ray", "rich", "sb3_contrib", "sklearn",
    "stable_baselines3", "tqdm", "yaml",
}
importlib.machinery.PathFinder.find_spec = lambda name, *rest: None if name in extras else find_spec(name, *rest)
"""


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + textwrap.dedent(code)], capture_output=True, text=True, check=False
    )


def test_the_core_needs_no_extra() -> None:
    finished = run_without_extras("""
        import torch, multistable
        gru = torch.nn.GRU(1, 4)
        multistable.measure(gru, torch.randn(5, 8, 1), horizon=5)
        multistable.warmup(gru, torch.randn(5, 8, 1), steps=1, horizon=2)
    """)
    assert finished.returncode == 0, finished.stderr


def test_figures_name_their_extra() -> None:
    finished = run_without_extras("""
        import torch, multistable
        multistable.measure(torch.nn.GRU(1, 4), torch.randn(5, 8, 1), horizon=5).plot()
    """)
    assert "ImportError: figures need matplotlib: pip install 'multistable[plot]'" in finished.stderr


def test_tasks_need_no_extra_but_for_images_which_name_theirs() -> None:
    finished = run_without_extras("""
        from multistable import tasks
        for make in (tasks.copy_first_input, tasks.flip_flop):
            next(iter(make(10, 2)))
        next(iter(tasks.denoising(10, 2, forgetting=5)))
        tasks.images("pixels")
    """)
    assert "ImportError: images need scikit-learn: pip install 'multistable[images]'" in finished.stderr


def test_progress_names_its_extra_before_any_work() -> None:
    finished = run_without_extras("""
        import torch, multistable
        multistable.warmup(torch.nn.GRU(1, 4), torch.randn(5, 8, 1), horizon=10**9, progress=True)
    """)
    assert "ImportError: progress=True needs tqdm: pip install 'multistable[progress]'" in finished.stderr


def test_environments_name_their_extra() -> None:
    finished = run_without_extras("import multistable.rl")
    assert "ImportError: environments need gymnasium: pip install 'multistable[rl]'" in finished.stderr


def test_recurrent_policies_name_their_extra() -> None:
    finished = run_without_extras("import multistable.integrations.sb3")
    assert "ImportError: recurrent policies need sb3-contrib: pip install 'multistable[sb3]'" in finished.stderr


def test_the_demo_names_its_extra() -> None:
    finished = run_without_extras("""
        from multistable.cli import main
        sys.exit(main(["demo"]))
    """)
    assert finished.returncode == 2
    assert finished.stderr == "multistable demo: the demo needs matplotlib: pip install 'multistable[demo]'\n"


def test_experiments_name_their_extras() -> None:
    some = "from multistable.experiments import Config, Plan, run, sweep; from pathlib import Path; "
    for code, message in {
        some + "run(Config(task='copy_first_input', length=5), Path())": "experiments need lightning: pip install "
        "'multistable[experiments]'",
        "import multistable.experiments.report": "a report needs jinja2 and plotly: pip install "
        "'multistable[experiments]'",
        some + "sweep(Plan([], []), Path())": "a sweep needs ray: pip install 'multistable[sweep]'",
    }.items():
        assert f"ImportError: {message}" in run_without_extras(code).stderr
    finished = run_without_extras("""
        from multistable.cli import main
        sys.exit(main(["run", "/dev/null"]))
    """)
    assert finished.returncode == 2
    assert finished.stderr == "multistable run: configurations need PyYAML: pip install 'multistable[experiments]'\n"
