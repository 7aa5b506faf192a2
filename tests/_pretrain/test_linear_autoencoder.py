"""The linear autoencoder against the prefixes themselves, and as weights against the map that they are to be."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from multistable import pretrain
from multistable._pretrain.gram import linear_autoencoder, prefix_products
from multistable.dynamics import Sequences, dynamics
from multistable.nn import GRU, LSTM, MGU

LENGTHS = (7, 3, 5, 1, 7, 6)
KINDS: list[Callable[..., Any]] = [nn.RNN, nn.GRU, nn.LSTM, MGU, GRU, LSTM]


def ragged(features: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [1.5 + torch.randn(length, features, generator=generator, dtype=torch.float64) for length in LENGTHS]


def padded(sequences: list[Tensor]) -> Sequences:
    """With padding that is not zero, as it may be anything."""
    return Sequences(pad_sequence(sequences, padding_value=9.0), torch.tensor([len(one) for one in sequences]))


def prefixes(sequences: list[Tensor], mean: Tensor, window: int) -> Tensor:
    """A row for each prefix, backwards: x_t, x_{t-1}, ..., as it is defined."""
    rows = []
    for sequence in sequences:
        for t in range(len(sequence)):
            row = torch.zeros(window, len(mean), dtype=torch.float64)
            for lag in range(min(t + 1, window)):
                row[lag] = sequence[t - lag] - mean
            rows.append(row.flatten())
    return torch.stack(rows)


def shift(sequences: list[Tensor]) -> Tensor:
    """R: of each prefix the one before, of a sequence's first one none."""
    lengths = [len(one) for one in sequences]
    shifted: Tensor = torch.block_diag(*[torch.diag(torch.ones(n - 1, dtype=torch.float64), -1) for n in lengths])
    return shifted


@pytest.mark.parametrize("window", [1, 4, 7])
def test_products_are_those_of_the_prefixes(window: int) -> None:
    sequences, mean = ragged(), torch.tensor([1.0, 2.0], dtype=torch.float64)
    rows = prefixes(sequences, mean, window)
    halves = [padded(sequences[:2]), padded(sequences[2:])]
    found = prefix_products(halves, mean, window).triu()
    torch.testing.assert_close(found, (rows.T @ rows).triu(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("rank", [1, 3, 8, 14])
def test_it_is_the_optimum_and_the_published_formula(rank: int) -> None:
    sequences = ragged()
    code = linear_autoencoder([padded(sequences)], rank)
    mean = torch.cat(sequences).mean(0)
    torch.testing.assert_close(code.mean, mean)
    v, s, u_t = torch.linalg.svd(prefixes(sequences, mean, 7), full_matrices=False)
    # No linear autoencoder of this rank leaves out less than the tail of the singular values.
    assert code.left_out == pytest.approx((s[rank:].square().sum() / s.square().sum()).item(), abs=1e-12)
    v, s, a = v[:, :rank], s[:rank], u_t[:rank, :2]
    b = v.T @ shift(sequences) @ v * s / s[:, None]
    small = (code.a.square().sum() / a.square().sum()).sqrt()
    signs = (code.a * a).sum(1).sign()
    torch.testing.assert_close(code.a, small * signs[:, None] * a)
    torch.testing.assert_close(code.b, signs[:, None] * b * signs, atol=1e-9, rtol=1e-9)
    # The largest component of the codes is small.
    assert small * s[0] / sum(LENGTHS) ** 0.5 == pytest.approx(0.1)


def test_where_nothing_is_left_out_the_recursion_is_the_projection() -> None:
    sequences = ragged()
    code = linear_autoencoder([padded(sequences)], 14)
    rows = prefixes(sequences, code.mean, 7)
    codes = []
    for sequence in sequences:
        y = torch.zeros(14, dtype=torch.float64)
        for x in sequence:
            y = code.a @ (x - code.mean) + code.b @ y
            codes.append(y)
    found = torch.linalg.lstsq(torch.stack(codes), rows).solution
    torch.testing.assert_close(torch.stack(codes) @ found, rows, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "hardness"), [*((kind, 0.0) for kind in KINDS), *((kind, 0.2) for kind in (MGU, GRU, LSTM))]
)
def test_every_cell_is_that_map_where_tanh_is_linear(kind: Callable[..., Any], hardness: float) -> None:
    units, steps = 5, 6
    module = kind(2, units, dtype=torch.float64, **({"hardness": hardness} if hardness else {}))
    sequences = ragged()
    result = pretrain(module, sequences, objective="linear_autoencoder", generator=0)
    code = linear_autoencoder([padded(sequences)], units)
    assert result.loss == pytest.approx((code.left_out,))
    (layer,) = dynamics(module)

    def last(inputs: Tensor) -> Tensor:
        s = layer.zero_state(1)
        for u in inputs:
            s = layer.step(s, u[None])
        return layer.output(s)[0]

    at_mean = code.mean.expand(steps, 2)
    assert last(at_mean).abs().max() < 1e-12
    by_inputs = torch.func.jacrev(last)(at_mean)  # (H, T, k): of x_{t-n} it is B^n A
    power = torch.eye(units, dtype=torch.float64)
    for lag in range(steps):
        torch.testing.assert_close(by_inputs[:, steps - 1 - lag], power @ code.a, atol=1e-10, rtol=1e-8)
        power = power @ code.b


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_states_tell_the_whole_sequence(kind: Callable[..., Any]) -> None:
    """12 units have room for six steps of two features: the rest is what tanh bends."""
    torch.manual_seed(0)
    inputs = torch.randn(6, 400, 2)
    module = kind(2, 12)
    result = pretrain(module, inputs, objective="linear_autoencoder", generator=0)
    assert result.windows == (6,) and result.loss[0] < 1e-9
    states = module(inputs)[0].double().detach()
    whole = inputs.flip(0).transpose(0, 1).flatten(1).double()
    whole = whole - inputs.double().mean((0, 1)).repeat(6)
    lost = whole - states[-1] @ torch.linalg.lstsq(states[-1], whole).solution
    assert lost.square().sum() / whole.square().sum() < 0.02


def test_upper_layers_encode_what_the_lower_ones_pass_on() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(8, 50, 2, dtype=torch.float64)
    module = nn.RNN(2, 6, 2, dtype=torch.float64)
    result = pretrain(module, inputs, objective="linear_autoencoder", generator=0)
    lower, upper = nn.RNN(2, 6, dtype=torch.float64), nn.RNN(6, 6, dtype=torch.float64)
    pretrain(lower, inputs, objective="linear_autoencoder", generator=0)
    alone = pretrain(upper, lower(inputs)[0].detach(), objective="linear_autoencoder", generator=0)
    assert result.layers == ("l0", "l1") and result.windows == (8, 8)
    assert result.loss[1] == pytest.approx(alone.loss[0])
    torch.testing.assert_close(module(inputs)[0].square().sum(2), upper(lower(inputs)[0])[0].square().sum(2))


def test_units_beyond_the_components_stay_at_zero() -> None:
    module: Any = nn.GRU(1, 8)
    inputs = torch.randn(3, 40, 1)
    pretrain(module, inputs, objective="linear_autoencoder", generator=0)
    states, _ = module(torch.randn(50, 4, 1))
    assert not states[..., 3:].any() and states[..., :3].abs().amin() > 0


def test_prefixes_of_many_features_are_cut() -> None:
    inputs = torch.randn(5, 20, 700)
    result = pretrain(nn.RNN(700, 4), inputs, objective="linear_autoencoder", generator=0)
    assert result.windows == (2,)
    assert "l0 leaves out" in repr(result) and "of prefixes of 2 steps" in repr(result)
    with pytest.raises(ValueError, match="linear_autoencoder takes layers with 2048 inputs or fewer, got 2049"):
        pretrain(nn.RNN(2049, 4), torch.randn(2, 5, 2049), objective="linear_autoencoder")


def test_how_many_sequences_are_looked_at() -> None:
    """Of a function that draws for ever `steps` x `batch_size`, of a tensor no more than there are."""
    drawn = []

    def draw(size: int, generator: torch.Generator) -> Tensor:
        drawn.append(size)
        return torch.randn(4, size, 1, generator=generator)

    pretrain(nn.RNN(1, 4), draw, objective="linear_autoencoder", steps=3, batch_size=50, generator=0)
    assert drawn[-1] == 150 and drawn.count(150) == 1
