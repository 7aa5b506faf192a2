"""`NBRC` and `NBRCCell`: the neuromodulated bistable recurrent cell as a layer and as a cell."""

from multistable.nn import ops
from multistable.nn._cell import RecurrentCell
from multistable.nn._layer import RecurrentLayer

__all__ = ["NBRC", "NBRCCell"]


class NBRC(RecurrentLayer):
    """The neuromodulated bistable recurrent cell (Vecoven et al. 2021, arXiv:2006.05252), called as `nn.GRU` is.

        c = sigmoid(U_c x + W_c h + b_c)
        a = 1 + tanh(U_a x + W_a h + b_a)
        h' = c * h + (1 - c) * tanh(U_h x + a * h + b_h)

    A `BRC` whose gates see all units of the layer. Parameters of layer k are `weight_ih_lk` (3 H, I) and `bias_lk`
    (3 H,), in the order c, a, h, and `weight_hh_lk` (2 H, H), which holds W_c and W_a; those of the reverse direction
    end in `_reverse`. Weights are drawn Xavier-uniform for each gate, biases are zero.

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
        hardness: of the gate c, through which a unit is kept: clamp((1 + 2 hardness) sigmoid(x) - hardness, 0, 1),
            which is the sigmoid at 0. A buffer, which `Hardening` raises in training; a state dict carries it where it
            is not 0.

    Raises:
        TypeError: a size is no int, a flag no bool, or `hardness` no number.
        ValueError: a size is not above zero, `dropout` not in [0, 1], or `hardness` negative or not finite.

    Examples:
        >>> import torch
        >>> from multistable.nn import NBRC
        >>> outputs, last = NBRC(3, 8, bidirectional=True)(torch.randn(20, 5, 3))
        >>> outputs.shape, last.shape
        (torch.Size([20, 5, 16]), torch.Size([2, 5, 8]))
    """

    recurrence = ops.nbrc


class NBRCCell(RecurrentCell):
    """One step of an `NBRC`, called as `nn.GRUCell` is.

    Parameters are `weight_ih` (3 H, I), `weight_hh` (2 H, H) and `bias` (3 H,), as in a layer: those of a single
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
        >>> from multistable.nn import NBRCCell
        >>> cell, h = NBRCCell(3, 8), None
        >>> for x in torch.randn(20, 5, 3):
        ...     h = cell(x, h)
        >>> h.shape
        torch.Size([5, 8])
    """

    recurrence = ops.nbrc
