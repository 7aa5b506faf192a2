"""Shares of a batch make up the whole, dealt out as torch's sampler does."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler

from multistable._utils.share import dealt

COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(each=st.integers(1, 5), processes=st.integers(1, 5))
def test_rows_are_dealt_as_a_sampler_does(each: int, processes: int) -> None:
    for rank in range(processes):
        sampler: DistributedSampler[int] = DistributedSampler(range(each * processes), processes, rank, shuffle=False)  # type: ignore[arg-type]
        assert dealt([each] * processes, rank).places.tolist() == list(sampler)


@given(counts=COUNTS)
def test_shares_make_up_the_batch(counts: list[int]) -> None:
    shares = [dealt(counts, rank) for rank in range(len(counts))]
    assert [len(share.places) for share in shares] == counts
    assert sorted(torch.cat([share.places for share in shares]).tolist()) == list(range(sum(counts)))
    assert {share.total for share in shares} == {sum(counts)}
    for share in shares:
        assert share.places.tolist() == sorted(share.places.tolist())


@given(counts=COUNTS, size=st.integers(0, 30), seed=st.integers(0, 9))
def test_each_process_finds_its_own_among_chosen_rows(counts: list[int], size: int, seed: int) -> None:
    chosen = torch.randperm(sum(counts), generator=torch.Generator().manual_seed(seed))[:size]
    found = torch.full_like(chosen, -1)
    for rank in range(len(counts)):
        share = dealt(counts, rank)
        rows, of_choice = share.chosen(chosen)
        assert of_choice.total == len(chosen)
        found[of_choice.places] = share.places[rows]
    assert torch.equal(found, chosen)
