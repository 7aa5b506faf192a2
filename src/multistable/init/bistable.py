"""`bistable_`: units with two stable equilibria each, in closed form."""

import math
from typing import NamedTuple

from torch import nn

from multistable._utils.checks import check_fraction, check_positive
from multistable.init._layers import GRU, LSTM, RNN, Module, find_layers, with_biases, with_nonlinearity
from multistable.nn import MGU
from multistable.nn._directions import Direction

__all__ = ["bistable_"]

_OPEN_BIAS = 2.0  # of a gate that lets most pass, and still has a gradient
_OPEN = 1 / (1 + math.exp(-_OPEN_BIAS))
_FORGET_BIAS = 1.0  # the usual one; its negative makes the input gate one minus the forget gate


class _Cell(NamedTuple):
    """What a cell type has where.

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

    The first units of each layer, a share `fraction` of all, see no unit but themselves, with the weight `gain`. Write
    d for a unit's drive, which is what its candidate's input weights make of the input (its biases are zero), and k for
    the gain times a gate:

        RNN    h' = tanh(k h + d)                               k = gain
        GRU    h' = z h + (1 - z) tanh(k h + d)                 k = r gain
        MGU    h' = (1 - f) h + f tanh(k h + d)                 k = f gain
        LSTM   c' = f c + i tanh(k tanh(c) + d), h = o tanh(c)  k = o gain, with o of the step that made h

    Their gates r, o and MGU's f see no state, and their bias is 2, so that k = 0.88 gain without input. The LSTM's f
    and i see no state either, and have the biases 1 and -1: f = 0.73 is the usual start, and i = 1 - f, so that c' is a
    weighted mean as h' is. Input weights, the GRU's update gate and all other units stay as they are.

    Equilibria. Without input, h is in equilibrium if artanh(h) = k h, whatever the weights of the mean (LSTM: c is if
    artanh(c) = k tanh(c)). For k > 1 this has three solutions, 0 and one on either side. There the map has the slope
    1 - p + p k (1 - h^2) with p = 1, 1 - z or f (LSTM: f + i k (1 - c^2) (1 - tanh(c)^2)): above 1 at 0, which is
    unstable, and between 0 and 1 at the others, which lie beyond the m below, where k (1 - h^2) = 1, and are stable.
    That z depends on other units has no part in it, for where h is in equilibrium z does not matter. So n such units
    have 2^n stable equilibria. From zero states, the first inputs choose.

    Wells. q(h) = k h - artanh(h) has its largest value d_c at m = sqrt(1 - 1 / k). The map rises with h and d, so that
    h >= m and |d| <= d_c give tanh(k h + d) >= tanh(k m - d_c) = m, and h' >= m: no sequence of such inputs takes a
    unit that is beyond m to the other side. A drive above d_c against it, if held, does, for it leaves a single
    equilibrium, which is there. Where inputs reach the gates too, a unit stays while |d| <= k m - artanh(m) at each
    step, with the k of that step and the m of no input. For an LSTM, q(c) = k tanh(c) - artanh(c); m solves
    1 / (1 - m^2) = k (1 - tanh(m)^2), and has no closed form; and a unit with c >= m stays while
    |d| <= k tanh(m) - artanh(m (1 - f) / i). For a gain of 2:

        cell        k       equilibria                 m       d_c
        RNN         2.000   h = 0.958                  0.707   0.533
        GRU, MGU    1.762   h = 0.926                  0.658   0.370
        LSTM        1.762   c = 0.835, h = 0.602       0.517   0.265

    So inputs x that leave the gates alone switch no settled unit while |W x| < d_c, W being the candidate's input
    weights. torch draws them within 1 / sqrt(H): in a wide layer with few features, inputs of ordinary size may switch
    none, unless these weights are scaled up. A larger gain makes wells deeper, and gradients in them smaller.

    Free gates. With `free_gates` the gates r, f, i and o keep their recurrent weights, as a start from which a network
    may learn better. They then see the state, and k and the weights of the mean with it: what is said above holds with
    the k that each state makes, and a unit may lose its second equilibrium where others close its gate.

    Time constant. A GRU's z and an LSTM's f = 1 - i say over how many steps a unit averages what drives it: with
    `time_constant` t they are 1 - 1 / t without input. (A GRU's z keeps its recurrent weights: this is its value at
    zero states, and at others it lies around it.) Equilibria, wells and d_c stay as they are, but to move a unit a
    drive has to last: of drives that are independent from step to step the average has a standard deviation smaller by
    the factor sqrt(2 t - 1).

    Stacks. Of several layers, all this holds for each alone. The units of the layer below rest at one of their two
    equilibria each, not at zero, and drive the units above through their input weights: those that get more than d_c
    have one equilibrium left and follow the layer below, the others keep two, off the centre. Scaled down, the upper
    layer's input weights let it hold states of its own.

    Args:
        module: an `nn.RNN` or `nn.RNNCell` with tanh, or a GRU, LSTM or `MGU` with biases. Both parts of a
            `DoubleLayer` are treated alike; for the first parts alone, call this on each of `double.first`.
        gain: the weight, above 1 for an RNN and above 1 + exp(-2) = 1.135 for the others, so that k > 1.
        fraction: the share of the hidden units, in (0, 1], rounded to whole units, at least one.
        time_constant: steps over which a unit of a GRU or an LSTM averages, above 1. By default the GRU's update gate
            stays as it is, and the LSTM has 1 + e = 3.7.
        free_gates: whether gates keep their recurrent weights.

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
    layers = find_layers("bistable_", module, (*RNN, *GRU, *LSTM, MGU))
    with_nonlinearity("bistable_", [layer for layer in layers if isinstance(layer.module, RNN)], "tanh")
    with_biases("bistable_", [layer for layer in layers if not isinstance(layer.module, RNN)])
    for layer in layers:
        _check_projection(layer)
        _check_gain(gain, layer)
        if time_constant is not None and _cell(layer).keeps is None:
            raise TypeError(f"time_constant is that of a GRU or an LSTM, got {type(layer.module).__name__}")
    for layer in layers:
        units = max(1, round(fraction * layer.hidden_size))
        _set(layer, gain, units, free_gates)
        if time_constant is not None:
            _set_time_constant(layer, time_constant, units)
    return module


def _check_projection(layer: Direction) -> None:
    size = getattr(layer.module, "proj_size", 0)
    if size != 0:
        raise ValueError(f"bistable_ needs states that are not projected, got LSTM with proj_size={size}")


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
    """Let the gates be 1 - 1 / t, which keeps the state, and 1 / t, without input."""
    cell = _cell(layer)
    logit = math.log(time_constant - 1)
    for gate, bias in ((cell.keeps, logit), (cell.takes, -logit)):
        if gate is not None:
            _set_bias(layer, gate, units, bias)


def _set_bias(layer: Direction, gate: int, units: int, value: float) -> None:
    """Make the biases of a gate add up to `value`: one holds it, and the other, where there are two, is zero."""
    for bias in layer.biases():
        bias.split(layer.hidden_size)[gate][:units] = value
        value = 0.0


def _cell(layer: Direction) -> _Cell:
    return next(cell for kinds, cell in _CELLS if isinstance(layer.module, kinds))
