"""`MGU` and `MGUCell`: the minimal gated unit as a layer and as a cell."""

from multistable.nn import ops
from multistable.nn._cell import RecurrentCell
from multistable.nn._layer import RecurrentLayer

__all__ = ["MGU", "MGUCell"]


class MGU(RecurrentLayer):
    """The minimal gated unit (Zhou et al. 2016, arXiv:1603.09420), called as `nn.GRU` is.

        f = sigmoid(W_f x + U_f h + b_f)
        h' = (1 - f) * h + f * tanh(W_h x + U_h (f * h) + b_h)

    A GRU with a single gate. Parameters of layer k are `weight_ih_lk` (2 H, I), `weight_hh_lk` (2 H, H) and `bias_lk`
    (2 H,), in the order f, h; those of the reverse direction end in `_reverse`. Weights are drawn Xavier-uniform for
    each gate, biases are zero.

    Args:
        input_size: I, features of an input.
        hidden_size: H, hidden units.
        num_layers: layers on top of each other.
        bias: whether there are biases.
        batch_first: whether batched inputs and outputs are (B, T, F) instead of (T, B, F).
        dropout: probability with which dropout zeroes what each layer but the last passes on, in training.
        bidirectional: whether a second layer beside each reads from the end.
        device: where the parameters lie.
        dtype: the parameters' type.
        hardness: of the gate f, through which a unit is kept: clamp((1 + 2 hardness) sigmoid(x) - hardness, 0, 1),
            which is the sigmoid at 0. A buffer, which `Hardening` raises in training; a state dict carries it where it
            is not 0.

    Raises:
        TypeError: a size is no int, a flag no bool, or `hardness` no number.
        ValueError: a size is not above zero, `dropout` not in [0, 1], or `hardness` negative or not finite.

    Examples:
        >>> import torch
        >>> from multistable.nn import MGU
        >>> outputs, last = MGU(3, 8, batch_first=True)(torch.randn(5, 20, 3))
        >>> outputs.shape, last.shape
        (torch.Size([5, 20, 8]), torch.Size([1, 5, 8]))
    """

    recurrence = ops.mgu


class MGUCell(RecurrentCell):
    """One step of an `MGU`, called as `nn.GRUCell` is.

    Parameters are `weight_ih` (2 H, I), `weight_hh` (2 H, H) and `bias` (2 H,), as in a layer: those of a single
    layer fit, without the `_l0` in their names.

    Args:
        input_size: I, features of an input.
        hidden_size: H, hidden units.
        bias: whether there is a bias.
        device: where the parameters lie.
        dtype: the parameters' type.
        hardness: as of the layer.

    Raises:
        TypeError: a size is no int, `bias` no bool, or `hardness` no number.
        ValueError: a size is not above zero, or `hardness` negative or not finite.

    Examples:
        >>> import torch
        >>> from multistable.nn import MGUCell
        >>> cell, h = MGUCell(3, 8), None
        >>> for x in torch.randn(20, 5, 3):
        ...     h = cell(x, h)
        >>> h.shape
        torch.Size([5, 8])
    """

    recurrence = ops.mgu
