"""One measure, taken before and after something is done to a network."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch

from multistable._measure.constants import constants
from multistable._measure.results import Multistability
from multistable._measure.score import score
from multistable._measure.selection import Selection
from multistable._utils.randomness import draw_seed

__all__ = ["kept", "probe"]

_MEASURED = 32  # states: VAA 0.03 is one attractor


def probe(
    selection: Selection,
    inputs: Any,
    drawn: Iterator[Any],
    *,
    horizon: int,
    tol: float,
    generator: torch.Generator,
) -> Callable[[], Multistability]:
    """A function that measures the whole selection on the same sequences, prefixes and constant inputs each time.

    Args:
        selection: the layers that something is done to.
        inputs: what the user passed.
        drawn: batches of it that will be used. An iterator is gone through once: what is measured on is taken from the
            beginning of these.
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        generator: draws the sequences, and what else is random.
    """
    once = isinstance(inputs, Iterator)
    measured_on = drawn if once else selection.batches(inputs, _MEASURED, generator, endless=False)
    seed = draw_seed(generator)
    batches: list[Any] = []

    def measured() -> Multistability:
        own = torch.Generator().manual_seed(seed)
        reached = selection.reach(batches or kept(measured_on, batches), _MEASURED, own)
        (held,) = constants(selection.whole(), None, reached, own)
        found = score(selection.whole(), reached.states, horizon, tol, held)
        return replace(found, open_loop=reached.open_loop)

    return measured


def kept(batches: Iterable[Any], those: list[Any]) -> Iterator[Any]:
    """The batches, each put with those that are kept as it is taken."""
    for batch in batches:
        those.append(batch)
        yield batch
