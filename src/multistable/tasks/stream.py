"""Tasks without end: new batches from one seed."""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

__all__ = ["Stream"]

_Batch = tuple[Tensor, Tensor]


class Stream(IterableDataset[_Batch]):
    """An endless stream of new batches, the same ones whenever it is iterated, as the `*_stream` functions return it.

    Use it as it is or in `DataLoader(..., batch_size=None)`, where any number of workers brings the same batches in the
    same order.

    Args:
        draw: draws a batch of inputs and targets, given its size and a generator.
        batch_size: B, sequences in a batch.
        seed: seeds the generator of each iteration.

    Examples:
        >>> import torch
        >>> from multistable.tasks import Stream
        >>> stream = Stream(lambda size, generator: (torch.rand(size, generator=generator),) * 2, batch_size=3, seed=0)
        >>> torch.equal(next(iter(stream))[0], next(iter(stream))[0])
        True
    """

    def __init__(self, draw: Callable[[int, torch.Generator], _Batch], batch_size: int, seed: int) -> None:
        self.draw = draw
        self.batch_size = batch_size
        self.seed = seed

    def __iter__(self) -> Iterator[_Batch]:
        worker = get_worker_info()
        # A loader takes from its workers in turn: each brings every n-th batch, lest all bring the same.
        return self._batches() if worker is None else islice(self._batches(), worker.id, None, worker.num_workers)

    def _batches(self) -> Iterator[_Batch]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            yield self.draw(self.batch_size, generator)
