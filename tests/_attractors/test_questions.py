"""What `attractors` and `measure` can be asked: any input, any states, in the order of the sequences."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from multistable import Attractors, attractors, measure

F64 = torch.float64


def bistable(weight: float = 2.0) -> Any:
    """h' = tanh(weight h + u)."""
    rnn: Any = nn.RNN(1, 1, bias=False, dtype=F64)
    with torch.no_grad():
        rnn.weight_hh_l0.fill_(weight)
        rnn.weight_ih_l0.fill_(1.0)
    return rnn


def adder() -> Any:
    """h' = h + u, for inputs that are not negative."""
    rnn: Any = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=F64)
    for parameter in rnn.parameters():
        nn.init.ones_(parameter)
    return rnn


STARTS = torch.tensor([[-0.4], [0.3], [-0.9], [0.8]], dtype=F64)


def test_what_is_remembered_depends_on_the_input() -> None:
    """tanh(2 h + u) has two wells while |u| < 0.533."""
    found = attractors(bistable(), states=STARTS, u=torch.tensor([[0.0], [0.5], [0.6], [-2.0]], dtype=F64))
    assert [one.count for one in found] == [2, 2, 1, 1]
    assert found[0].labels[0] == found[0].labels[2] != found[0].labels[1] == found[0].labels[3]
    assert [one.u.item() for one in found] == [0, 0.5, 0.6, -2]
    alone = attractors(bistable(), states=STARTS, u=torch.tensor([0.5], dtype=F64))
    assert isinstance(alone, Attractors) and alone.kinds == found[1].kinds and alone.labels == found[1].labels
    assert attractors(bistable(), states=STARTS, u=0) == found[0] == attractors(bistable(), states=STARTS, u=0.0)


def test_measure_takes_an_input_too() -> None:
    inputs = torch.cat([torch.full((4, 5, 1), 1.0, dtype=F64), torch.full((4, 5, 1), -1.0, dtype=F64)], 1)
    none, strong = measure(bistable(), inputs, u=torch.tensor([[0.0], [2.0]], dtype=F64), generator=0)
    assert (none.vaa, strong.vaa) == (0.2, 0.1)
    assert measure(bistable(), inputs, u=0, generator=0) == none
    assert none.states[:5].min() > 0 > none.states[5:].max()


def test_an_input_like_the_data_has_their_mean_and_scale() -> None:
    """Data around 50 with a deviation of 2, whose padding is far away."""
    generator = torch.Generator().manual_seed(0)
    data = [50 + 2 * torch.randn(length, 1, generator=generator, dtype=F64) for length in (30, 500, 400)]
    steps = torch.cat(data)
    found = attractors(bistable(0.5), data, u="data", horizon=128, generator=1)
    drawn = attractors(bistable(0.5), data, horizon=128, generator=1).u
    assert found.u.item() == pytest.approx((steps.mean() + steps.std(correction=0) * drawn).item(), rel=1e-12)


@pytest.mark.parametrize("kind", ["tensor", "dataset", "model", "batches"])
def test_rows_are_in_the_order_of_the_sequences(kind: str) -> None:
    """The adder's state is the sequence's number times the length of its prefix."""
    rnn, values = adder(), torch.arange(1.0, 31, dtype=F64) / 100
    sequences = values.expand(6, -1)[..., None]
    module, inputs = {
        "tensor": (rnn, sequences),
        "dataset": (rnn, TensorDataset(sequences.transpose(0, 1))),
        "model": (nn.Sequential(rnn), sequences),
        "batches": (rnn, list(sequences.split(7, 1))),
    }[kind]
    found = attractors(module, inputs, u=0, n=20, horizon=128, generator=0)
    assert found.sequences.tolist() == sorted(found.sequences.tolist()) and len(found.sequences.unique()) == 20
    expected = values[found.sequences] * found.prefixes
    torch.testing.assert_close(found.trajectory[0, :, 0], expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.paths[0, :, 0], expected, rtol=1e-12, atol=0)
    measured = measure(module, inputs, u=0, n=20, horizon=5, generator=0)
    torch.testing.assert_close(measured.states[:, 0], expected, rtol=1e-12, atol=0)


def test_states_of_several_modules_stand_side_by_side() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lower, self.upper = bistable(), bistable(3.0)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.upper(self.lower(inputs)[0])[0]
            return outputs

    states = torch.tensor([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]], dtype=F64)
    found = attractors(Two(), states=states, u=torch.tensor([0.0, 5.0], dtype=F64))
    assert found.count == 2 and [layer.count for layer in found.per_layer] == [2, 1]
    assert found.sequences.tolist() == [0, 1, 2] and found.prefixes.tolist() == [0, 0, 0]


def test_upper_layers_alone_get_none_of_the_input() -> None:
    gru = nn.GRU(2, 3, num_layers=2)
    found = attractors(gru, torch.randn(5, 4, 2), u=torch.ones(2), horizon=128, generator=0)
    assert [layer.u.tolist() for layer in found.per_layer] == [[1, 1], [0, 0, 0]]


def test_arrays_and_files(tmp_path: Path) -> None:
    found = attractors(bistable(), states=STARTS, u=0)
    arrays = found.numpy()
    assert arrays["trajectory"].shape == found.trajectory.shape and arrays["labels"].tolist() == list(found.labels)
    assert arrays["offsets"].tolist() == [0, 1, 2] and arrays["states"].shape == (2, 1)
    assert arrays["kinds"].tolist() == ["equilibrium"] * 4
    found.save(tmp_path / "found.npz")
    back = Attractors.load(tmp_path / "found.npz")
    assert back == found and all(np.array_equal(back.numpy()[name], array) for name, array in arrays.items())
    assert torch.equal(back.attractors[0].state, found.attractors[0].state)
    known = json.loads(json.dumps(found.to_dict(states=True)))
    assert known["attractors"][0]["state"] == found.attractors[0].state.tolist()
    assert "state" not in found.to_dict()["attractors"][0]


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    with pytest.raises(ValueError, match="must hold Attractors as save writes them"):
        Attractors.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", structure=np.array([{}], dtype=object))
    (tmp_path / "text.npz").write_text("no such thing")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:100])
    for name in ("pickled", "text", "torn"):
        with pytest.raises(ValueError, match=f"{name}.npz must hold Attractors as save writes them"):
            Attractors.load(tmp_path / f"{name}.npz")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"u": torch.zeros(2)}, ValueError, r"u must have shape \(1,\) or \(K, 1\), got \(2,\)"),
        ({"u": torch.zeros(0, 1)}, ValueError, r"u must have shape \(1,\) or \(K, 1\), got \(0, 1\)"),
        ({"u": torch.zeros(1, 1, 1)}, ValueError, r"got \(1, 1, 1\)"),
        ({"u": torch.zeros(1, dtype=torch.long)}, TypeError, "u must be a floating-point tensor, got torch.int64"),
        ({"u": torch.tensor([math.nan])}, ValueError, "u must be finite, got 1 NaN or infinite values of 1"),
        ({"u": 1.0}, ValueError, "u must be a tensor, 0 or 'data', got 1.0"),
        ({"u": "zero"}, ValueError, "u must be a tensor, 0 or 'data', got 'zero'"),
        (
            {"u": torch.tensor([1e300], dtype=F64, device="meta")},
            ValueError,
            "u must be an ordinary tensor, got a meta",
        ),
        ({"u": [0.0]}, TypeError, "u must be a tensor, 0 or 'data', got list"),
        ({"u": True}, TypeError, "u must be a tensor, 0 or 'data', got bool"),
    ],
)
def test_bad_inputs(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    for function in (attractors, measure):
        with pytest.raises(error, match=message):
            function(bistable(), torch.zeros(3, 4, 1, dtype=F64), **arguments)


def test_an_input_that_the_modules_dtype_can_not_hold() -> None:
    u, inputs = torch.tensor([1e300], dtype=F64), torch.randn(5, 4, 1)
    with pytest.raises(ValueError, match="u in torch.float32 must be finite, got 1 NaN or infinite values of 1"):
        measure(nn.GRU(1, 4), inputs, u=u)
    u = torch.tensor([0.1], dtype=F64)
    assert attractors(nn.GRU(1, 4), inputs, u=u, horizon=128).u == u  # followed in float64, and not rounded before


def test_bad_states() -> None:
    cases: list[tuple[Any, type[Exception], str]] = [
        (torch.zeros(3, 2), ValueError, r"states must have shape \(n, 1\), got \(3, 2\)"),
        (torch.zeros(0, 1), ValueError, r"states must have shape \(n, 1\), got \(0, 1\)"),
        (torch.full((2, 1), math.inf), ValueError, "states must be finite, got 2 NaN or infinite values of 2"),
        (torch.zeros(2, 1, dtype=torch.int), TypeError, "states must be a floating-point tensor, got torch.int32"),
        ([[0.0]], TypeError, "states must be a floating-point tensor, got list"),
    ]
    for states, error, message in cases:
        with pytest.raises(error, match=message):
            attractors(bistable(), states=states)


def test_a_tol_below_the_resolution_of_the_dtype() -> None:
    inputs = torch.randn(5, 4, 1)
    with pytest.raises(ValueError, match=r"tol must be at least 1.9e-06, which is what torch.float32 can tell apart"):
        measure(nn.GRU(1, 4), inputs, tol=1e-12)
    assert measure(nn.GRU(1, 4).double(), inputs.double(), tol=1e-12, horizon=2_000, generator=0).vaa == 0.25
    with pytest.raises(ValueError, match=r"tol must be at least 3.6e-15, which is what torch.float64 can tell apart"):
        attractors(nn.GRU(1, 4), inputs, tol=1e-16)
