"""The linear autoencoder for sequences, from the products of all prefixes."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from multistable.dynamics import Sequences

__all__ = ["COLUMNS", "LinearAutoencoder", "linear_autoencoder", "prefix_products"]

COLUMNS = 2048
"""The most columns of the data matrix: features times steps back. Its products then take 32 MiB, and seconds."""

_AT_A_TIME = 256  # sequences
_LINEAR = 0.1  # the root mean square of the largest component of the states: there tanh bends by a third of a percent


class LinearAutoencoder(NamedTuple):
    """y_t = A (x_t - mean) + B y_{t-1}.

    Attributes:
        a: A, (R, k).
        b: B, (R, R).
        mean: of the inputs, (k,).
        left_out: the share of the prefixes' sum of squares that rank R leaves out.
        window: how many steps back prefixes reach.
    """

    a: Tensor
    b: Tensor
    mean: Tensor
    left_out: float
    window: int


def linear_autoencoder(sequences: list[Sequences], rank: int) -> LinearAutoencoder:
    """The closed form of Pasa and Sperduti 2014, from the covariance of prefixes instead of the prefixes themselves.

    The data matrix X has a row for each prefix of each sequence, backwards: x_t, x_{t-1}, ..., x_1, zeros; each minus
    the mean. With X = V S U' the best code of rank R is y = U' x for the first R columns of U. A prefix is P x_t + D x,
    where x is the one before and D moves it down by k places; hence A = U' P, and B = U' D U, which is S^-1 V' R V S
    with R the shift of rows within each sequence. U alone is needed, and comes from X' X. The code is exact where X has
    rank R or less. At last it is made small, so that tanh leaves it as it is.

    Args:
        sequences: the sequences, (T, B, k) each.
        rank: R; fewer where X has fewer columns.

    Raises:
        ValueError: there are too many features, or all inputs are the same.
    """
    features = sequences[0].inputs.shape[2]
    if features > COLUMNS:
        raise ValueError(f"linear_autoencoder takes layers with {COLUMNS} inputs or fewer, got {features}")
    window = min(max(int(one.lengths.max()) for one in sequences), COLUMNS // features)
    rank = min(rank, window * features)
    steps = sum(int(one.lengths.sum()) for one in sequences)
    mean = torch.stack([_masked(one).sum((0, 1)) for one in sequences]).sum(0) / steps
    products = prefix_products(sequences, mean, window)
    values, vectors = torch.linalg.eigh(products, UPLO="U")
    values, u = values.flip(0)[:rank], vectors.flip(1)[:, :rank]
    total = products.trace().item()
    # A difference of what rounding leaves of inputs that are all the same is no difference.
    if total <= steps * (1e-12 * (1 + mean.abs().max().item())) ** 2:
        raise ValueError("linear_autoencoder needs inputs that differ from each other, got all the same")
    small = _LINEAR / math.sqrt(values[0].item() / steps)
    left_out = max(0.0, 1 - values.sum().item() / total)
    return LinearAutoencoder(small * u[:features].T, u[features:].T @ u[:-features], mean, left_out, window)


def prefix_products(sequences: Iterable[Sequences], mean: Tensor, window: int) -> Tensor:
    """X' X of all prefixes, cut to their last `window` steps: (k window, k window), on and above the diagonal.

    The block (i, j) sums x_{t-i} x_{t-j}' over t. One further down the diagonal, the same products are summed but for
    those of each sequence's end: the first row of blocks and the products of whole sequences are all it takes.
    """
    k = len(mean)
    first = torch.zeros(k, k * window, dtype=torch.float64, device="cpu")
    ends = torch.zeros(k * window, k * window, dtype=torch.float64, device="cpu")
    for chunk in (
        one.rows(rows) for one in sequences for rows in torch.arange(len(one), device="cpu").split(_AT_A_TIME)
    ):
        x = _masked(chunk, mean)
        for lag in range(min(window, len(x))):
            first[:, k * lag : k * (lag + 1)] += x[lag:].flatten(0, 1).T @ x[: len(x) - lag].flatten(0, 1)
        back = chunk.lengths[:, None] - 1 - torch.arange(window, device="cpu")
        whole = x.transpose(0, 1).gather(1, back.clamp(min=0)[:, :, None].expand(-1, -1, k))
        whole = (whole * (back >= 0)[:, :, None]).flatten(1)
        ends.addmm_(whole.T, whole)
    products = torch.zeros_like(ends)
    products[:k] = first
    for above, row in zip(range(0, k * (window - 1), k), range(k, k * window, k), strict=True):
        products[row : row + k, row:] = products[above:row, above:-k] - ends[above:row, above:-k]
    return products


def _masked(sequences: Sequences, mean: Tensor | None = None) -> Tensor:
    """The inputs minus the mean, and 0 behind each sequence's end, (T, B, k), in float64 on the CPU."""
    x = sequences.inputs.double().cpu()
    x = x if mean is None else x - mean
    inside = torch.arange(len(x), device="cpu")[:, None] < sequences.lengths
    return torch.where(inside[:, :, None], x, 0.0)
