"""A recurrence as an operator of torch's, with a backward pass of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.library import custom_op

from multistable.nn.ops._rows import chunks, last_rows, step_sizes, with_gradients
from multistable.nn.ops._steps import Given, Steps

__all__ = ["Backward", "Forward", "Run", "as_operator"]

Run = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None], tuple[Tensor, Tensor]]
Forward = Callable[[Given], Tensor]
Backward = Callable[[Steps, Tensor], tuple[Tensor, Tensor]]

_SCHEMA = (
    "(Tensor inputs, Tensor h, Tensor weight_ih, Tensor weight_hh, Tensor? bias, Tensor? batch_sizes) "
    "-> (Tensor, Tensor, Tensor)"
)
_BACKWARD_SCHEMA = (
    "(Tensor? grad_states, Tensor? grad_last, Tensor gates, Tensor states, Tensor inputs, Tensor h, Tensor weight_ih, "
    "Tensor weight_hh, Tensor? batch_sizes, bool of_inputs, bool of_weight_ih) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def as_operator(name: str, forward: Forward, backward: Backward) -> Run:
    """Make a recurrence known to torch as the operator `multistable::<name>`; `Recurrence` says what the parts are.

    An operator is one node for `torch.compile` and `torch.export`, which would otherwise unroll its loop over time.
    `torch.func` does not differentiate operators, but it does functions of autograd: so the recurrence is both.
    """
    scan = custom_op(f"multistable::{name}", partial(_scan, forward), mutates_args=(), schema=_SCHEMA)
    scan_backward = custom_op(
        f"multistable::{name}_backward", partial(_scan_backward, backward), mutates_args=(), schema=_BACKWARD_SCHEMA
    )
    no_second = partial(_refuse, name, "second derivative")
    scan.register_fake(_shapes)
    scan_backward.register_fake(_backward_shapes)
    scan.register_autograd(partial(_differentiate, scan_backward), setup_context=_keep)
    scan_backward.register_autograd(no_second)
    scan.register_vmap(partial(_one_by_one, scan))
    scan_backward.register_vmap(partial(_one_by_one, scan_backward))

    class BackwardFunction(torch.autograd.Function):
        generate_vmap_rule = True
        forward = staticmethod(scan_backward)
        setup_context = staticmethod(lambda ctx, inputs, output: None)
        backward = staticmethod(no_second)

    class Function(torch.autograd.Function):
        generate_vmap_rule = True
        forward = staticmethod(scan)
        setup_context = staticmethod(_keep)
        backward = staticmethod(partial(_differentiate, BackwardFunction.apply))
        jvp = staticmethod(partial(_refuse, name, "forward-mode derivative"))

    def run(
        inputs: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None, batch_sizes: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        apply: Any = scan if torch.compiler.is_compiling() else Function.apply
        states, last, _ = apply(inputs, h, weight_ih, weight_hh, bias, batch_sizes)
        return states, last

    return run


def _scan(
    forward: Forward,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None,
    batch_sizes: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The states after each step, the last state of each sequence, and the gates."""
    sizes = step_sizes(inputs, batch_sizes)
    states = inputs.new_empty(*inputs.shape[:-1], h.shape[1])
    rows = states.flatten(0, -2)
    with torch.autocast(inputs.device.type, enabled=False):
        gates = forward(Given(inputs.flatten(0, -2), h, weight_ih, weight_hh, bias, sizes, rows))
    return states, rows[last_rows(sizes, rows.device)], gates


def _shapes(
    inputs: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None, batch_sizes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Results of the shapes that `_scan` has."""
    hidden_size = h.shape[1]
    states = inputs.new_empty(*inputs.shape[:-1], hidden_size)
    gates = inputs.new_empty(inputs.flatten(0, -2).shape[0], weight_ih.shape[0] // hidden_size, hidden_size)
    return states, h.new_empty(h.shape), gates


def _scan_backward(
    backward: Backward,
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    gates: Tensor,
    states: Tensor,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    batch_sizes: Tensor | None,
    of_inputs: bool,
    of_weight_ih: bool,
) -> tuple[Tensor, ...]:
    """The gradients of inputs, h, weight_ih, weight_hh and bias; empty where they are not asked for."""
    results = _backward_shapes(
        grad_states, grad_last, gates, states, inputs, h, weight_ih, weight_hh, batch_sizes, of_inputs, of_weight_ih
    )
    grad_inputs, grad_h, grad_weight_ih, grad_weight_hh, grad_bias = results
    for one in results[1:]:
        one.zero_()
    sizes = step_sizes(states, batch_sizes)
    rows, input_rows = states.flatten(0, -2), inputs.flatten(0, -2)
    with torch.autocast(states.device.type, enabled=False):
        delta = with_gradients(rows, grad_states, grad_last, sizes)
        deltas, states_before = [grad_h, *delta.split(sizes)], [h, *rows.split(sizes)]
        for steps, chunk in chunks(sizes, h.shape[1]):
            here = sizes[steps]
            before = torch.cat([one[:size] for one, size in zip(states_before[steps], here, strict=True)])
            grad_gates, of_weight_hh = backward(
                Steps(gates[chunk], before, delta[chunk], deltas[1:][steps], deltas[steps], here), weight_hh
            )
            grad_drive = grad_gates.flatten(1)
            grad_weight_hh += of_weight_hh
            grad_bias += grad_drive.sum(0)
            if of_weight_ih:
                grad_weight_ih.addmm_(grad_drive.t(), input_rows[chunk])
            if of_inputs:
                torch.mm(grad_drive, weight_ih, out=grad_inputs.flatten(0, -2)[chunk])
    return results


def _backward_shapes(
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    gates: Tensor,
    states: Tensor,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    batch_sizes: Tensor | None,
    of_inputs: bool,
    of_weight_ih: bool,
) -> tuple[Tensor, ...]:
    """Results of the shapes that `_scan_backward` has."""
    return (
        inputs.new_empty(inputs.shape if of_inputs else (0,)),
        inputs.new_empty(h.shape),
        inputs.new_empty(weight_ih.shape if of_weight_ih else (0,)),
        inputs.new_empty(weight_hh.shape),
        inputs.new_empty(weight_ih.shape[:1]),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    """What the backward pass needs."""
    given, h, weight_ih, weight_hh, _, batch_sizes = inputs
    states, _, gates = output
    ctx.save_for_backward(given, h, weight_ih, weight_hh, batch_sizes, states, gates)
    ctx.mark_non_differentiable(gates)
    ctx.set_materialize_grads(False)


def _differentiate(
    backward: Callable[..., tuple[Tensor, ...]],
    ctx: Any,
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    of_gates: None,
) -> tuple[Tensor | None, ...]:
    """The gradients of all that `_scan` takes from the caller."""
    inputs, h, weight_ih, weight_hh, batch_sizes, states, gates = ctx.saved_tensors
    of_inputs, _, of_weight_ih, _, of_bias, _ = ctx.needs_input_grad
    grad_inputs, grad_h, grad_weight_ih, grad_weight_hh, grad_bias = backward(
        grad_states, grad_last, gates, states, inputs, h, weight_ih, weight_hh, batch_sizes, of_inputs, of_weight_ih
    )
    return (
        grad_inputs if of_inputs else None,
        grad_h,
        grad_weight_ih if of_weight_ih else None,
        grad_weight_hh,
        grad_bias if of_bias else None,
        None,
    )


def _refuse(name: str, what: str, ctx: Any, *gradients: Tensor | None) -> NoReturn:
    raise NotImplementedError(
        f"multistable.nn.ops.{name} has no {what}: {name}_reference has, the same function in plain operations"
    )


def _one_by_one(
    operator: Callable[..., tuple[Tensor, ...]], info: Any, dims: tuple[int | None, ...], *arguments: Any
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The rule for `torch.func.vmap`: one after the other."""
    results = [
        operator(*(one if dim is None else one.select(dim, k) for one, dim in zip(arguments, dims, strict=True)))
        for k in range(info.batch_size)
    ]
    stacked = tuple(torch.stack(one) for one in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)
