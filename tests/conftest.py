"""Property tests draw the same examples in every run; tensors are tiny, so that threads would only cost time."""

import os
from collections.abc import Iterator

import pytest
import torch
from devices import DEVICES, move_to
from hypothesis import settings

settings.register_profile("multistable", deadline=None, derandomize=True)
settings.load_profile("multistable")
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
torch.backends.cudnn.allow_tf32 = False  # recurrent layers in float32 are as precise on a GPU as tests expect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that none of several processes is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_setup() -> None:
    """Whatever a test draws from torch's global generator, it draws in every run and in any order of tests."""
    torch.manual_seed(0)


# Of a session, so that hypothesis takes it and the tests of a device run together.
@pytest.fixture(scope="session", params=DEVICES, ids=str)
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A file whose tests use it makes what it needs there, by `devices.here` and `devices.random`."""
    move_to(request.param)
    yield request.param
    move_to(DEVICES[0])
