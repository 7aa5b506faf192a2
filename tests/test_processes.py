"""The same seed gives the same bits in another process."""

import hashlib
import subprocess
import sys
from pathlib import Path

import torch

from multistable import measure, warmup


def digest(seed: int) -> str:
    """Of all that a warmup and a measure lead to."""
    torch.manual_seed(0)
    module = torch.nn.LSTM(2, 16, num_layers=2)
    sequences = torch.randn(20, 40, 2)
    result = warmup(module, sequences, steps=5, horizon=30, generator=seed)
    found = measure(module, sequences, horizon=200, generator=seed)
    values = [*module.parameters(), result.after.states, found.states]
    return hashlib.sha256(b"".join(value.detach().numpy().tobytes() for value in values)).hexdigest()


def test_the_same_seed_gives_the_same_bits() -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch; torch.set_num_threads({torch.get_num_threads()})
from {Path(__file__).stem} import digest; print(digest(3))
"""
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == digest(3) != digest(4)
