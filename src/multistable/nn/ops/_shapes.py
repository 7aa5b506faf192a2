"""What the passes of a recurrence return, by shape: all that `torch.compile` has to know of them."""

from torch import Tensor

__all__ = ["backward_shapes", "shapes"]


def shapes(
    gates: int,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None,
    batch_sizes: Tensor | None,
    hardness: Tensor | None,
    path: str = "plain",
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Results of the shapes that the pass forwards has."""
    hidden_size, rows = weight_hh.shape[1], inputs.flatten(0, -2).shape[0]
    states = inputs.new_empty(*inputs.shape[:-1], hidden_size)
    of_gates = inputs.new_empty(rows, gates, hidden_size)
    return states, h.new_empty(h.shape), of_gates, inputs.new_empty(rows, h.shape[1] - hidden_size)


def backward_shapes(
    gate_count: int,
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    gates: Tensor,
    states: Tensor,
    inners: Tensor,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    batch_sizes: Tensor | None,
    hardness: Tensor | None,
    of_inputs: bool,
    of_weight_ih: bool,
    path: str = "plain",
) -> tuple[Tensor, ...]:
    """Results of the shapes that the pass backwards has."""
    return (
        inputs.new_empty(inputs.shape if of_inputs else (0,)),
        inputs.new_empty(h.shape),
        inputs.new_empty(weight_ih.shape if of_weight_ih else (0,)),
        inputs.new_empty(weight_hh.shape),
        inputs.new_empty(gate_count * weight_hh.shape[1]),
    )
