"""Where metrics go besides `metrics.csv`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multistable.experiments.config import Config

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

__all__ = ["LOGGERS", "log", "loggers_of"]

LOGGERS = ("none", "tensorboard", "wandb")


def loggers_of(name: str, config: Config, folder: Path) -> "list[Logger]":
    """The logger of that name, or none."""
    from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

    if name == "tensorboard":
        return [TensorBoardLogger(folder, name="tensorboard", version="")]
    if name == "wandb":
        return [WandbLogger(name=config.name, save_dir=folder, project="multistable", config=config.to_dict())]
    return []


def log(loggers: Iterable[Any], row: dict[str, Any]) -> None:
    """Send what is known after an epoch."""
    for logger in loggers:
        logger.log_metrics({key: value for key, value in row.items() if value is not None}, step=row["epoch"])
