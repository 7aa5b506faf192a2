import re

import pytest

from multistable.experiments.drawing import Axis, Row, Whose, band_path, line_path

UNIT = Axis("", 0, 1)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis("", 0, 1), ["0", "0.5", "1"]),
        (Axis("", -0.03, 1.05, values=[0, 0.5, 1]), ["0", "0.5", "1"]),
        (Axis("", 0, 137), ["0", "50", "100"]),
        (Axis("", 0, 24_000), ["0", "10,000", "20,000"]),
        (Axis("", 1e-12, 1, log=True), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "1"]),
        (Axis("", 0.9, 1.1, log=True), ["0.9", "0.95", "1", "1.05", "1.1"]),
        (Axis("", 0.015, 0.09, log=True), ["0.02", "0.05"]),
        (Axis("", 20, 10_000, log=True, values=[20, 21, 100, 10_000]), ["20", "100", "10,000"]),
        (Axis("", 0, 0.004), ["0", "10⁻³", "2·10⁻³", "3·10⁻³", "4·10⁻³"]),
    ],
)
def test_few_round_ticks_that_do_not_touch(axis: Axis, labels: list[str]) -> None:
    found = axis.ticks()
    assert [tick.label for tick in found] == labels
    assert all(0 <= tick.share <= 1 for tick in found)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[0.25], [0.001, 30.0], [1e-300], [0.0, 1e-8, 2.0], [0.0], []])
def test_all_values_fit_around(values: list[float], log: bool) -> None:
    axis = Axis.around("", values, log)
    shares = [axis.share(value) for value in values]
    assert axis.least < axis.most
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    assert len(set(shares)) == len(shares)
    assert axis.ticks()


def test_thinned_curves_keep_what_can_be_seen() -> None:
    count = 30_000
    xs = [place / (count - 1) for place in range(count)]
    ys = [0.5] * count
    ys[12_345], ys[23_456] = 1.0, 0.0  # single points, which thinning by a stride would lose
    found = points(line_path(UNIT, UNIT, xs, ys))
    assert len(found) < 1300
    assert {y for _, y in found} == {0, 500, 1000}
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert found[0] == (0, 500) and found[-1] == (1000, 500)
    band = points(band_path(UNIT, UNIT, xs, [0.2] * count, ys[::-1]))
    assert len(band) < 700
    assert min(y for _, y in band) == 0


def test_short_curves_keep_every_point() -> None:
    xs = [place / 299 for place in range(300)]
    ys = [(place * 7919 % 300) / 299 for place in range(300)]
    found = points(line_path(UNIT, UNIT, xs, ys))
    assert found == [(round(1000 * x), round(1000 * (1 - y))) for x, y in zip(xs, ys, strict=True)]


def test_one_seed_has_no_range() -> None:
    whose = Whose("gru", "plain", "GRU plain", "#000000")
    assert Row(whose, 0.5, [0.5]).text == "0.5"
    assert Row(whose, 0.5, [0.25, 0.75]).text == "mean 0.5, 0.25 to 0.75"
