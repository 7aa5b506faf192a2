"""Parts of the networks in `sequence_models.py`; every parameter has a leading dimension of members.

Inputs are (members, time, batch, features).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Module):
    """A linear map for each member, which starts as `torch.nn.Linear` does, or from a normal distribution."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, std: float | None = None) -> None:
        super().__init__()
        bound = inputs**-0.5
        weight = torch.empty(1, inputs, outputs)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound) if std is None else weight.normal_(std=std))
        self.bias = nn.Parameter(torch.empty(1, 1, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps the features."""
        flat = x.flatten(1, -2)
        mapped = torch.bmm(flat, self.weight) if self.bias is None else torch.baddbmm(self.bias, flat, self.weight)
        return mapped.view(*x.shape[:-1], -1)


class Norm(nn.Module):
    """Root mean square normalisation, or with `centred` layer normalisation."""

    def __init__(self, width: int, centred: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1, 1, width))
        self.bias = nn.Parameter(torch.zeros(1, 1, 1, width)) if centred else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalises over the features."""
        if self.bias is None:
            return F.rms_norm(x, x.shape[-1:], eps=1e-6) * self.weight
        return torch.addcmul(self.bias, F.layer_norm(x, x.shape[-1:]), self.weight)


class Convolution(nn.Module):
    """A causal convolution of each feature over four steps, then SiLU."""

    def __init__(self, width: int, taps: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, taps, 1, width).uniform_(-(taps**-0.5), taps**-0.5))
        self.bias = nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """The result, and the inputs that later steps need; `before` are those of earlier steps, or zeros."""
        taps, steps = self.weight.shape[1], x.shape[1]
        if before is None:
            before = x.new_zeros(x.shape[0], x.shape[2], taps - 1, x.shape[3])
        x = torch.cat([before.transpose(1, 2), x], dim=1)
        y: Tensor = self.bias
        for k in range(taps):
            y = torch.addcmul(y, x[:, k : k + steps], self.weight[:, k : k + 1])
        return F.silu(y), x[:, 1 - taps :].transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear maps with a GELU between them; with `gated`, a third one multiplies."""

    def __init__(self, width: int, inner: int, gated: bool = False) -> None:
        super().__init__()
        self.gated = gated
        self.up, self.down = Linear(width, inner * (2 if gated else 1)), Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps the features."""
        if self.gated:
            gate, up = self.up(x).chunk(2, dim=-1)
            y: Tensor = self.down(F.gelu(gate) * up)
        else:
            y = self.down(F.gelu(self.up(x)))
        return y


def at_end(x: Tensor, last: bool) -> Tensor:
    """The last step alone, or all."""
    return x[:, -1:] if last else x


def tanh(x: Tensor) -> Tensor:
    """By the logistic function, which torch computes faster."""
    return 2 * (2 * x).sigmoid() - 1


def rotated(x: Tensor, start: int) -> Tensor:
    """Pairs of features turned by their position."""
    half = x.shape[-1] // 2
    position = torch.arange(start, start + x.shape[-2], dtype=torch.float64)
    angle = position[:, None] * 10_000.0 ** (-torch.arange(half) / half)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
