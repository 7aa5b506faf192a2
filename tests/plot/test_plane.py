import pytest
import torch

from multistable.plot._components import principal_components


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distances(points: torch.Tensor) -> torch.Tensor:
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def test_two_dimensions_keep_their_distances() -> None:
    points = drawn(0, 20, 2)
    projected, shares = principal_components(points)
    torch.testing.assert_close(distances(projected), distances(points))
    assert shares.sum().item() == pytest.approx(1)


def test_the_plane_of_the_largest_variance_is_found() -> None:
    in_plane = drawn(0, 50, 2) * torch.tensor([5.0, 2.0], dtype=torch.float64)
    basis, _ = torch.linalg.qr(drawn(1, 30, 30))
    points = in_plane @ basis[:2] + 1e-9 * drawn(2, 50, 30) + 7
    projected, shares = principal_components(points)
    torch.testing.assert_close(distances(projected), distances(in_plane), atol=1e-7, rtol=0)
    assert shares.sum().item() == pytest.approx(1)
    first, second = projected.var(0).tolist()
    assert first > second
    assert shares.tolist() == pytest.approx([first / (first + second), second / (first + second)])


def test_coordinates_are_uncorrelated_and_around_zero() -> None:
    projected, _ = principal_components(drawn(0, 40, 6) + 3)
    torch.testing.assert_close(projected.mean(0), torch.zeros(2, dtype=torch.float64))
    assert torch.corrcoef(projected.T)[0, 1].item() == pytest.approx(0, abs=1e-12)


def test_axes_point_to_where_their_largest_entry_is_positive() -> None:
    along = torch.tensor([[0.1, -0.9, 0.2]], dtype=torch.float64)
    steps = torch.tensor([[-1.0], [0.0], [3.0]], dtype=torch.float64)
    projected, _ = principal_components(steps * along)
    assert (projected[:, 0].diff() < 0).all()  # against `along`, whose largest entry is negative
    mirrored, _ = principal_components(-steps * along)
    torch.testing.assert_close(mirrored[:, 0], -projected[:, 0])


@pytest.mark.parametrize("size", [1, 2, 5])
def test_points_on_a_line_are_flat(size: int) -> None:
    along = torch.ones(1, size, dtype=torch.float64) / size**0.5
    projected, shares = principal_components(drawn(0, 10, 1) * along)
    assert projected.shape == (10, 2)
    assert projected[:, 1].abs().max() < 1e-15
    assert shares.tolist() == pytest.approx([1, 0])


@pytest.mark.parametrize("size", [1, 2, 5])
def test_points_that_coincide_stay_together(size: int) -> None:
    projected, shares = principal_components(torch.full((4, size), 0.5, dtype=torch.float64))
    assert projected.tolist() == [[0.0, 0.0]] * 4
    assert shares.tolist() == [0, 0]


def test_no_size_is_too_large_to_be_squared() -> None:
    points = drawn(0, 10, 3)
    huge, shares = principal_components(points * 2.0**900)
    ordinary, same_shares = principal_components(points)
    assert torch.equal(huge, ordinary * 2.0**900)
    assert torch.equal(shares, same_shares)
