import numpy as np
import pytest
from matplotlib.figure import Figure
from plot.by_hand import randn
from plot.drawn import distances

from multistable.plot._plane import Points, plane_of


def drawn(seed: int, *shape: int) -> Points:
    return np.asarray(randn(seed, *shape).numpy())


def projected(points: Points) -> tuple[Points, tuple[float, float]]:
    plane = plane_of(points)
    assert plane.shares is not None
    return plane.project(points), plane.shares


def labels(points: Points) -> tuple[str, str]:
    panel = Figure().subplots()
    plane_of(points).label(panel)
    return panel.get_xlabel(), panel.get_ylabel()


def test_one_or_two_units_are_drawn_as_they_are() -> None:
    two = drawn(0, 20, 2) + 5
    assert (plane_of(two).project(two) == two).all()
    one = drawn(0, 20, 1) - 5
    assert (plane_of(one).project(one) == np.concatenate([one, 0 * one], 1)).all()
    assert labels(two) == ("unit 0", "unit 1")
    assert labels(one) == ("unit 0", "")


def test_components_say_their_share_of_the_variance() -> None:
    points = np.diag([3.0, 1.0, 0.0])[[0, 1]]
    points = np.concatenate([points, -points])
    assert labels(points) == ("principal component 1 (90% of the variance)", "principal component 2 (10%)")


def test_the_plane_of_the_largest_variance_is_found() -> None:
    in_plane = drawn(0, 50, 2) * [5.0, 2.0]
    basis, _ = np.linalg.qr(drawn(1, 30, 30))
    points = in_plane @ basis[:2] + 1e-9 * drawn(2, 50, 30) + 7
    shown, shares = projected(points)
    np.testing.assert_allclose(distances(shown), distances(in_plane), atol=1e-7)
    first, second = shown.var(0).tolist()
    assert first > second
    assert shares == pytest.approx([first / (first + second), second / (first + second)])


def test_coordinates_are_uncorrelated_and_around_zero() -> None:
    shown, _ = projected(drawn(0, 40, 6) + 3)
    assert shown.mean(0) == pytest.approx(0, abs=1e-12)
    first, second = shown.T
    assert first @ second == pytest.approx(0, abs=1e-12)


def test_other_points_lie_in_the_same_plane() -> None:
    points = drawn(0, 40, 6)
    plane = plane_of(points)
    middle = (points[0] + points[1]) / 2
    assert plane.project(middle) == pytest.approx(plane.project(points[:2]).mean(0))


def test_axes_point_to_where_their_largest_entry_is_positive() -> None:
    along = np.array([[0.1, -0.9, 0.2]])
    steps = np.array([[-1.0], [0.0], [3.0]])
    shown, _ = projected(steps * along)
    assert (np.diff(shown[:, 0]) < 0).all()  # against `along`, whose largest entry is negative
    mirrored, _ = projected(-steps * along)
    np.testing.assert_allclose(mirrored[:, 0], -shown[:, 0])


def test_points_on_a_line_are_flat() -> None:
    shown, shares = projected(drawn(0, 10, 1) * np.ones((1, 5)) / 5**0.5)
    assert np.abs(shown[:, 1]).max() < 1e-15
    assert shares == pytest.approx((1, 0))


def test_points_that_coincide_stay_together() -> None:
    shown, shares = projected(np.full((4, 5), 0.5))
    assert (shown == 0).all()
    assert shares == (0, 0)


def test_no_size_is_too_large_to_be_squared() -> None:
    points = drawn(0, 10, 3)
    huge, shares = projected(points * 2.0**900)
    ordinary, same_shares = projected(points)
    assert (huge == ordinary * 2.0**900).all()
    assert shares == same_shares
