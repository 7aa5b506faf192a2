import gzip
import hashlib
import json
import math
import socket
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader

from multistable.tasks import Pixels, images
from multistable.tasks._images import _shown

ORDERS = ["pixels", "permuted_pixels", "permuted_rows"]


def all_inputs(order: Any, **settings: Any) -> Tensor:
    """Of all images, those to train with and then those to test with."""
    return torch.cat([part.tensors[0] for part in images(order, **settings)])


def columns(inputs: Tensor) -> list[bytes]:
    return [column.numpy().tobytes() for column in inputs.flatten(1).T.contiguous()]


def test_the_digits_are_those_of_scikit_learn_each_once_to_train_or_to_test() -> None:
    train, test = images("pixels")
    assert (len(train), len(test)) == (1437, 360)
    shown = all_inputs("pixels")
    assert shown.shape == (1797, 64, 1) and shown.dtype == torch.float32
    assert shown.min() == -0.5 and shown.max() == 0.5
    classes = torch.cat([train.tensors[1], test.tensors[1]])
    assert classes.dtype == torch.int64
    ours = Counter((*image, digit) for image, digit in zip(shown[..., 0].tolist(), classes.tolist(), strict=True))
    pixels, digits = load_digits(return_X_y=True)
    theirs = Counter((*image, digit) for image, digit in zip((pixels / 16 - 0.5).tolist(), digits, strict=True))
    assert ours == theirs


def test_chance_is_the_accuracy_of_the_same_answer_for_all() -> None:
    for part in images("pixels"):
        share = torch.bincount(part.tensors[1], minlength=10) / len(part)
        assert len(share) == 10
        # 174 to 183 of the 1797 images show the same digit, and the split rounds that to whole images.
        assert (share - Pixels().chance).abs().max() < 0.004 + 1 / len(part)


def test_pixels_come_row_by_row_from_the_upper_left_corner() -> None:
    pixels = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    assert _shown(pixels, "pixels", torch.Generator()).tolist() == [[[1], [2], [3], [4]], [[5], [6], [7], [8]]]


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_the_inverse_of_the_permutation_gives_the_images_back(side: int) -> None:
    pixels = torch.arange(2 * side**2).reshape(2, -1).float()
    permuted = _shown(pixels, "permuted_pixels", torch.Generator().manual_seed(4))
    assert permuted.shape == (2, side**2, 1)
    # The first image holds the numbers of its pixels: the permutation can be read from it.
    places = permuted[0, :, 0].long()
    assert sorted(places.tolist()) == list(range(side**2))
    assert torch.equal(permuted[:, places.argsort(), 0], pixels)
    rows = _shown(pixels, "permuted_rows", torch.Generator().manual_seed(4))
    assert rows.shape == (2, side, side)
    for step in range(side):
        assert torch.equal(rows[:, step], permuted[:, step * side : (step + 1) * side, 0])


def test_each_order_of_the_pixels_is_as_likely() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    drawn = Counter(tuple(_shown(pixels, "permuted_rows", generator).flatten().tolist()) for _ in range(2400))
    # 24 orders, 100 times each; the statistic has 23 degrees of freedom and exceeds 57.1 once in 10,000 seeds.
    assert len(drawn) == 24
    assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < 57.1


def test_one_permutation_of_all_digits_to_train_and_to_test() -> None:
    plain, permuted = all_inputs("pixels"), all_inputs("permuted_pixels")
    assert columns(plain) != columns(permuted)
    assert Counter(columns(plain)) == Counter(columns(permuted))
    rows = all_inputs("permuted_rows")
    assert rows.shape == (1797, 8, 8)
    assert torch.equal(rows.flatten(1), permuted.flatten(1))


def test_the_seed_decides_on_the_permutation_and_on_nothing_else() -> None:
    first, again, other = (all_inputs("permuted_rows", generator=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert columns(first) != columns(other) and Counter(columns(first)) == Counter(columns(other))
    assert torch.equal(all_inputs("permuted_rows"), all_inputs("permuted_rows", generator=0))
    assert torch.equal(all_inputs("pixels", generator=3), all_inputs("pixels", generator=4))
    assert torch.equal(all_inputs("permuted_rows", generator=torch.Generator().manual_seed(3)), first)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("settings", [{}, {"padding_value": 0.0}])
def test_padding_follows_the_image_in_black_or_as_asked_for(order: str, settings: dict[str, float]) -> None:
    bare, padded = all_inputs(order), all_inputs(order, padding=5, **settings)
    steps = bare.shape[1]
    assert padded.shape == (1797, steps + 5, bare.shape[2])
    assert torch.equal(padded[:, :steps], bare)
    assert (padded[:, steps:] == settings.get("padding_value", bare.min().item())).all()


def test_a_loader_and_a_loss() -> None:
    train, _ = images("permuted_rows", padding=2)
    inputs, targets = next(iter(DataLoader(train, batch_size=7)))
    assert inputs.shape == (7, 10, 8) and targets.shape == (7,)
    loss = torch.nn.functional.cross_entropy(torch.zeros(7, 10), targets)
    assert loss.item() == pytest.approx(math.log(10))


def test_the_global_random_states_are_untouched() -> None:
    state, (_, of_numpy, *place) = torch.get_rng_state(), np.random.get_state()
    images("permuted_rows", generator=None)
    _, after, *place_after = np.random.get_state()
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(after, of_numpy) and place_after == place


def test_another_default_device() -> None:
    inputs = all_inputs("permuted_rows", padding=2)
    with torch.device("meta"):
        within = all_inputs("permuted_rows", padding=2)
    assert torch.equal(within, inputs)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what is fetched through a port of this machine that nobody listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    monkeypatch.setattr(urllib.request, "_opener", None)  # made once, from the environment of the first call


@pytest.mark.usefixtures("no_network")
def test_mnist_out_of_reach(tmp_path: Path) -> None:
    message = (
        r"MNIST could not be fetched from openml.org into the cache: .*refused.*\. Fetch it once .* source='digits'"
    )
    with (
        pytest.warns(UserWarning, match="A network error occurred"),
        pytest.raises(OSError, match=message) as caught,
    ):
        images("pixels", source="mnist", cache=tmp_path)
    assert isinstance(caught.value.__cause__, URLError)


def test_a_cache_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="MNIST could not be fetched .* into the cache: .*taken"):
        images("pixels", source="mnist", cache=tmp_path / "taken")


def keep(cache: Path, pixels: np.ndarray, classes: np.ndarray) -> None:
    """Write what scikit-learn keeps of MNIST, as it keeps it, but with images of our own."""
    names = [f"pixel{number + 1}" for number in range(pixels.shape[1])]
    lines = ["@RELATION mnist_784", *(f"@ATTRIBUTE {name} real" for name in names)]
    lines += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    lines += [",".join(map(str, row)) for row in np.column_stack([pixels, classes]).tolist()]
    table = "\n".join(lines).encode()
    shared = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
    features: list[dict[str, object]] = [
        {"index": str(index), "name": name, "data_type": "numeric", "is_target": "false", **shared}
        for index, name in enumerate(names)
    ]
    features.append({"index": str(len(names)), "name": "class", "data_type": "nominal", "is_target": "true", **shared})
    description = {
        "status": "active", "format": "ARFF", "description": "", "md5_checksum": hashlib.md5(table).hexdigest(),
        "url": "https://www.openml.org/data/v1/download/52667/mnist_784.arff",
    }  # fmt: skip
    answers = {
        "list/data_name/mnist_784/limit/2/data_version/1": {"data": {"dataset": [{"did": 554}]}},
        "554": {"data_set_description": description},
        "features/554": {"data_features": {"feature": features}},
        "qualities/554": {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": str(len(pixels))}]}},
    }
    files = {f"api/v1/json/data/{name}": json.dumps(answer).encode() for name, answer in answers.items()}
    files["data/v1/download/52667/mnist_784.arff"] = table
    for name, content in files.items():
        file = cache / "openml" / "openml.org" / f"{name}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content, 1))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("as_given", [Path, str])
def test_mnist_from_its_folder(tmp_path: Path, as_given: Any) -> None:
    draw = np.random.default_rng(0)
    pixels, classes = draw.integers(256, size=(60_003, 4)), draw.integers(10, size=60_003)
    pixels[0] = [0, 255, 51, 102]
    keep(tmp_path, pixels, classes)
    train, test = images("pixels", source="mnist", padding=1, cache=as_given(tmp_path))
    assert (len(train), len(test)) == (60_000, 3)
    inputs, targets = (torch.cat(parts) for parts in zip(train.tensors, test.tensors, strict=True))
    # Two roundings to single precision, of a number up to 1 and of one up to 0.5.
    expected = torch.from_numpy(np.pad(pixels, ((0, 0), (0, 1))) / 255 - 0.5)
    assert (inputs[..., 0] - expected).abs().max() <= 2**-25 + 2**-26
    assert inputs[0, :, 0].tolist()[:2] == [-0.5, 0.5]
    assert targets.dtype == torch.int64 and targets.tolist() == classes.tolist()


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"order": "columns"}, ValueError,
     "order must be one of pixels, permuted_pixels, permuted_rows, got 'columns'"),
    ({"source": "cifar"}, ValueError, "source must be one of digits, mnist, got 'cifar'"),
    ({"padding": -1}, ValueError, "padding must be at least 0, got -1"),
    ({"padding": 2.0}, TypeError, "padding must be an int, got float"),
    ({"padding_value": math.nan}, ValueError, "padding_value must be finite, got nan"),
    ({"padding_value": "0"}, TypeError, "padding_value must be a number, got str"),
    ({"cache": 5}, TypeError, "cache must be a path or None, got int"),
    ({"generator": "seed"}, TypeError, "generator must be a torch.Generator, an int or None, got str"),
    ({"generator": -1}, ValueError, r"generator must be a seed in 0..2\^63 - 1, got -1"),
])  # fmt: skip
def test_bad_arguments(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        images(**{"order": "pixels", "source": "mnist", **settings})
