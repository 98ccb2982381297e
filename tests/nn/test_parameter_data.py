"""What a parameter may be given as data, and what is said of data that widens a whole network."""

from __future__ import annotations

import logging

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn.functional import basic


def test_data_of_another_kind_is_refused(device):
    layer = nn.Linear(2, 1)
    right = gg.ones((1, 2)).data
    layer.weight.data = right
    assert layer.weight.data is right
    for wrong, kind, text in (
        (gg.ones((1, 2), dtype="float64").data, TypeError, r"expected float32, got float64: use x.astype\('float32'\)"),
        (gg.ones((2, 1)).data, ValueError, r"expected the shape \(1, 2\), got \(2, 1\)"),
        (gg.ones((1, 2), dtype="float64"), TypeError, "expected float32"),
        ([[1.0, 2.0]], TypeError, "expected an array or a Tensor, got list"),
        (1.0, TypeError, "got float"),
        (None, TypeError, "got NoneType"),
    ):
        with pytest.raises(kind, match=text):
            layer.weight.data = wrong
    assert layer.weight.data is right


def test_a_tensor_as_data_is_copied(device):
    layer, other = nn.Linear(2, 1, bias=False), gg.ones((1, 2))
    layer.weight.data = other
    with gg.no_grad():
        layer.weight -= 1
    assert other.tolist() == [[1.0, 1.0]]
    assert layer(gg.ones((1, 2))).tolist() == [[0.0]]
    optimizer = gg.optim.SGD(layer.parameters(), lr=1.0)
    layer(gg.ones((1, 2))).sum().backward()
    layer.weight.data = other
    optimizer.step()
    assert layer.weight.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("dtype", ["float64", "int64"])
@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 2), lambda: nn.Conv1d(1, 2, 1)])
def test_data_that_widens_a_network_is_told_once(device, monkeypatch, caplog, make, dtype):
    monkeypatch.setattr(basic, "_told", [])
    model = make()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert model(gg.ones((1, 1, 3), dtype=dtype)).dtype == numpy.float64
    assert [r.getMessage() for r in caplog.records if dtype in r.getMessage()] == [
        f"data in {dtype} and parameters in float32: everything from here on is computed in float64; "
        "use x = x.astype('float32') (said once)"
    ]
    caplog.clear()
    monkeypatch.setattr(basic, "_told", [])
    model.to("float64")(gg.ones((1, 1, 3), dtype=dtype))
    make()(gg.ones((1, 1, 3)))
    assert not caplog.records
