"""What pays on a GPU and not on a CPU: few calls, each of many steps, and few looks at what they computed.

There, a call of few steps costs as much as one of hundreds, and who asks for a number waits for all that was called
before. A CPU gains by short chunks that stay in its cache, and by whatever need not be computed.
"""

import torch

__all__ = ["CHUNK", "chunk_length", "few_calls_pay"]

CHUNK = 120
"""Steps that `hold` runs at a time on a CPU: enough to make one matrix product of them, few enough for the cache."""

_BYTES = 2**28  # of what drives the gates in a chunk, on a GPU


def few_calls_pay(device: torch.device) -> bool:
    """Whether to do much in one call, rather than no more than there is to do in each of several."""
    return device.type == "cuda"


def chunk_length(device: torch.device, bytes_per_step: int) -> int:
    """How many steps `hold` runs at a time, given how much memory each of them takes: as many as 256 MiB on a GPU."""
    return max(1, _BYTES // max(1, bytes_per_step)) if few_calls_pay(device) else CHUNK
