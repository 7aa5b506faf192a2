"""Sequential images: say at the last step which digit was shown, pixel by pixel or row by row."""

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_finite_number, check_int
from multistable._utils.choices import check_choice
from multistable._utils.randomness import as_generator
from multistable._utils.wording import counted
from multistable.tasks.task import ACCURACY, Score, Supervised

__all__ = ["Images", "PermutedPixels", "PermutedRows", "Pixels", "images"]

_Order = Literal["pixels", "permuted_pixels", "permuted_rows"]
_Source = Literal["digits", "mnist"]


@dataclass(frozen=True, kw_only=True)
class Images(Supervised):
    """Sequential images as a task of an experiment; `Pixels`, `PermutedPixels` and `PermutedRows` say in which order.

    Attributes:
        order: as of `images`.
        padding: N, steps that follow an image.
        padding_value: what they hold, by default black.
        source: `"digits"` or `"mnist"`.
        cache: the folder that MNIST is kept in, by default that of scikit-learn.
        epochs: how many times training goes through the images.
        validation: the share of the images to train with that is kept to validate with, in (0, 1).

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range.

    Examples:
        >>> from multistable.tasks import PermutedRows
        >>> task = PermutedRows(padding=20)
        >>> task.setting, task.score.metric, task.chance, len(task.training_set())
        ('digits-N20', 'accuracy', 0.1, 1437)
    """

    horizon_key: ClassVar[str] = "padding"
    score: ClassVar[Score] = ACCURACY
    order: ClassVar[_Order]

    padding: int = 0
    padding_value: float = -0.5
    source: _Source = "digits"
    cache: str | None = None

    def __post_init__(self) -> None:
        check_int("padding", self.padding, at_least=0)
        super().__post_init__()
        check_finite_number("padding_value", self.padding_value)
        check_choice("source", self.source, get_args(_Source))
        if not isinstance(self.cache, str | None):
            raise TypeError(f"cache must be a path or null, got {type(self.cache).__name__}")

    @property
    def outputs(self) -> int:
        """Features of an answer, one for each digit."""
        return 10

    @property
    def chance(self) -> float:
        """The accuracy of a guess, which is the best answer without memory at a padding step.

        There are ten classes, each about as frequent as the others.
        """
        return 0.1

    @property
    def setting(self) -> str:
        """The source and the padding, such as `"digits-N20"`."""
        return f"{self.source}-N{self.padding}"

    @property
    def budget(self) -> str:
        """What there is to learn from, in words."""
        return f"{counted(self.epochs, 'epoch')} of all images"

    def training_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The images to train and validate with, always the same ones.

        Raises:
            ImportError: scikit-learn is missing.
            OSError: MNIST is not in its folder and could not be fetched.
        """
        return self._padded(_unpadded(self.order, self.source, self.cache)[0])

    def test_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The images to test with, always the same ones; raises as `training_set`."""
        return self._padded(_unpadded(self.order, self.source, self.cache)[1])

    def _padded(self, images: TensorDataset) -> TensorDataset:
        inputs, classes = images.tensors
        return TensorDataset(pad(inputs, (0, 0, 0, self.padding), value=self.padding_value), classes)


@dataclass(frozen=True, kw_only=True)
class Pixels(Images):
    """Images pixel by pixel; see `Images`."""

    name: ClassVar[str] = "pixels"
    title: ClassVar[str] = "Images, pixel by pixel"
    order: ClassVar[_Order] = "pixels"


@dataclass(frozen=True, kw_only=True)
class PermutedPixels(Images):
    """Images pixel by pixel, in an order that is drawn once; see `Images`."""

    name: ClassVar[str] = "permuted_pixels"
    title: ClassVar[str] = "Permuted images, pixel by pixel"
    order: ClassVar[_Order] = "permuted_pixels"


@dataclass(frozen=True, kw_only=True)
class PermutedRows(Images):
    """Images row by row, after their pixels were put in an order that is drawn once; see `Images`."""

    name: ClassVar[str] = "permuted_rows"
    title: ClassVar[str] = "Permuted images, row by row"
    order: ClassVar[_Order] = "permuted_rows"


def images(
    order: _Order,
    *,
    source: _Source = "digits",
    padding: int = 0,
    padding_value: float = -0.5,
    cache: str | os.PathLike[str] | None = None,
    generator: torch.Generator | int | None = 0,
) -> tuple[TensorDataset, TensorDataset]:
    """Images of digits as sequences, whose class is asked for at the last step; to train and to test, in memory.

    Brightness runs from -0.5, black, to 0.5, white. `"digits"` are 1797 images of 8 x 8 pixels that come with
    scikit-learn, of which a fifth of each class, always the same, is for the test. `"mnist"` are the 70,000 images of
    28 x 28 pixels of MNIST (LeCun et al. 1998), of which the last 10,000 are for the test; they are fetched from
    openml.org once and kept in a folder. Needs the extra `images`.

    The metric is the accuracy; without memory it is 0.1 at a padding step. Source: Le, Jaitly and Hinton 2015
    (arXiv:1504.00941); with padding and with rows, Lambrechts et al. 2023 (arXiv:2106.01001).

    Args:
        order: `"pixels"` shows one pixel at a step, row by row from the upper left corner. `"permuted_pixels"` shows
            one at a step, in an order that is drawn once for all images. `"permuted_rows"` puts the pixels in such an
            order, and shows one row of the image that results at a step.
        source: `"digits"` or `"mnist"`.
        padding: N, steps that follow the image.
        padding_value: what they hold in each channel, by default black. In the published code of Lambrechts et al. it
            is 0, mid-grey.
        cache: the folder that MNIST is kept in, by default that of scikit-learn, `~/scikit_learn_data`.
        generator: draws the order of the pixels: a `torch.Generator`, a seed, or None for a new generator with torch's
            initial seed. By default the order is always the same.

    Returns:
        Two data sets, to train and to test, of pairs of inputs (T, C) and a class, an int64 without dimensions. One
        pixel at a step: C = 1 and T is N more than there are pixels. One row at a step: C is the number of pixels in a
        row, and T is N more than there are rows.

    Raises:
        ImportError: scikit-learn is missing.
        OSError: MNIST is not in its folder and could not be fetched.
        TypeError: `order` or `source` is no word, `padding` is not an int, `padding_value` is no number, `cache` is no
            path, `generator` is none of the types above.
        ValueError: `order` or `source` is none of those above, `padding` is negative, `padding_value` is not finite.

    Examples:
        >>> from multistable.tasks import images
        >>> train, test = images("permuted_rows", padding=20)
        >>> inputs, target = train[7]
        >>> inputs.shape, target.dtype, len(train), len(test)
        (torch.Size([28, 8]), torch.int64, 1437, 360)
    """
    check_choice("order", order, get_args(_Order))
    check_choice("source", source, get_args(_Source))
    padding = check_int("padding", padding, at_least=0)
    padding_value = check_finite_number("padding_value", padding_value)
    if not isinstance(cache, str | os.PathLike | None):
        raise TypeError(f"cache must be a path or None, got {type(cache).__name__}")
    generator = as_generator(generator)

    from multistable.tasks import _digit_images

    loaded = _digit_images.digits() if source == "digits" else _digit_images.mnist(cache)
    shown = _shown(torch.from_numpy(loaded.brightness - 0.5), order, generator)
    inputs = pad(shown, (0, 0, 0, padding), value=padding_value)
    classes = torch.from_numpy(loaded.classes)
    train, test = (TensorDataset(inputs[part], classes[part]) for part in (loaded.train, loaded.test))
    return train, test


def _shown(pixels: Tensor, order: _Order, generator: torch.Generator) -> Tensor:
    """Square images (images, pixels), row by row, as sequences (images, T, C)."""
    if order == "pixels":
        return pixels[..., None]
    places = torch.randperm(pixels.shape[1], generator=generator, device=generator.device)
    channels = math.isqrt(len(places)) if order == "permuted_rows" else 1
    return pixels[:, places.cpu()].reshape(len(pixels), -1, channels)


# Unpadded, since MNIST takes a minute to read and runs ask for several paddings.
@lru_cache(maxsize=1)
def _unpadded(order: _Order, source: _Source, cache: str | None) -> tuple[TensorDataset, TensorDataset]:
    return images(order, source=source, cache=cache)
