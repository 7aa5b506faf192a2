"""What a warmup has come to, in a word and in a sentence."""

from collections.abc import Sequence

import torch

from multistable._measure import Multistability
from multistable._measure.selection import Selection
from multistable._warmup.results import Status, WarmupHistory
from multistable._warmup.saturation import Saturation
from multistable.dynamics import Sequences
from multistable.functional import vaa

__all__ = ["LAST", "conclude", "share_apart"]

LAST = 10  # steps whose mean counts; as many in a row without any gradient, and more of the same are of no use
_REACHED = 0.9  # the share of the target to come to: VAA* varies by some hundredths from draw to draw
_SATURATED = 0.25  # the share of cells above which it is said; after chrono_ there are hardly any
_RESTING = 0.1  # the share of states at rest below which those that move are not exceptions


def share_apart(
    selection: Selection, sequences: Sequence[Sequences], count: int, max_prefix: int | None, tol: float
) -> float:
    """VAA of the states that the longest prefixes lead to, before anything is held; the least of any layer.

    States that coincide stay together, so that VAA at no horizon is above it. The first `count` sequences count; where
    there are none, as in one process of many, it is 0.
    """
    if min(len(received) for received in sequences) == 0:
        return 0.0
    apart = []
    for stack, received in zip(selection.stacks, sequences, strict=True):
        received = received.rows(torch.arange(min(count, len(received)), device="cpu"))
        prefixes = received.lengths if max_prefix is None else received.lengths.clamp(max=max_prefix)
        states = stack.reach(received.inputs, received.lengths, prefixes, received.state)
        apart += [
            vaa(state, tol).item()
            for part, state in zip(stack.parts, stack.split(states), strict=True)
            if part in selection.layers
        ]
    return min(apart)


def conclude(
    before: Multistability,
    after: Multistability,
    history: WarmupHistory,
    target: float,
    apart: float,
    saturated: Saturation,
    max_prefix: int | None,
) -> tuple[Status, str]:
    """The status, and what is said about it.

    Args:
        before: the measure before.
        after: the measure after.
        history: what each step saw.
        target: the VAA* aimed at.
        apart: `share_apart` of a batch.
        saturated: `saturation` of a batch.
        max_prefix: the longest prefix.
    """
    status, message = _status(before, after, history, target, apart, max_prefix)
    if saturated.share >= _SATURATED:
        message += (
            f"; {saturated.share:.0%} of the cell states c of {saturated.layer!r} are so large that tanh(c) is flat, "
            "and training may lose what they hold: multistable.init.chrono_ before the warmup, with a t_max as long as "
            "the memory, makes an LSTM sturdier"
        )
    return status, message


def _status(
    before: Multistability,
    after: Multistability,
    history: WarmupHistory,
    target: float,
    apart: float,
    max_prefix: int | None,
) -> tuple[Status, str]:
    steps = len(history.loss)
    change = f"VAA went from {before.vaa:.2f} to {after.vaa:.2f} at {after.horizon:,} steps in {steps} steps of warmup"
    last = history.vaa_star[-LAST:]
    means = [sum(of_layer) / len(last) for of_layer in zip(*last, strict=True)]
    lowest = min(means)
    if after.growing:
        return "diverged", (
            f"{change}, but states grow faster and faster, up to {after.states.abs().max().item():.1e}: they are "
            "apart because they run away; use a lower lr, fewer steps, or a step that keeps states bounded, such as "
            "one with tanh"
        )
    if min(lowest, after.vaa) >= _REACHED * target:
        if after.at_rest == 1:
            return "reached", change
        moving = f"still move by up to {after.residual:.1e} a step"
        if after.at_rest >= _RESTING:
            return "reached", f"{change}; {after.at_rest:.0%} of the states are at rest, the others {moving}"
        number = f"only {after.at_rest:.0%}" if after.at_rest > 0 else "none"
        return "slow", (
            f"{change}, but {number} of the states are at rest: they {moving}, and may have a single attractor yet "
            "(multistable.attractors tells)"
        )
    collapsed = not any(history.grad_norm[-LAST:])
    if apart < _REACHED * target:
        where = "whole sequences lead" if max_prefix is None else f"after {max_prefix} steps the sequences have led"
        remedy = "check that they differ" if max_prefix is None else "raise max_prefix, or pack padded sequences"
        return "collapsed" if collapsed else "below target", (
            f"{change}; before anything is held, {where} to states closer than tol = {after.tol:g} (VAA {apart:.2f}), "
            f"as they do where sequences begin alike, with padding or a header: {remedy}; where states are that small, "
            "lower tol"
        )
    if collapsed:
        return "collapsed", (
            f"{change}; the last {len(last)} had no gradient: in every layer all states lie within tol of each other "
            "even after one step under a constant input, or are so large that tanh no longer tells them apart; check "
            "that the sequences differ, lower tol, or start from other weights"
        )
    if lowest >= _REACHED * target:
        return "below target", (
            f"{change}, below the target of {target}, while VAA* averaged {lowest:.2f} or more in every layer over the "
            f"last {len(last)}: the states are kept apart as long as the steps look, and merge later; that may do for "
            "sequences no longer than that, and a larger horizon looks further"
        )
    return "below target", (
        f"{change}; VAA* averaged {lowest:.2f} in {history.layers[means.index(lowest)]!r} over the last {len(last)}, "
        f"below the target of {target}: more steps may help"
    )
