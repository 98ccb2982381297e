"""The digits that come with scikit-learn."""

from __future__ import annotations

import sys

import numpy
import pytest

from gpugrad.data import digits


def test_digits_are_scaled_and_split():
    pytest.importorskip("sklearn", reason="digits() needs scikit-learn")
    train, test = digits()
    (x, y), (x_test, y_test) = train.arrays, test.arrays
    assert x.shape == (1438, 1, 8, 8)
    assert x_test.shape == (359, 1, 8, 8)
    assert (x.dtype, y.dtype) == (numpy.float32, numpy.int64)
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert set(y) == set(y_test) == set(range(10))
    both = {image.tobytes() for image in x} & {image.tobytes() for image in x_test}
    assert not both, "no image is in both parts"


def test_digits_split_depends_on_the_seed():
    pytest.importorskip("sklearn", reason="digits() needs scikit-learn")
    labels = [digits(seed=seed)[1].arrays[1].tolist() for seed in (0, 0, 1)]
    assert labels[0] == labels[1] != labels[2]
    assert len(digits(test=0.5)[1]) == 898


def test_the_fraction_is_checked():
    pytest.importorskip("sklearn", reason="digits() needs scikit-learn")
    with pytest.raises(ValueError, match=r"expected a test fraction between 0 and 1, got 1\.5"):
        digits(test=1.5)


def test_missing_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'gpugrad\[examples\]'"):
        digits()
