"""A recurrence as an operator of torch's, with a backward pass of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.library import custom_op

from multistable.nn.ops._gates import value_of
from multistable.nn.ops._rows import chunks, last_rows, step_sizes, with_gradients
from multistable.nn.ops._shapes import backward_shapes, shapes
from multistable.nn.ops._steps import Given, Steps
from multistable.nn.ops._vmap import one_by_one

__all__ = ["Backward", "Forward", "Run", "as_operator"]

Run = Callable[
    [Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None, str], tuple[Tensor, Tensor]
]
Forward = Callable[[Given], Tensor]
Backward = Callable[[Steps, Tensor], tuple[Tensor, Tensor]]

_SCHEMA = (
    "(Tensor inputs, Tensor h, Tensor weight_ih, Tensor weight_hh, Tensor? bias, Tensor? batch_sizes, "
    "Tensor? hardness, str path='plain') -> (Tensor, Tensor, Tensor, Tensor)"
)
_BACKWARD_SCHEMA = (
    "(Tensor? grad_states, Tensor? grad_last, Tensor gates, Tensor states, Tensor inners, Tensor inputs, Tensor h, "
    "Tensor weight_ih, Tensor weight_hh, Tensor? batch_sizes, Tensor? hardness, bool of_inputs, bool of_weight_ih, "
    "str path='plain') -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def as_operator(name: str, gates: int, forward: Forward, backward: Backward) -> Run:
    """Make a recurrence known to torch as the operator `multistable::<name>`; `Recurrence` says what the parts are.

    An operator is one node for `torch.compile` and `torch.export`, which would otherwise unroll its loop over time.
    `torch.func` does not differentiate operators, but it does functions of autograd: so the recurrence is both. `gates`
    is how many of them the passes hand on, each (N, H). The path is the caller's choice, so that both passes take the
    same, whatever is switched in between.
    """
    scan = custom_op(f"multistable::{name}", partial(_scan, name, gates, forward), mutates_args=(), schema=_SCHEMA)
    scan_backward = custom_op(
        f"multistable::{name}_backward",
        partial(_scan_backward, name, gates, backward),
        mutates_args=(),
        schema=_BACKWARD_SCHEMA,
    )
    no_second = partial(_refuse, name, "second derivative")
    scan.register_fake(partial(shapes, gates))
    scan_backward.register_fake(partial(backward_shapes, gates))
    scan.register_autograd(partial(_differentiate, scan_backward), setup_context=_keep)
    scan_backward.register_autograd(no_second)
    scan.register_vmap(partial(_mapped, scan))
    scan_backward.register_vmap(partial(_mapped, scan_backward))

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

    def run(*given: Tensor | str | None) -> tuple[Tensor, Tensor]:
        apply: Any = scan if torch.compiler.is_compiling() else Function.apply
        states, last, _, _ = apply(*given)
        return states, last

    return run


def _scan(
    name: str,
    gate_count: int,
    forward: Forward,
    inputs: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None,
    batch_sizes: Tensor | None,
    hardness: Tensor | None,
    path: str = "plain",
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """h after each step, the last state of each sequence, the gates, and the rest of the state after each step."""
    if path != "plain":
        from multistable.nn.ops import triton

        with torch.autocast(inputs.device.type, enabled=False):
            return triton.scan(name, path, gate_count, inputs, h, weight_ih, weight_hh, bias, batch_sizes, hardness)
    sizes, hidden_size = step_sizes(inputs, batch_sizes), weight_hh.shape[1]
    start, inner = h[:, :hidden_size], h[:, hidden_size:]
    states = inputs.new_empty(*inputs.shape[:-1], hidden_size)
    rows, input_rows = states.flatten(0, -2), inputs.flatten(0, -2)
    inners = rows.new_empty(len(rows), inner.shape[1])
    with torch.autocast(inputs.device.type, enabled=False):
        gates = forward(
            Given(input_rows, start, inner, weight_ih, weight_hh, bias, value_of(hardness), sizes, rows, inners)
        )
    at_end = last_rows(sizes, rows.device)
    return states, torch.cat([rows[at_end], inners[at_end]], 1), gates, inners


def _scan_backward(
    name: str,
    gate_count: int,
    backward: Backward,
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
    """The gradients of inputs, h, weight_ih, weight_hh and bias; empty where they are not asked for."""
    if path != "plain":
        from multistable.nn.ops import triton

        with torch.autocast(states.device.type, enabled=False):
            return triton.scan_backward(
                name,
                path,
                grad_states,
                grad_last,
                gates,
                states,
                inners,
                inputs,
                h,
                weight_ih,
                weight_hh,
                batch_sizes,
                hardness,
                of_inputs,
                of_weight_ih,
            )
    results = backward_shapes(
        gate_count,
        grad_states,
        grad_last,
        gates,
        states,
        inners,
        inputs,
        h,
        weight_ih,
        weight_hh,
        batch_sizes,
        hardness,
        of_inputs,
        of_weight_ih,
    )
    grad_inputs, grad_h, grad_weight_ih, grad_weight_hh, grad_bias = results
    for one in results[1:]:
        one.zero_()
    sizes, value = step_sizes(states, batch_sizes), value_of(hardness)
    rows, input_rows, hidden_size = states.flatten(0, -2), inputs.flatten(0, -2), weight_hh.shape[1]
    of_inner = grad_h[:, hidden_size:]
    if grad_last is not None:
        of_inner.copy_(grad_last[:, hidden_size:])
        grad_last = grad_last[:, :hidden_size]
    with torch.autocast(states.device.type, enabled=False):
        delta = with_gradients(rows, grad_states, grad_last, sizes)
        deltas = [grad_h[:, :hidden_size], *delta.split(sizes)]
        states_before = [h[:, :hidden_size], *rows.split(sizes)]
        inners_before = [h[:, hidden_size:], *inners.split(sizes)]
        for steps, chunk in chunks(sizes, hidden_size):
            here = sizes[steps]
            before, inner_before = (
                torch.cat([one[:size] for one, size in zip(each[steps], here, strict=True)])
                for each in (states_before, inners_before)
            )
            grad_gates, of_weight_hh = backward(
                Steps(
                    gates[chunk],
                    value,
                    before,
                    inner_before,
                    inners[chunk],
                    delta[chunk],
                    deltas[1:][steps],
                    deltas[steps],
                    of_inner,
                    here,
                ),
                weight_hh,
            )
            grad_weight_hh += of_weight_hh
            grad_bias += grad_gates.flatten(1).sum(0)
            grad_drive = grad_gates.flatten(1)[:, : len(weight_ih)]
            if of_weight_ih:
                grad_weight_ih.addmm_(grad_drive.t(), input_rows[chunk])
            if of_inputs:
                torch.mm(grad_drive, weight_ih, out=grad_inputs.flatten(0, -2)[chunk])
    return results


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    """What the backward pass needs."""
    given, h, weight_ih, weight_hh, _, batch_sizes, hardness, ctx.path = inputs
    states, _, gates, inners = output
    ctx.save_for_backward(given, h, weight_ih, weight_hh, batch_sizes, hardness, states, gates, inners)
    ctx.mark_non_differentiable(gates, inners)
    ctx.set_materialize_grads(False)


def _differentiate(
    backward: Callable[..., tuple[Tensor, ...]],
    ctx: Any,
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    of_gates: None,
    of_inners: None,
) -> tuple[Tensor | None, ...]:
    """The gradients of all that `_scan` takes from the caller."""
    inputs, h, weight_ih, weight_hh, batch_sizes, hardness, states, gates, inners = ctx.saved_tensors
    of_inputs, _, of_weight_ih, _, of_bias, *_ = ctx.needs_input_grad
    grad_inputs, grad_h, grad_weight_ih, grad_weight_hh, grad_bias = backward(
        grad_states,
        grad_last,
        gates,
        states,
        inners,
        inputs,
        h,
        weight_ih,
        weight_hh,
        batch_sizes,
        hardness,
        of_inputs,
        of_weight_ih,
        ctx.path,
    )
    return (
        grad_inputs if of_inputs else None,
        grad_h,
        grad_weight_ih if of_weight_ih else None,
        grad_weight_hh,
        grad_bias if of_bias else None,
        None,
        None,
        None,
    )


def _refuse(name: str, what: str, ctx: Any, *gradients: Tensor | None) -> NoReturn:
    raise NotImplementedError(
        f"multistable.nn.ops.{name} has no {what}: {name}_reference has, the same function in plain operations"
    )


def _mapped(
    operator: Callable[..., tuple[Tensor, ...]], info: Any, dims: tuple[int | None, ...], *arguments: Any
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The rule for `torch.func.vmap`."""
    results = one_by_one(operator, info, dims, arguments)
    stacked = tuple(torch.stack(one) for one in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)
