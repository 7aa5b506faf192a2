"""What a run has found, as its summary holds it."""

import importlib.metadata
import platform
import time
from typing import Any

from multistable._attractors import attractors
from multistable._measure import Multistability
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for
from multistable.experiments.experiment import Experiment, Trained, measured

__all__ = ["summary_of", "trace_of"]


def summary_of(config: Config, experiment: Experiment, start: dict[str, Any], trained: Trained) -> dict[str, Any]:
    """All but the metrics of each epoch: the tests, VAA and attractors in the end, times and versions.

    Args:
        config: the run's settings.
        experiment: what was trained.
        start: what was written down before the training.
        trained: what the training came to.
    """
    since = time.perf_counter()
    tested = experiment.test(config)
    evaluation = [{"length": config.horizon, "metric": tested.metric, "chance": experiment.chance(config)}]
    for length in config.evaluation_lengths:
        other = config.at(length)
        evaluation.append(
            {"length": length, "metric": experiment.test(other).metric, "chance": experiment.chance(other)}
        )
    last = measured(config, experiment.recurrent, experiment.to_measure)
    found = attractors(
        experiment.recurrent,
        experiment.to_measure,
        n=config.measure_n,
        horizon=config.attractors_horizon,
        generator=seed_for(config.seed, "measure"),
        process_group="alone",
    )
    warmed = start["warmup"]
    return {
        "name": config.name,
        "metric": experiment.metric,
        "higher_is_better": experiment.higher_is_better,
        "chance": experiment.chance(config),
        "test_metric": tested.metric,
        **{f"test_{name}": value for name, value in tested.others.items()},
        **experiment.in_summary(trained.rows),
        "evaluation": sorted(evaluation, key=lambda one: one["length"]),
        "vaa": last.vaa,
        "residual": last.residual,
        "certified": found.certified,
        "traces": {"before": start["before"], "start": start["start"], "end": trace_of(last)},
        "warmup": {key: warmed[key] for key in ("status", "message")} if warmed else None,
        "attractors": {"count": found.count, "shares": found.shares},
        "seconds": {
            "warmup": warmed["seconds"] if warmed else 0.0,
            "training": trained.seconds,
            "evaluation": time.perf_counter() - since,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("multistable", "torch", "lightning", "numpy")},
        },
    }


def trace_of(found: Multistability) -> dict[str, Any]:
    """A measure's way to the horizon, in types that JSON knows."""
    trace: dict[str, Any] = found.to_dict()["trace"]
    return {key: list(values) for key, values in trace.items()}
