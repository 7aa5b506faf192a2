"""`Share`: which rows of a batch of all processes one of them has."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Share", "dealt"]


class Share(NamedTuple):
    """Which rows of a batch of all processes one of them has.

    Attributes:
        places: the place of each of its rows in the whole batch, (b,), on the CPU.
        total: rows in the whole batch.
    """

    places: Tensor
    total: int

    def chosen(self, rows: Tensor) -> tuple[Tensor, "Share"]:
        """Those of this process among chosen rows of the whole batch, by its own count, and its share of the choice.

        Args:
            rows: the places of what is chosen, (k,), each once.
        """
        own = torch.full((self.total,), -1, device="cpu")
        own[self.places] = torch.arange(len(self.places), device="cpu")
        found = own[rows]
        places = (found >= 0).nonzero().flatten()
        return found[places], Share(places, len(rows))


def dealt(counts: Sequence[int], rank: int) -> Share:
    """The share of one of several processes that have so many rows each.

    The whole batch is put together as `torch.utils.data.DistributedSampler` deals it out: the first row of each
    process, the second of each, and so on; where one has no more, it is passed over.
    """
    sizes = torch.tensor(counts, device="cpu")
    row = torch.arange(counts[rank], device="cpu")
    before = torch.minimum(sizes[:, None], row).sum(0) + (sizes[:rank, None] > row).sum(0)
    return Share(before, sum(counts))
