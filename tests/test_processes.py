"""The same seed gives the same bits in another process."""

import subprocess
import sys

CODE = """
import hashlib
import torch
from multistable import measure, warmup

torch.set_num_threads(1)
torch.manual_seed(0)
module = torch.nn.LSTM(2, 16, num_layers=2)
sequences = torch.randn(20, 50, 2)
result = warmup(module, sequences, steps=10, horizon=30, generator={seed})
found = measure(module, sequences, horizon=500, generator={seed})
values = [*module.parameters(), result.after.states, found.states]
print(hashlib.sha256(b"".join(value.detach().numpy().tobytes() for value in values)).hexdigest())
"""


def bits(seed: int) -> str:
    command = [sys.executable, "-c", CODE.format(seed=seed)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_same_seed_gives_the_same_bits() -> None:
    assert bits(3) == bits(3) != bits(4)
