"""Recurrent layers of others, and a transformer, in short form: several networks side by side, of which any can go on.

Every parameter has a leading dimension of members, so that one pass serves networks of several seeds. Inputs are
(members, time, batch, features); what a layer carries on is a tuple of tensors that begin with (members, batch).
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from scans import linear_scan, selective_scan
from sequence_parts import Convolution, FeedForward, Linear, Norm, at_end, rotated, tanh
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Layer(nn.Module):
    """A layer: `forward(x, state, last)` gives the outputs, with `last` at the last step alone, and what goes on."""

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        """One piece of a sequence, which goes on from `state`."""
        raise NotImplementedError


class MinRNN(Layer):
    """minGRU, or with `lstm` minLSTM (arXiv:2410.01201), then a feed-forward part; both residual, normalised before.

    As in the paper the state is positive. `forget` is added to where the gate that keeps the state starts.
    """

    def __init__(self, width: int, inner: int, lstm: bool = False, forget: float = 0.0) -> None:
        super().__init__()
        self.lstm = lstm
        self.norm, self.norm2 = Norm(width), Norm(width)
        self.enter, self.leave = Linear(width, inner * (3 if lstm else 2)), Linear(inner, width)
        self.feed = FeedForward(width, 2 * width)
        assert self.enter.bias is not None
        self.enter.bias.data[..., inner : 2 * inner] += forget if lstm else -forget

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        candidate, *gates = self.enter(self.norm(x)).chunk(3 if self.lstm else 2, dim=-1)
        # f / (f + i) is the logistic function of log f - log i.
        write = F.logsigmoid(gates[1]) - F.logsigmoid(gates[0]) if self.lstm else gates[0]
        candidate = torch.where(candidate >= 0, candidate + 0.5, candidate.sigmoid())
        h = linear_scan((-write).sigmoid(), write.sigmoid() * candidate, None if state is None else state[0])
        y = at_end(x, last) + self.leave(at_end(h, last))
        return y + self.feed(self.norm2(y)), (h[:, -1],)


class LRU(Layer):
    """A linear recurrent unit (arXiv:2303.06349), then a gated linear unit; residual, normalised before.

    Eigenvalues start with an absolute value in [`smallest`, `largest`] and a phase below `phase`.
    """

    def __init__(self, width: int, smallest: float = 0.0, largest: float = 1.0, phase: float = 2 * math.pi) -> None:
        super().__init__()
        modulus2 = torch.rand(1, 1, 1, width) * (largest**2 - smallest**2) + smallest**2
        self.log_nu = nn.Parameter((-0.5 * modulus2.log()).log())
        self.log_theta = nn.Parameter((phase * torch.rand(1, 1, 1, width)).log())
        self.log_gamma = nn.Parameter((1 - modulus2).sqrt().log())
        self.norm, self.skip = Norm(width, centred=True), nn.Parameter(torch.randn(1, 1, 1, width))
        self.enter = Linear(width, 2 * width, bias=False, std=(2 * width) ** -0.5)
        self.leave = Linear(2 * width, width, bias=False, std=width**-0.5)
        self.glu = Linear(width, 2 * width)

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        z = self.norm(x)
        inputs = torch.view_as_complex(self.enter(z).unflatten(-1, (-1, 2))) * self.log_gamma.exp()
        decay = torch.polar((-self.log_nu.exp()).exp(), self.log_theta.exp())
        h = linear_scan(decay.expand_as(inputs), inputs, None if state is None else state[0])
        y = self.leave(torch.view_as_real(at_end(h, last)).flatten(-2)) + self.skip * at_end(z, last)
        return at_end(x, last) + F.glu(self.glu(F.gelu(y))), (h[:, -1],)


class Mamba(Layer):
    """A block of Mamba (arXiv:2312.00752): convolution, selective scan and gate; residual, normalised before."""

    def __init__(self, width: int, states: int = 16) -> None:
        super().__init__()
        inner, rank = 2 * width, math.ceil(width / 16)
        self.sizes = (rank, states, states)
        self.norm, self.convolution = Norm(width), Convolution(inner)
        self.enter, self.leave = Linear(width, 2 * inner, bias=False), Linear(inner, width, bias=False)
        self.select, self.delta = Linear(inner, sum(self.sizes), bias=False), Linear(rank, inner)
        assert self.delta.bias is not None
        step = torch.empty(1, 1, inner).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.delta.bias.data = step + (-torch.expm1(-step)).log()
        self.log_a = nn.Parameter(torch.arange(1.0, states + 1).log().view(1, states, 1).repeat(1, 1, inner))
        self.skip = nn.Parameter(torch.ones(1, 1, 1, inner))

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        u, gate = self.enter(self.norm(x)).chunk(2, dim=-1)
        u, before = self.convolution(u, None if state is None else state[0])
        rank, read_in, read_out = self.select(u).split(self.sizes, dim=-1)
        delta = F.softplus(self.delta(rank))
        y, h = selective_scan(delta, -self.log_a.exp(), read_in, read_out, u, None if state is None else state[1])
        y = at_end(y, last) + self.skip * at_end(u, last)
        return at_end(x, last) + self.leave(y * F.silu(at_end(gate, last))), (before, h)


class SLSTM(Layer):
    """A block of xLSTM with sLSTM (arXiv:2405.04517), then a gated feed-forward part; residual, normalised before.

    Biases of forget gates start between 5 and -7 as in the authors' code, or evenly from 3 to 6 with `keep`.
    """

    def __init__(self, width: int, depth: float, heads: int = 4, keep: bool = False) -> None:
        super().__init__()
        self.heads, size = heads, width // heads
        self.norm, self.norm2 = Norm(width, centred=True), Norm(width, centred=True)
        self.convolution, self.scale = Convolution(width), nn.Parameter(torch.ones(1, 1, 1, width))
        std = (2 / (5 * width)) ** 0.5
        self.gates = nn.Parameter(torch.randn(1, heads, size, 2 * size) * std)  # of input and forget gate
        self.cells = nn.Parameter(torch.randn(1, heads, size, 2 * size) * std)  # of cell input and output gate
        self.recurrent = nn.Parameter(torch.zeros(1, heads, size, 4 * size))
        bias = torch.zeros(1, heads, 1, 4 * size)
        grid = torch.arange(size) / (size - 1)
        bias[..., size : 2 * size] = 3 + 3 * grid if keep else 5 - 12 * grid ** (0.3 + 1.3 * depth)
        self.bias = nn.Parameter(bias)
        self.feed = FeedForward(width, 8 * round(width / 6), gated=True)

    def mapped(self, x: Tensor, weight: Tensor) -> Tensor:
        """(M, T, B, D) -> (M, T, heads, B, outputs), each head by itself."""
        members, steps, batch, _ = x.shape
        x = x.unflatten(-1, (self.heads, -1)).permute(0, 3, 1, 2, 4).reshape(members * self.heads, steps * batch, -1)
        y = torch.bmm(x, weight.flatten(0, 1))
        return y.view(members, self.heads, steps, batch, -1).transpose(1, 2)

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        z = self.norm(x)
        u, before = self.convolution(z, None if state is None else state[0])
        inputs = torch.cat([self.mapped(u, self.gates), self.mapped(z, self.cells)], dim=-1) + self.bias[:, None]
        if state is None:
            h = c = n = torch.zeros_like(inputs[:, 0, ..., : self.recurrent.shape[2]])
            m = torch.full_like(h, -torch.inf)
        else:
            h, c, n, m = (one.transpose(1, 2) for one in state[1:])
        outputs = []
        weight = self.recurrent.flatten(0, 1)
        for given in inputs.unbind(1):
            raw = torch.baddbmm(given.flatten(0, 1), h.flatten(0, 1), weight).view_as(given)
            i, f, cell, o = raw.chunk(4, dim=-1)
            kept = F.logsigmoid(f) + m
            m = torch.maximum(i, kept).detach()  # c / n does not depend on it
            i, f = (i - m).exp(), (kept - m).exp()
            c, n = f * c + i * tanh(cell), f * n + i
            h = o.sigmoid() * c / n
            outputs.append(h)
        y = torch.stack(outputs[-1:] if last else outputs, dim=1)
        y = F.layer_norm(y, y.shape[-1:]).transpose(2, 3).flatten(-2) * self.scale
        y = at_end(x, last) + y
        return y + self.feed(self.norm2(y)), (before, *(one.transpose(1, 2) for one in (h, c, n, m)))


class Attention(Layer):
    """Causal attention with rotary positions, then a feed-forward part; residual, normalised before."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = Norm(width, centred=True), Norm(width, centred=True)
        self.enter, self.leave = Linear(width, 3 * width), Linear(width, width)
        self.feed = FeedForward(width, 4 * width)

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        parts = self.enter(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 2, 4, 1, 5)
        q, k, v = parts.unbind(0)  # (M, B, heads, T, features)
        start = 0 if state is None else state[0].shape[3]
        q, k = (rotated(one, start) for one in (q, k))
        if state is not None:
            k, v = torch.cat([state[0], k], dim=3), torch.cat([state[1], v], dim=3)
        q = q[..., -1:, :] if last else q
        mask = torch.ones(x.shape[1], k.shape[3], dtype=torch.bool).tril(start)[-q.shape[3] :]
        y = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), attn_mask=mask)
        y = y.unflatten(0, q.shape[:2]).permute(0, 3, 1, 2, 4).flatten(-2)
        y = at_end(x, last) + self.leave(y)
        return y + self.feed(self.norm2(y)), (k, v)


class Plain(Layer):
    """torch's GRU, or with `lstm` LSTM, as it starts by default."""

    def __init__(self, inputs: int, width: int, lstm: bool = False) -> None:
        super().__init__()
        self.lstm = lstm
        bound, outputs = width**-0.5, (4 if lstm else 3) * width

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(1, *shape).uniform_(-bound, bound))

        self.enter, self.enter_bias = uniform(inputs, outputs), uniform(1, outputs)
        self.recurrent, self.recurrent_bias = uniform(width, outputs), uniform(1, outputs)

    def forward(self, x: Tensor, state: State | None, last: bool) -> tuple[Tensor, State]:
        width = self.recurrent.shape[1]
        inputs = torch.baddbmm(self.enter_bias, x.flatten(1, 2), self.enter).unflatten(1, x.shape[1:3])
        h = x.new_zeros(x.shape[0], x.shape[2], width) if state is None else state[0]
        c = torch.zeros_like(h) if state is None else state[-1]
        outputs = []
        for given in inputs.unbind(1):
            raw = torch.baddbmm(self.recurrent_bias, h, self.recurrent)
            if self.lstm:  # the cell's input comes last
                gates = raw + given
                i, f, o = gates[..., : 3 * width].sigmoid().chunk(3, dim=-1)
                c = f * c + i * tanh(gates[..., 3 * width :])
                h = o * tanh(c)
            else:
                r, z = (raw + given)[..., : 2 * width].sigmoid().chunk(2, dim=-1)
                new = tanh(torch.addcmul(given[..., 2 * width :], r, raw[..., 2 * width :]))
                h = torch.addcmul(new, z, h - new)
            outputs.append(h)
        return torch.stack(outputs[-1:] if last else outputs, dim=1), (h, c) if self.lstm else (h,)


class Network(nn.Module):
    """Layers, which answer at the last step, and can go on from where they stopped; with `width`, between linear maps.

    The answer is a linear map of the last layer's output, which is normalised if the layers are residual.
    """

    def __init__(self, layers: Sequence[Layer], inner: int, residual: bool = True) -> None:
        super().__init__()
        self.enter = Linear(1, inner) if residual else nn.Identity()
        self.layers = nn.ModuleList(layers)
        self.norm = Norm(inner, centred=True) if residual else nn.Identity()
        self.head = Linear(inner, 1)

    def forward(self, x: Tensor, states: Sequence[State | None] | None = None) -> tuple[Tensor, list[State]]:
        """(M, T, B, 1) -> (M, B, 1), and the last states."""
        x = self.enter(x)
        after: list[State] = []
        for place, layer in enumerate(self.layers):
            state = None if states is None else states[place]
            x, state = layer(x, state, place == len(self.layers) - 1)
            after.append(state)
        return self.head(self.norm(x))[:, -1], after


MODELS: dict[str, Callable[[], Network]] = {
    "GRU": lambda: Network([Plain(1, 64), Plain(64, 64)], 64, residual=False),
    "LSTM": lambda: Network([Plain(1, 56, lstm=True), Plain(56, 56, lstm=True)], 56, residual=False),
    "minGRU": lambda: Network([MinRNN(48, 72) for _ in range(2)], 48),
    "minLSTM": lambda: Network([MinRNN(48, 48, lstm=True) for _ in range(2)], 48),
    "LRU": lambda: Network([LRU(56) for _ in range(2)], 56),
    "LRU, slow": lambda: Network([LRU(56, 0.0, 1.0, math.pi / 100), LRU(56, 0.99, 0.9999, math.pi / 100)], 56),
    "Mamba": lambda: Network([Mamba(48) for _ in range(2)], 48),
    "sLSTM": lambda: Network([SLSTM(56, depth) for depth in (0, 1)], 56),
    "transformer": lambda: Network([Attention(40) for _ in range(2)], 40),
}
"""How to make a network of each kind, which has one member."""


def members(make: Callable[[], Network], seeds: Sequence[int]) -> Network:
    """Networks side by side, of which each starts as it would by itself after `torch.manual_seed`."""
    parts = []
    for seed in seeds:
        torch.manual_seed(seed)
        parts.append(make())
    network = parts[0]
    for parameter, *others in zip(*(part.parameters() for part in parts), strict=True):
        parameter.data = torch.cat([parameter.data, *(other.data for other in others)])
    return network
