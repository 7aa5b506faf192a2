"""`held` and `margin_loss`: which units are held for ever, and how a layer is trained towards it."""

import torch
from torch import Tensor, nn

from multistable._held.arithmetic import Arithmetic, Interval
from multistable._held.closure import Closed, Layer, cells, close, drive_of
from multistable._held.margin import loss_of
from multistable._held.read import States, check_range, layers_of, states_of
from multistable._held.results import Held
from multistable._held.steps import Box
from multistable._utils.checks import check_not_negative, check_positive

__all__ = ["held", "margin_loss"]

# Into how many cells inputs are divided, whose square is what it costs, and how many numbers a tensor has at most.
_CELLS, _NUMBERS = 8, 2**21


@torch.no_grad()
def held(module: nn.Module, states: States, bound: float, *, readout: nn.Linear | None = None) -> Held:
    """Prove which units of a layer with hard gates are held for ever, whatever inputs come.

    Around each state grows the smallest box that no step leads out of, under any inputs `|x_i| <= bound`, by interval
    arithmetic; the layer above gets the boxes as its inputs. A unit whose gate is at its end everywhere in the box
    keeps its value to the bit, for ever. What is not proven may hold nevertheless.

    Boxes are divided by the last input into cells: the units that move are driven by the same input, and move together.

    It is proven for the steps as the layer computes them, in its own dtype: all that is rounded is accounted for, sums
    in any order, sigmoids to 4 units of rounding and tanhs to 12. Not for TF32 or autocast, nor in training with
    dropout between layers.

    Args:
        module: a layer of `multistable.nn` with hard gates, that goes in one direction.
        states: where it starts, as it returns its last states: (L, B, H), or (L, H) for a single sequence; of an LSTM
            a pair (h, c).
        bound: of the inputs, finite and above 0.
        readout: what turns the top layer's h into answers, if these are asked for.

    Returns:
        What is proven, of each state and in numbers.

    Raises:
        TypeError: `module`, `states`, `bound` or `readout` has the wrong type.
        ValueError: the module goes in two directions or its gates are soft; `bound` is not finite and above 0; `states`
            or `readout` does not fit the module; weights or `states` hold NaN or infinity, or are so large that sums
            may leave the range of the dtype.

    Examples:
        >>> import torch
        >>> import multistable
        >>> gru = multistable.nn.GRU(1, 2, hardness=0.3)
        >>> with torch.no_grad():
        ...     _ = [weight.zero_() for weight in gru.parameters()]
        ...     gru.weight_ih_l0[2:4] = 1  # both update gates see the input
        ...     gru.bias_ih_l0[2:4] = torch.tensor([9.0, 3.0])
        >>> multistable.held(gru, torch.ones(1, 1, 2), bound=5).units[0]
        tensor([[ True, False]])
    """
    layers = layers_of(module, torch.float64)
    starts = states_of("states", states, module, torch.float64)
    bound = check_positive("bound", bound)
    check_range(layers, starts, bound, module)
    read = None if readout is None else _readout(readout, module)
    batch, wide = len(starts[0].output.lower), max(len(layer.weights.ih) for layer in layers)
    size = max(1, _NUMBERS // (_CELLS**2 * wide))
    parts = [
        _closed(layers, [start.map(lambda state: state[rows]) for start in starts], bound)  # noqa: B023
        for rows in torch.arange(batch, device=starts[0].output.lower.device).split(size)
    ]
    closed = [Closed(*_joined(of_layer)) for of_layer in zip(*parts, strict=True)]
    return _result(bound, starts, closed, read)


def margin_loss(module: nn.Module, hx: States, bound: float, *, margin: float = 0.5) -> Tensor:
    """What to add to a loss, so that units that hold do so under all inputs up to a bound.

    The units that hold without input, where the layer is now, are taken to be held. For each of them: how far its gates
    before their nonlinearity, at the least under any inputs `|x_i| <= bound`, fall short of `margin` beyond their
    threshold; the mean of that. Where it is 0 they are likely to be held, which `held` alone proves. Differentiable in
    the weights and the states; the boxes of all other units are found without gradient, save for the last two steps.

    Args:
        module: a layer of `multistable.nn` with hard gates, that goes in one direction.
        hx: its last states, as `held` takes them.
        bound: of the inputs, finite and above 0.
        margin: beyond the threshold, of the gate before its nonlinearity; 0 or more.

    Returns:
        The loss, of no dimensions; 0 where no unit holds.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: as of `held`, or `margin` is negative or not finite.

    Examples:
        >>> import torch
        >>> import multistable
        >>> gru = multistable.nn.GRU(1, 8, hardness=0.3)
        >>> outputs, hx = gru(torch.randn(20, 4, 1))
        >>> loss = outputs[-1].square().mean() + 0.3 * multistable.margin_loss(gru, hx, bound=5)
        >>> loss.backward()
    """
    layers = layers_of(module)
    starts = states_of("hx", hx, module)
    bound, margin = check_positive("bound", bound), check_not_negative("margin", margin)
    check_range(layers, starts, bound, module)
    return loss_of(layers, starts, bound, margin)


def _closed(layers: list[Layer], starts: list[Box], bound: float) -> list[Closed]:
    inputs, closed = cells(layers[0], bound, _CELLS), []
    for layer, start in zip(layers, starts, strict=True):
        closed.append(close(layer, drive_of(layer, inputs), start))
        inputs = closed[-1].box.output
    return closed


def _joined(parts: tuple[Closed, ...]) -> tuple[Tensor, Box]:
    def join(intervals: list[Interval]) -> Interval:
        return Interval(*(torch.cat(bounds) for bounds in zip(*intervals, strict=True)))

    boxes = [part.box for part in parts]
    return torch.cat([part.held for part in parts]), Box(
        join([box.memory for box in boxes]), join([box.output for box in boxes])
    )


def _result(bound: float, starts: list[Box], closed: list[Closed], read: tuple[nn.Linear, Arithmetic] | None) -> Held:
    outputs = [of.box.output.over(1).hull(start.output) for of, start in zip(closed, starts, strict=True)]
    memories = [of.box.memory.over(1).hull(start.memory) for of, start in zip(closed, starts, strict=True)]
    answer: Interval | tuple[None, None] = (None, None)
    if read is not None:
        linear, arithmetic = read
        weight, bias = (None if w is None else w.detach().double() for w in (linear.weight, linear.bias))
        assert weight is not None
        now, later = starts[-1].output, closed[-1].box.output
        answer = arithmetic.affine(weight, later, bias).over(1).hull(arithmetic.affine(weight, now, bias))
    return Held(
        bound=bound,
        share=tuple(float(of.held.double().mean()) for of in closed),
        distinct=_distinct(torch.cat([m.lower for m in memories], 1), torch.cat([m.upper for m in memories], 1)),
        n=len(memories[0].lower),
        units=tuple(of.held for of in closed),
        lower=tuple(output.lower for output in outputs),
        upper=tuple(output.upper for output in outputs),
        answer_lower=answer[0],
        answer_upper=answer[1],
    )


def _distinct(lower: Tensor, upper: Tensor) -> int:
    """How many boxes (B, S) there are, of those counted one after the other, each of which meets none before it."""
    chosen: list[int] = []
    for b in range(len(lower)):
        apart = (lower[chosen] > upper[b]) | (upper[chosen] < lower[b])
        if bool(apart.any(1).all()):
            chosen.append(b)
    return len(chosen)


def _readout(readout: nn.Linear, module: nn.Module) -> tuple[nn.Linear, Arithmetic]:
    """With the arithmetic of its dtype.

    Raises:
        TypeError: it is no `nn.Linear`.
        ValueError: it does not take the module's outputs.
    """
    if not isinstance(readout, nn.Linear):
        raise TypeError(f"readout must be an nn.Linear, got {type(readout).__name__}")
    like: Tensor = module.weight_ih_l0  # type: ignore[assignment]
    if readout.in_features != module.hidden_size:
        raise ValueError(f"readout must take {module.hidden_size} features, got in_features={readout.in_features}")
    if readout.weight.dtype != like.dtype or readout.weight.device != like.device:
        raise ValueError(
            f"readout must have the module's dtype and device ({like.dtype}, {like.device}), got "
            f"{readout.weight.dtype}, {readout.weight.device}"
        )
    eps = torch.finfo(like.dtype).eps + torch.finfo(torch.float64).eps
    return readout, Arithmetic(eps, readout.in_features + 8, 1.0)
