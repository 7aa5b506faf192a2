"""`bistable_`: units with two stable equilibria each, in closed form."""

import math
from typing import NamedTuple

from torch import nn

from multistable._utils.checks import check_fraction, check_positive
from multistable.init._layers import (
    GRU,
    LSTM,
    MGU,
    RNN,
    Module,
    find_layers,
    with_biases,
    with_nonlinearity,
    without_projection,
)
from multistable.nn._directions import Direction

__all__ = ["bistable_"]

_OPEN_BIAS = 2.0  # of a gate that lets most pass, and still has a gradient
_OPEN = 1 / (1 + math.exp(-_OPEN_BIAS))
_FORGET_BIAS = 1.0  # the usual one; its negative makes the input gate one minus the forget gate


class _Cell(NamedTuple):
    """Where a cell type keeps what.

    Attributes:
        candidate: the place of the candidate.
        biases: those of the gates that are to see no state, by their place.
        least: the gain that must be exceeded.
        keeps: the place of the gate that keeps the state; None where no gate does that alone.
        takes: the place of the gate that takes the candidate up, if it is another.
    """

    candidate: int
    biases: dict[int, float]
    least: float
    keeps: int | None = None
    takes: int | None = None


_CELLS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], _Cell], ...] = (
    (RNN, _Cell(0, {}, 1.0)),
    (GRU, _Cell(2, {0: _OPEN_BIAS}, 1 / _OPEN, keeps=1)),
    (MGU, _Cell(1, {0: _OPEN_BIAS}, 1 / _OPEN)),
    (LSTM, _Cell(2, {0: -_FORGET_BIAS, 1: _FORGET_BIAS, 3: _OPEN_BIAS}, 1 / _OPEN, keeps=1, takes=0)),
)


def bistable_(
    module: Module,
    gain: float = 2.0,
    fraction: float = 1.0,
    *,
    time_constant: float | None = None,
    free_gates: bool = False,
) -> Module:
    """Give units two stable equilibria each: they stay where inputs have put them, and strong inputs move them.

    The first units of each layer, a share `fraction` of all, see no unit but themselves, with the weight `gain`; gates
    r, o and MGU's f see no state and are open (bias 2), the LSTM's f and i have the biases 1 and -1. With d for what
    a unit's input weights make of the input and k for the gain times its gate, a GRU's unit then is

        h' = z h + (1 - z) tanh(k h + d),    k = r gain,

    and the others are alike. For k > 1 it has an unstable equilibrium at 0 and a stable one on either side, which hold
    against every drive up to a size that grows with k: n such units have 2^n stable equilibria. Input weights, the
    GRU's update gate and all other units stay as they are. The derivation, with the numbers for each cell and what
    happens in stacks of layers, is on the page "Bistable units" of the documentation.

    Args:
        module: an `nn.RNN` or `nn.RNNCell` with tanh, or a GRU, LSTM or `MGU` with biases. Both parts of a
            `DoubleLayer` are treated alike; for the first parts alone, call this on each of `double.first`.
        gain: the weight, above 1 for an RNN and above 1 + exp(-2) = 1.135 for the others, so that k > 1.
        fraction: the share of the hidden units, in (0, 1], rounded to whole units, at least one.
        time_constant: steps t over which a unit of a GRU or an LSTM averages what drives it, above 1: without input its
            z or f is 1 - 1 / t. By default the GRU's update gate stays as it is, and the LSTM has 1 + e = 3.7.
        free_gates: whether gates keep their recurrent weights, and so depend on the state.

    Raises:
        TypeError: `module` is no such network, it is an RNN or an `MGU` and has no time constant to set, or `gain`,
            `fraction` or `time_constant` is no number.
        ValueError: `gain` is not finite or too small, `fraction` is not in (0, 1], `time_constant` is not finite and
            above 1, a GRU, LSTM or MGU has no biases, or an LSTM has a projection, which mixes the units.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> gru = init.bistable_(torch.nn.GRU(3, 4))
        >>> signs = torch.tensor([[[1.0, -1.0, -1.0, 1.0]]])
        >>> _, last = gru(torch.zeros(1000, 1, 3), 0.1 * signs)
        >>> torch.allclose(last, 0.9263 * signs, atol=1e-4)
        True
    """
    gain = check_positive("gain", gain)
    fraction = check_fraction("fraction", fraction)
    if time_constant is not None and check_positive("time_constant", time_constant) <= 1:
        raise ValueError(f"time_constant must be above 1, got {time_constant}")
    layers = find_layers("bistable_", module, (*RNN, *GRU, *LSTM, *MGU))
    with_nonlinearity("bistable_", [layer for layer in layers if isinstance(layer.module, RNN)], "tanh")
    with_biases("bistable_", [layer for layer in layers if not isinstance(layer.module, RNN)])
    without_projection("bistable_", layers)
    for layer in layers:
        _check_gain(gain, layer)
        if time_constant is not None and _cell(layer).keeps is None:
            raise TypeError(f"time_constant is that of a GRU or an LSTM, got {type(layer.module).__name__}")
    for layer in layers:
        units = max(1, round(fraction * layer.hidden_size))
        _set(layer, gain, units, free_gates)
        if time_constant is not None:
            _set_time_constant(layer, time_constant, units)
    return module


def _check_gain(gain: float, layer: Direction) -> None:
    least = _cell(layer).least
    if gain <= least:
        raise ValueError(f"gain must be above {least} for {type(layer.module).__name__}, got {gain}")


def _set(layer: Direction, gain: float, units: int, free_gates: bool) -> None:
    cell = _cell(layer)
    recurrent = layer.gates("weight_hh")
    for gate, bias in {cell.candidate: 0.0, **cell.biases}.items():
        if gate == cell.candidate or not free_gates:
            recurrent[gate][:units].zero_()
        _set_bias(layer, gate, units, bias)
    recurrent[cell.candidate][:units].fill_diagonal_(gain)


def _set_time_constant(layer: Direction, time_constant: float, units: int) -> None:
    """Without input, let the gate that keeps the state be 1 - 1 / t, and the one that takes up the candidate 1 / t."""
    cell = _cell(layer)
    logit = math.log(time_constant - 1)
    for gate, bias in ((cell.keeps, logit), (cell.takes, -logit)):
        if gate is not None:
            _set_bias(layer, gate, units, bias)


def _set_bias(layer: Direction, gate: int, units: int, value: float) -> None:
    """Make the biases of a gate add up to `value`: where there are two, the second is zero."""
    for bias in layer.biases():
        bias.split(layer.hidden_size)[gate][:units] = value
        value = 0.0


def _cell(layer: Direction) -> _Cell:
    return next(cell for kinds, cell in _CELLS if isinstance(layer.module, kinds))
