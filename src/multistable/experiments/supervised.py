"""Learning from examples: every task with inputs and targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config
from multistable.experiments.data import Data, examples_to_test, examples_to_train, score_of
from multistable.experiments.network import Network, new_network
from multistable.experiments.subject import Row, Subject, Tested, Trained
from multistable.experiments.training import Training, evaluate, fit, row_of

__all__ = ["Supervised"]


class Supervised(Subject):
    """A network that learns from examples, through Lightning.

    Args:
        config: the settings.
        devices: how many to train on, each with its share of every batch.

    Raises:
        ImportError: images without the extra `images`.
        OSError: the data can't be had.
    """

    network: Network

    def __init__(self, config: Config, devices: int) -> None:
        self._config, self._devices = config, devices
        self._data, self._score = _examples(config), score_of(config)
        self.network = new_network(config, self._data.train, self._score)
        self.recurrent = self.network.rnn
        self.to_warm_up = self._data.train.inputs
        self.to_measure = self._data.validation.inputs[: config.measure_n]
        self.metric, self.higher_is_better = self._score.metric, self._score.higher_is_better

    def first_row(self) -> Row:
        return row_of(self._config, self.network, self._data, self._score, 0, None, None)

    def accept(self, checkpoint: dict[str, Any]) -> None:
        weights = checkpoint["state_dict"].items()
        self.network.load_state_dict({key.removeprefix("network."): value for key, value in weights})

    def train(self, rows: Sequence[Row], folder: Path, logger: str, progress: bool) -> Trained:
        training = Training(self._config, self.network, self._data, self._score, rows, folder)
        fit(training, self._config, folder, logger, progress, self._devices)
        return Trained(training.rows, training.seconds)

    def test(self, config: Config) -> Tested:
        loss, metric = evaluate(self.network, examples_to_test(config), score_of(config))
        return Tested(metric, {"loss": loss})

    def chance(self, config: Config) -> float:
        return score_of(config).chance


def _examples(config: Config) -> Data:
    try:
        return examples_to_train(config)
    except OSError as error:
        raise OSError(f"source is {config.source}: {error}") from error
