"""Sequential images: say at the last step which digit was shown, pixel by pixel or row by row."""

import math
import os
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_finite_number, check_int
from multistable._utils.randomness import as_generator

__all__ = ["CHANCE", "images"]

CHANCE = 0.1
"""The accuracy of a guess, which is the best answer without memory at a padding step: there are ten classes, each about
as frequent as the others."""

_Order = Literal["pixels", "permuted_pixels", "permuted_rows"]
_Source = Literal["digits", "mnist"]


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
        TypeError: `padding` is not an int, `padding_value` is no number, `cache` is no path, `generator` is none of the
            types above.
        ValueError: `order` or `source` is none of those above, `padding` is negative, `padding_value` is not finite.

    Examples:
        >>> from multistable.tasks import images
        >>> train, test = images("permuted_rows", padding=20)
        >>> inputs, target = train[7]
        >>> inputs.shape, target.dtype, len(train), len(test)
        (torch.Size([28, 8]), torch.int64, 1437, 360)
    """
    _check_choice("order", order, get_args(_Order))
    _check_choice("source", source, get_args(_Source))
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


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
