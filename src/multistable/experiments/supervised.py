"""Learning from examples: every task with inputs and targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config
from multistable.experiments.data import Data, examples_to_test, examples_to_train, task_of
from multistable.experiments.experiment import Experiment, Row, Tested, Trained
from multistable.experiments.network import Network, new_network
from multistable.experiments.store import check_finite, check_optimizer
from multistable.experiments.training import Training, adam, evaluate, fit, row_of

__all__ = ["Supervised"]


class Supervised(Experiment):
    """A network that learns from examples, through Lightning.

    Args:
        config: the settings.

    Raises:
        ImportError: images without the extra `images`.
        OSError: the data can't be had.
    """

    network: Network

    def __init__(self, config: Config) -> None:
        self._config = config
        self._data, self._score = _examples(config), task_of(config).score
        self.network = new_network(config, self._data.train)
        self.recurrent = self.network.rnn
        self.to_warm_up = self._data.train.inputs
        self.to_measure = self._data.validation.inputs[: config.measure_n]
        self.metric, self.higher_is_better = self._score.metric, self._score.higher_is_better

    def first_row(self) -> Row:
        return row_of(self._config, self.network, self._data, self._score, 0, None, None)

    def accept(self, checkpoint: dict[str, Any]) -> None:
        for key in ("pytorch-lightning_version", "optimizer_states", "loops"):
            if key not in checkpoint:
                raise ValueError(f"it lacks {key}")
        last, trained = checkpoint["run"]["rows"][-1]["epoch"], checkpoint["epoch"] + 1  # which counts from 0
        if last != trained:
            raise ValueError(f"its rows end with epoch {last}, and it was trained for {trained}")
        check_finite(checkpoint["state_dict"])
        weights = checkpoint["state_dict"].items()
        self.network.load_state_dict({key.removeprefix("network."): value for key, value in weights})
        if len(checkpoint["optimizer_states"]) != 1:
            raise ValueError(f"it holds the state of {len(checkpoint['optimizer_states'])} optimisers, and must of one")
        check_optimizer(checkpoint["optimizer_states"][0], adam(self._config, self.network))

    def train(self, rows: Sequence[Row], folder: Path, logger: str, progress: bool) -> Trained:
        training = Training(self._config, self.network, self._data, self._score, rows, folder)
        fit(training, self._config, folder, logger, progress)
        return Trained(training.rows, training.seconds)

    def test(self, config: Config) -> Tested:
        loss, metric = evaluate(self.network, examples_to_test(config), self._score)
        return Tested(metric, {"loss": loss})

    def chance(self, config: Config) -> float:
        return config.of_task.chance


def _examples(config: Config) -> Data:
    try:
        return examples_to_train(config)
    except OSError as error:
        raise OSError(f"source is {config.source}: {error}") from error
