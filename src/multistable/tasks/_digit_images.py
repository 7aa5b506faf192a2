"""Images of handwritten digits, from scikit-learn; needs the extra `images`."""

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.datasets import fetch_openml, load_digits
    from sklearn.model_selection import train_test_split
except ImportError as error:
    raise ImportError("images need scikit-learn: pip install 'multistable[images]'") from error

__all__ = ["DigitImages", "digits", "mnist"]


class DigitImages(NamedTuple):
    """Square images, and which of them are for what.

    Attributes:
        brightness: from 0, black, to 1, white (images, pixels), row by row.
        classes: the digit that each image shows.
        train: an index of the images to train with.
        test: an index of the images to test with.
    """

    brightness: NDArray[np.float32]
    classes: NDArray[np.int64]
    train: slice | NDArray[np.int64]
    test: slice | NDArray[np.int64]


def digits() -> DigitImages:
    """Of 8 x 8 pixels, which come with scikit-learn; a fifth of each class is for the test."""
    pixels, classes = load_digits(return_X_y=True)
    train, test = train_test_split(np.arange(len(classes)), test_size=0.2, stratify=classes, random_state=0)
    return DigitImages(pixels.astype(np.float32) / 16, classes.astype(np.int64), train, test)


def mnist(cache: str | os.PathLike[str] | None) -> DigitImages:
    """MNIST, of 28 x 28 pixels, from the folder `cache` or openml.org; the last 10,000 of 70,000 are for the test.

    Raises:
        OSError: they are not in the cache and could not be fetched.
    """
    try:
        pixels, classes = fetch_openml(
            "mnist_784",
            version=1,
            data_home=cache,
            return_X_y=True,
            as_frame=False,
            parser="liac-arff",  # the one that does without pandas
            n_retries=1,  # the fewest: who has no network is told soon
        )
    except OSError as error:
        raise OSError(
            f"MNIST could not be fetched from openml.org into the cache: {error}. "
            "Fetch it once with a network and give its folder as cache, or take source='digits', which needs none"
        ) from error
    return DigitImages(pixels.astype(np.float32) / 255, classes.astype(np.int64), slice(60_000), slice(60_000, None))
