"""`critical_`: the origin on the edge of stability, where it splits in two."""

import math

import torch
from torch import Tensor

from multistable._utils.checks import check_positive
from multistable.init._draw import Draw
from multistable.init._layers import (
    BRC,
    GRU,
    LSTM,
    MGU,
    NBRC,
    RNN,
    Module,
    find_layers,
    with_biases,
    with_nonlinearity,
    without_projection,
    zero,
)
from multistable.nn._directions import Direction
from multistable.nn.ops._gates import gate

__all__ = ["critical_"]

_ALONE = (*BRC, *NBRC)  # whose candidate sees its own unit alone


def critical_(module: Module, gain: float = 1.0, *, generator: torch.Generator | int | None = None) -> Module:
    """Put the origin on the edge of stability: recurrent weights at `gain` times those of a pitchfork bifurcation.

    Without input the origin is at rest, and its Jacobian has the spectral radius 1 at `gain` 1 (the criticality of
    Chen, Pennington and Schoenholz 2018, arXiv:1806.05394). Below, the origin is the only equilibrium; above, it is
    unstable, and two stable equilibria +-h leave it, as the network is made symmetric: the candidate's recurrent matrix
    W is drawn symmetric, its bias is zero, and the gates that scale what the candidate sees do not see the state.

    W is Gaussian, and scaled so that the largest eigenvalue of S W is `gain` and none is below -`gain`. The sensitivity
    S is diagonal, made of the gates at rest, which their biases decide; where these are zero, W's largest eigenvalue is
    the last column times the gain:

    | cell | S | no state is seen by | W at biases of zero |
    | --- | --- | --- | --- |
    | RNN | 1 | | 1 |
    | GRU | r | r | 2 |
    | MGU | f | f | 2 |
    | LSTM | i o / (1 - f) | i, f, o | 2 |

    The gate that keeps the state slows the network down and moves no equilibrium, so that this goes together with
    `chrono_` and `uniform_gates_`, called before. A unit of a BRC or an nBRC sees in its candidate itself alone: there
    the gate a is `gain` at rest (bias artanh(gain - 1)) and sees no state, and every unit has a pitchfork of its own.
    Input weights stay as they are, as do the biases and all other weights of the gates.

    Args:
        module: an `nn.RNN` or `nn.RNNCell` with tanh, a GRU, LSTM or `MGU`; a `BRC` or `NBRC` with biases.
        gain: 1 is critical, 1.05 just above; below 2 for a `BRC` or `NBRC`.
        generator: draws W.

    Raises:
        TypeError: `module` is no such network, or `gain` is no number.
        ValueError: `gain` is not finite and above 0, or 2 or more for a `BRC` or `NBRC`; an LSTM has a projection, a
            `BRC` or `NBRC` no biases; a hard gate holds a unit at rest whatever W is.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> rnn = init.critical_(torch.nn.RNN(3, 8), generator=0)
        >>> torch.linalg.eigvalsh(rnn.weight_hh_l0).max().round(decimals=4).item()
        1.0
    """
    gain = check_positive("gain", gain)
    layers = find_layers("critical_", module, (*RNN, *GRU, *LSTM, *MGU, *_ALONE))
    with_nonlinearity("critical_", [layer for layer in layers if isinstance(layer.module, RNN)], "tanh")
    without_projection("critical_", layers)
    alone = with_biases("critical_", [layer for layer in layers if isinstance(layer.module, _ALONE)])
    if alone and gain >= 2:
        raise ValueError(f"gain must be below 2 for {type(alone[0].module).__name__}, got {gain}")
    sensitivities = [_sensitivity(layer) for layer in layers]
    draw = Draw(generator)
    for layer, sensitivity in zip(layers, sensitivities, strict=True):
        if isinstance(layer.module, _ALONE):
            _set_alone(layer, gain)
        else:
            _set_matrix(layer, gain, sensitivity, draw)
    return module


def _set_alone(layer: Direction, gain: float) -> None:
    for bias in layer.biases():
        _, a, candidate = bias.split(layer.hidden_size)
        a.fill_(math.atanh(gain - 1))
        candidate.zero_()
    layer.values("weight_hh").chunk(2)[1].zero_()


def _set_matrix(layer: Direction, gain: float, sensitivity: Tensor, draw: Draw) -> None:
    candidate = _candidate(layer)
    drawn = torch.empty(layer.hidden_size, layer.hidden_size, dtype=torch.float64, device="cpu")
    draw.normal([drawn], 1.0)
    symmetric = drawn + drawn.T
    # S W has the eigenvalues of sqrt(S) W sqrt(S), which is symmetric.
    root = sensitivity.sqrt()
    eigenvalues = torch.linalg.eigvalsh(root[:, None] * symmetric * root)
    # Whichever eigenvalue is largest, it is to be positive: a negative one would lead to an oscillation.
    largest = eigenvalues[eigenvalues.abs().argmax()]
    zero(bias.split(layer.hidden_size)[candidate] for bias in layer.biases())
    recurrent = layer.gates("weight_hh")
    zero(recurrent[place] for place in _blind(layer))
    recurrent[candidate].copy_(gain / largest * symmetric)


def _candidate(layer: Direction) -> int:
    """The candidate's place among the gates."""
    return 1 if isinstance(layer.module, MGU) else 2 if isinstance(layer.module, (*GRU, *LSTM)) else 0


def _blind(layer: Direction) -> tuple[int, ...]:
    """The places of the gates that must not see the state, lest h and -h be treated differently."""
    return (0, 1, 3) if isinstance(layer.module, LSTM) else (0,) if isinstance(layer.module, (*GRU, *MGU)) else ()


def _sensitivity(layer: Direction) -> Tensor:
    """S: what the candidate's recurrent weights are multiplied by at an equilibrium near the origin, (H,).

    Raises:
        ValueError: a gate at its end holds a unit at rest.
    """
    biases = torch.zeros_like(layer.values("weight_ih")[:, 0])
    for bias in layer.biases():
        biases += bias
    gates = biases.double().cpu().split(layer.hidden_size)
    hardness = float(getattr(layer.module, "hardness", 0.0))
    # What is kept of a state, and the sensitivity.
    if isinstance(layer.module, RNN):
        kept, sensitivity = torch.zeros_like(gates[0]), torch.ones_like(gates[0])
    elif isinstance(layer.module, LSTM):
        kept = gate(gates[1], hardness)
        sensitivity = gate(gates[0], hardness) * gates[3].sigmoid() / (1 - kept)
    elif isinstance(layer.module, GRU):
        kept, sensitivity = gate(gates[1], hardness), gates[0].sigmoid()
    elif isinstance(layer.module, MGU):
        sensitivity = gate(gates[0], hardness)
        kept = 1 - sensitivity
    else:
        kept, sensitivity = gate(gates[0], hardness), torch.ones_like(gates[0])
    if bool((kept == 1).any()) or not bool((sensitivity > 0).any()):
        kind = type(layer.module).__name__
        raise ValueError(f"critical_ takes layers that hold no unit at rest, got {kind} with a hard gate at its end")
    return sensitivity
