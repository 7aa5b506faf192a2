"""The data sets of the UCR and UEA archives that the package aeon brings along: pip install --no-deps aeon.

Its files are read as they are, so that what aeon itself needs is not needed.
"""

import importlib.util
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

SETS = (
    "BasicMotions",  # a watch's accelerometer and gyroscope, 100 steps
    "ItalyPowerDemand",  # electricity, 24 steps
    "JapaneseVowels_eq",  # speech, 25 steps
    "OSULeaf",  # outlines of leaves, 427 steps
    "PickupGestureWiimoteZ_eq",  # an accelerometer, 361 steps
    "ACSF1",  # power of appliances, 1,460 steps
)
LONGEST = 150  # steps: of longer series every second, third, ... is taken

Part = tuple[Tensor, Tensor]


@cache
def ucr(name: str) -> tuple[Part, Part]:
    """The sequences (N, T, I) and classes (N,) to train and to test with, scaled by those to train with."""
    (train, labels), (test, test_labels) = _read(name, "TRAIN"), _read(name, "TEST")
    every = -(-train.shape[1] // LONGEST)
    train, test = train[:, ::every], test[:, ::every]
    mean, scale = train.mean((0, 1)), train.std((0, 1))
    classes = sorted(set(labels))
    numbers = (torch.tensor([classes.index(label) for label in of_part]) for of_part in (labels, test_labels))
    first, second = numbers
    return ((train - mean) / scale, first), ((test - mean) / scale, second)


def _read(name: str, part: str) -> tuple[Tensor, list[str]]:
    found = importlib.util.find_spec("aeon")
    if found is None or not found.submodule_search_locations:
        raise ImportError("UCR sets need aeon: pip install --no-deps aeon")
    (folder,) = found.submodule_search_locations
    (file,) = Path(folder, "datasets", "data").glob(f"*/{name}_{part}.ts")
    series, labels = [], []
    for line in file.read_text().splitlines():
        if line and line[0] not in "@#":
            *channels, label = line.split(":")
            series.append([[float(value) for value in channel.split(",")] for channel in channels])
            labels.append(label.strip())
    return torch.tensor(series).transpose(1, 2), labels
