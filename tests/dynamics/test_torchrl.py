"""TorchRL's modules hold a layer, torch's or their own, and work on a TensorDict."""

from typing import Any

import pytest
import torch

from multistable import measure, warmup


def rollouts() -> Any:
    starts = torch.zeros(20, 12, 1, dtype=torch.bool)
    starts[:, 0] = True
    starts[::2, 5] = True  # half of the rows hold two trajectories
    data = {"seen": torch.randn(20, 12, 3), "is_init": starts}
    return pytest.importorskip("tensordict", exc_type=ImportError).TensorDict(data, [20, 12])


@pytest.mark.parametrize("kind", ["GRUModule", "LSTMModule"])
def test_torchrl_modules_read_a_tensordict(kind: str) -> None:
    modules = pytest.importorskip("torchrl.modules", exc_type=ImportError)
    inner = kind.removesuffix("Module").lower()
    states = ["h"] if kind == "GRUModule" else ["h", "c"]
    keys = {"in_keys": ["seen", *states], "out_keys": ["told", *(("next", one) for one in states)]}
    of_torch = getattr(modules, kind)(3, 4, default_recurrent_mode=True, **keys)
    of_torchrl = getattr(modules, kind)(3, 4, default_recurrent_mode=True, python_based=True, **keys)
    of_torchrl.load_state_dict(of_torch.state_dict())
    data = rollouts()
    found = [measure(one, data, horizon=3, n=30, generator=0) for one in (of_torch, of_torchrl)]
    assert [one.n for one in found] == [30, 30]  # trajectories, not rows
    assert found[0].per_layer[0].name == found[1].per_layer[0].name == f"{inner}.l0"
    torch.testing.assert_close(found[0].states, found[1].states)
    assert set(data.keys()) == {"seen", "is_init"}
    result = warmup(of_torchrl, data, steps=2, horizon=5, generator=0)
    assert result.after.states.shape == found[0].states.shape
