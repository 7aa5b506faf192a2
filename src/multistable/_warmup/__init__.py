"""Gradient descent towards many reachable attractors, before training."""

from multistable._warmup.entry import warmup
from multistable._warmup.results import WarmupHistory, WarmupResult, WarmupStep

__all__ = ["WarmupHistory", "WarmupResult", "WarmupStep", "warmup"]
