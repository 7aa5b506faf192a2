"""What the tests of reinforcement learning share."""

from typing import Any

import pytest
import torch


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request: Any) -> torch.device:
    return torch.device(request.param)
