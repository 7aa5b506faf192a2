"""One measure, taken before and after something is done to a network."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch

from multistable._measure.constants import constants
from multistable._measure.results import Multistability
from multistable._measure.score import score
from multistable._measure.selection import Selection
from multistable._utils.randomness import draw_seed

__all__ = ["probe"]

_MEASURED = 100  # states: VAA 0.01 is one attractor


def probe(
    selection: Selection,
    inputs: Any,
    drawn: Iterator[Any],
    *,
    batch_size: int,
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
        batch_size: sequences in such a batch.
        horizon: steps under the constant input.
        tol: states closer than this count as one.
        generator: draws the sequences, and what else is random.
    """
    once = isinstance(inputs, Iterator)
    measured_on = drawn if once else selection.batches(inputs, _MEASURED, generator, endless=False)
    batches = list(islice(measured_on, -(-_MEASURED // batch_size)))
    seed = draw_seed(generator)

    def measured() -> Multistability:
        own = torch.Generator().manual_seed(seed)
        reached = selection.reach(batches, _MEASURED, own)
        (held,) = constants(selection.whole(), None, reached, own)
        return score(selection.whole(), reached.states, horizon, tol, held)

    return measured
