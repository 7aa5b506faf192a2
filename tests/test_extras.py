"""What a base install, with torch and numpy alone, can and can't do."""

import json
import subprocess
import sys

# In one process, as most of the time goes into importing torch; what has failed to import stays unknown to Python.
CALLS = """
import contextlib, importlib.machinery, io, json
from pathlib import Path

find_spec = importlib.machinery.PathFinder.find_spec
extras = {
    "gymnasium", "jinja2", "lightning", "matplotlib", "ray", "rich", "sb3_contrib", "sklearn",
    "stable_baselines3", "tqdm", "yaml",
}
importlib.machinery.PathFinder.find_spec = lambda name, *rest: None if name in extras else find_spec(name, *rest)

import sys, torch, multistable
assert "torch._dynamo" not in sys.modules  # it takes longer than torch
from multistable import experiments, tasks
from multistable.cli import main

gru, inputs = torch.nn.GRU(1, 4), torch.randn(5, 8, 1)

def command(*arguments):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert main(arguments) == 2
    return said.getvalue()

def core():
    multistable.warmup(gru, inputs, steps=1, horizon=2)
    multistable.attractors(gru, inputs, horizon=128)
    for made in (tasks.copy_first_input(10, 2), tasks.flip_flop(10, 2), tasks.denoising(10, 2, forgetting=5)):
        next(iter(made))

calls = {
    "core": core,
    "figure": lambda: multistable.measure(gru, inputs, horizon=5).plot(),
    "images": lambda: tasks.images("pixels"),
    "progress": lambda: multistable.warmup(gru, inputs, horizon=10**9, progress=True),
    "rl": lambda: importlib.import_module("multistable.rl"),
    "lightning": lambda: importlib.import_module("multistable.integrations.lightning"),
    "sb3": lambda: importlib.import_module("multistable.integrations.sb3"),
    "run": lambda: experiments.run(experiments.Config(task="copy_first_input", length=5), Path()),
    "report": lambda: importlib.import_module("multistable.experiments.report"),
    "sweep": lambda: experiments.sweep(experiments.Plan([], []), Path()),
    "demo": lambda: command("demo"),
    "configuration": lambda: command("run", "/dev/null"),
}
said = {}
for name, call in calls.items():
    try:
        said[name] = call()
    except ImportError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def test_the_core_needs_no_extra_and_the_rest_names_its_own() -> None:
    finished = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == {
        "core": None,
        "figure": "figures need matplotlib: pip install 'multistable[plot]'",
        "images": "images need scikit-learn: pip install 'multistable[images]'",
        "progress": "progress=True needs tqdm: pip install 'multistable[progress]'",
        "rl": "environments need gymnasium: pip install 'multistable[rl]'",
        "lightning": "callbacks need lightning: pip install 'multistable[lightning]'",
        "sb3": "recurrent policies need sb3-contrib: pip install 'multistable[sb3]'",
        "run": "experiments need lightning: pip install 'multistable[experiments]'",
        "report": "a report needs jinja2: pip install 'multistable[experiments]'",
        "sweep": "a sweep needs ray: pip install 'multistable[sweep]'",
        "demo": "multistable demo: the demo needs matplotlib: pip install 'multistable[demo]'\n",
        "configuration": "multistable run: configurations need PyYAML: pip install 'multistable[experiments]'\n",
    }
