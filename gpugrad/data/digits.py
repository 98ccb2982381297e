"""Real handwritten digits that need no download."""

from __future__ import annotations

import numpy

from .dataset import ArrayDataset, random_split


def digits(test: float = 0.2, seed: int = 0) -> tuple[ArrayDataset, ArrayDataset]:
    """1,797 handwritten digits of 8x8 pixels, split at random into training and test data.

    Images are float32 ``(N, 1, 8, 8)`` in [0, 1], labels int64 ``(N,)``.

    Args:
        test: the fraction held out for testing.
        seed: chooses which.

    Returns:
        ``(train, test)``.

    Raises:
        ImportError: scikit-learn, which has the images in its package, is not installed.
        ValueError: ``test`` does not lie between 0 and 1.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).

    >>> from gpugrad.data import digits
    >>> train, test = digits()
    >>> len(train), len(test), train[0][0].shape
    (1438, 359, (1, 8, 8))
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits() reads scikit-learn's images: pip install 'gpugrad[examples]'") from error
    if not 0 < test < 1:
        raise ValueError(f"digits: expected a test fraction between 0 and 1, got {test}")
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(numpy.float32).reshape(-1, 1, 8, 8)
    return split(images, labels.astype(numpy.int64), [1 - test, test], seed)


def split(
    images: numpy.ndarray, labels: numpy.ndarray, lengths: list[float], seed: int
) -> tuple[ArrayDataset, ArrayDataset]:
    """Images and their labels dealt out at random into two data sets."""
    everything = ArrayDataset(images, labels)
    train, test = (ArrayDataset(*everything.gather(part.indices)) for part in random_split(everything, lengths, seed))
    return train, test
