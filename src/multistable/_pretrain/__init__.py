"""Pretraining on sequences without targets."""

from multistable._pretrain.entry import pretrain
from multistable._pretrain.results import PretrainResult

__all__ = ["PretrainResult", "pretrain"]
