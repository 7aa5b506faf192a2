"""The folder of a run: files that are whole at any moment, and what is read back from them, checked."""

from multistable.experiments.store._finished import finished, read_metrics, read_summary
from multistable.experiments.store.folder import (
    CHECKPOINT,
    CONFIG,
    ERROR,
    METRICS,
    START,
    SUMMARY,
    WARMUP,
    check_finite,
    claim,
    read_checkpoint,
    read_json,
    read_settings,
    remove_leftovers,
    replacing,
    write_csv,
    write_json,
)

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "ERROR",
    "METRICS",
    "START",
    "SUMMARY",
    "WARMUP",
    "check_finite",
    "claim",
    "finished",
    "read_checkpoint",
    "read_json",
    "read_metrics",
    "read_settings",
    "read_summary",
    "remove_leftovers",
    "replacing",
    "write_csv",
    "write_json",
]
