"""Several processes come to what one comes to, are the same to the bit, and raise together."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from _warmup import in_processes
from _warmup.in_processes import CASES, looked, ragged, warmed
from torch import Tensor

Found = list[dict[str, Any]]

END = "inputs ran out after 10 of 90 steps (and the measure before them): pass an iterable that can start over"
NO_MODULE = "module must be or hold a recurrent layer, got Linear without one"
NO_GROUP = "TypeError: process_group must be a ProcessGroup, 'alone' or None, got 'us'"
SHARDED = "TypeError: parameter '0.weight_ih_l0' must be whole in each process, got DTensor: warm up, or measure,"
WRAPPED = "TypeError: module must be whole in each process, got FullyShardedDataParallel: warm up, or measure, before"
LR = "ValueError: lr must be the same in all processes, got 0.1 in process 0 and 1.1 in process 1"
INPUT = "ValueError: u must be the same in all processes, got [0.0, 0.0] in process 0 and [1.0, 1.0] in process 1"
WEIGHTS = (
    "ValueError: replicas must have the same parameters and buffers, and the same of them frozen, got others in "
    "process 1 than in process 0: wrap the"
)
NUMPY = "ValueError: horizon must be the same in all processes, got 10 in process 0 and 11 in process 1"
CALLS = "RuntimeError: processes must make the same call, got attractors in process 0, measure in process 1"
FORMS = "RuntimeError: processes must go through the same steps, with inputs of the same form, got 'sequences to draw"
ONLY_SOME = "TimeoutError: measure must be called by all 2 processes of the group, but within 1 s 1 did not call it:"
OUTCOMES = {
    "an error in one": ("RuntimeError: process 1 of 2 failed: no more data", "ConnectionError: no more data"),
    "the end in one": (f"RuntimeError: {END}", f"RuntimeError: process 0 of 2 failed: {END}"),
    "a bad module in one": (f"ValueError: process 1 of 2 failed: {NO_MODULE}", f"ValueError: {NO_MODULE}"),
    "another argument": (LR, LR),
    "another constant input": (INPUT, INPUT),
    "other weights": (WEIGHTS, WEIGHTS),
    "another hardness": (WEIGHTS, WEIGHTS),
    "frozen in one": (WEIGHTS, WEIGHTS),
    "another horizon of NumPy": (NUMPY, NUMPY),
    "another call": (CALLS, CALLS),
    "another form of inputs": (FORMS, FORMS),
    "no group": (NO_GROUP, NO_GROUP),
    "others' group": (
        "12",
        "ValueError: process_group must be a group that this process is in, got one that it is not",
    ),
    "sharded": (SHARDED, SHARDED),
    "sharded by a wrapper": (WRAPPED, WRAPPED),
    "only some": (ONLY_SOME, "None"),
    "alone": ("12", "None"),
    "given states": ("2", "None"),
}
"""How what comes of a call begins, in the first process and in the second."""


@pytest.mark.parametrize("size", [2, 4])
def test_several_processes_come_to_what_one_comes_to(size: int, tmp_path: Path) -> None:
    words = ["-m", "torch.distributed.run", "--nproc-per-node", str(size), in_processes.__file__, str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(size)]

    for name in CASES:
        _weights_are_those_of_one(found, name)
    _horizons_are_halved_together(found)
    _replicas_stay_the_same_in_training(found)
    _measures_are_those_of_all_sequences(found)
    assert all(one["generator moved on"] for one in found)
    assert found[0]["attempts"].keys() == (OUTCOMES.keys() if size == 2 else set())
    for name in found[0]["attempts"]:
        for one, beginning in zip(found, OUTCOMES[name], strict=True):
            assert one["attempts"][name].startswith(beginning), name


def _weights_are_those_of_one(found: Found, name: str) -> None:
    """Up to rounding: 1e-16 in a gradient, of which Adam, dividing by its size, may make 1e-11 in a step."""
    alone = warmed(name, 0, 1, _dealt(len(found)) if name == "ragged" else None)
    first, *others = (one["warmed"][name] for one in found)
    for other in others:
        assert torch.equal(other["weights"], first["weights"]), name
        assert torch.equal(other["states"], first["states"]), name
        assert other["history"] == first["history"], name
    assert (alone["weights"] - alone["before"]).abs().max() > 1e-2
    assert (first["weights"] - alone["weights"]).abs().max() < 1e-9, name
    assert (first["states"] - alone["states"]).abs().max() < 1e-8, name
    assert first["vaa"] == alone["vaa"], name
    assert first["history"].horizon == alone["history"].horizon, name
    assert all(one["warmed"][name]["untouched"] for one in found), name


def _horizons_are_halved_together(found: Found) -> None:
    horizons = [one["warmed"]["tensor"]["history"].horizon for one in found]
    assert any(lower != upper for lower, upper in horizons[0])
    assert len(set(horizons)) == 1


def _replicas_stay_the_same_in_training(found: Found) -> None:
    first, *others = found
    assert all(torch.equal(other["trained"], first["trained"]) for other in others)
    assert not torch.equal(first["trained"], first["warmed"]["loader"]["weights"])


def _measures_are_those_of_all_sequences(found: Found) -> None:
    """One process has more sequences than the others, and another more batches."""
    size = len(found)
    alone = looked(0, 1, _dealt(size))
    first, *others = (one["looked"] for one in found)
    assert first["n"] == 3 * size + 6
    assert len(first["states"]) == 7
    for key in ("states", "sequences", "prefixes", "points"):
        assert all(torch.equal(other[key], first[key]) for other in others), key
        torch.testing.assert_close(first[key], alone[key], rtol=0, atol=1e-12)


def _dealt(size: int) -> list[Tensor]:
    """The sequences of all processes: the first of each, the second of each, and so on."""
    of_each = [ragged(rank, size) for rank in range(size)]
    return [one[k] for k in range(max(map(len, of_each))) for one in of_each if k < len(one)]
