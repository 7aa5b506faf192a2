from itertools import islice

import torch
from torch.utils.data import DataLoader

from multistable.tasks import Stream, copy_first_input_stream


def test_iterations_do_not_disturb_each_other() -> None:
    stream = Stream(lambda size, generator: (torch.rand(size, generator=generator),) * 2, batch_size=5, seed=0)
    together = [(one, other) for (one, _), (other, _) in islice(zip(stream, stream, strict=True), 3)]
    assert all(torch.equal(one, other) for one, other in together)
    assert not torch.equal(together[0][0], together[1][0])


def test_two_workers_bring_the_same_batches_in_the_same_order() -> None:
    stream = copy_first_input_stream(4, 3, generator=0)
    loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context="spawn")
    for (sequences, targets), (expected, _) in zip(islice(loader, 5), islice(stream, 5), strict=True):
        assert torch.equal(sequences, expected) and torch.equal(targets, expected[:, 0])
