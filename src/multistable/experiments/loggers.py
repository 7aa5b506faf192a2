"""Where metrics go besides `metrics.csv`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from multistable.experiments.config import Config

try:
    from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
except ImportError as error:
    raise ImportError("experiments need lightning: pip install 'multistable[experiments]'") from error

__all__ = ["LOGGERS", "log", "loggers_of"]

LOGGERS = ("none", "tensorboard", "wandb")


def loggers_of(name: str, config: Config, folder: Path) -> list[Logger]:
    """The logger of that name, or none."""
    if name == "tensorboard":
        return [TensorBoardLogger(folder, name="tensorboard", version="")]
    if name == "wandb":
        return [WandbLogger(name=config.name, save_dir=folder, project="multistable", config=config.to_dict())]
    return []


def log(loggers: Iterable[Any], row: dict[str, Any]) -> None:
    """Send what is known after an epoch."""
    for logger in loggers:
        logger.log_metrics({key: value for key, value in row.items() if value is not None}, step=row["epoch"])
