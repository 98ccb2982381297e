"""The convolutional network: gradients by hand, shapes, what it learns in a short time."""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import struct
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad import data, nn


@pytest.fixture
def net(lecture):
    gg.random.seed(0)
    return lecture("convolution")


def test_gradients_by_hand(net):
    assert set(net.differences()) == {"result", "image", "filter"}
    assert max(net.differences().values()) < 1e-10


@pytest.mark.any_device
def test_an_edge(net):
    """White to the left of black: the filter that looks for an edge sees it, and nothing else."""
    image = numpy.array([[0.0, 0, 1, 1]] * 2)
    edge = numpy.array([[-1.0, 1.0]])
    assert net.slide(image, edge).tolist() == [[0, 1, 0]] * 2
    to_image, to_filter = net.by_hand(image, edge, numpy.ones((2, 3)))
    assert to_filter.tolist() == [[2, 4]]  # the sum of the pixels that each weight met
    assert to_image.tolist() == [[-1, 0, 0, 1]] * 2  # a pixel in the middle met both


@pytest.mark.parametrize(("size", "parameters"), [(8, 1898), (28, 11_274)])
def test_shapes(net, size, parameters):
    model = net.network(size)
    assert net.parameters(model) == parameters
    shapes = [values.shape for _, values in net.maps(model, numpy.zeros((1, size, size), numpy.float32))]
    half, quarter = size // 2, size // 4
    assert shapes == [(8, size, size)] * 2 + [(8, half, half)] + [(16, half, half)] * 2 + [(16, quarter, quarter)]
    assert model(gg.zeros((3, 1, size, size))).shape == (3, 10)


def test_the_graph_is_folded_into_its_stages(net):
    model = net.network(8)
    image = numpy.random.default_rng(0).random((1, 8, 8), dtype=numpy.float32)
    picture = net.graph(model, image, 3).picture
    boxes = {group.label: group for group in picture.groups if group.kind == "module"}
    assert {"first: Sequential", "second: Sequential", "scores: Sequential"} <= set(boxes)
    assert not all(group.open for group in boxes.values())
    loss = nn.functional.cross_entropy(model(gg.tensor(image[None])), gg.tensor([3]))
    loss.backward()
    nodes = {node.name: node for node in picture.nodes}
    assert nodes["scores.1.bias"].gradient.numbers == pytest.approx(model.scores[1].bias.grad.tolist(), rel=1e-5)
    assert picture.nodes[picture.output].value.number == pytest.approx(loss.item(), rel=1e-6)
    assert nodes["first.0.weight"].parameter


def test_it_learns_the_digits(net):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    found = net.train(*data.digits(), epochs=4)
    assert len(found.losses) == 4 * 29
    assert found.accuracy > 0.9


def idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(numpy.uint8).tobytes()))


def test_the_script_runs(program, tmp_path):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    rng = numpy.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    idx(tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz", rng.integers(0, 256, (40, 28, 28)))
    idx(tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz", rng.integers(0, 10, 40))
    out = program("convolution", "--epochs", 1, "--mnist", tmp_path / "mnist")
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert lines["digits"][1:4] == ["1,438", "359", "1,898"]
    assert lines["mnist"][1:4] == ["32", "8", "11,274"]
    assert "first: Sequential" in (tmp_path / "mnist" / "graph.html").read_text(encoding="utf-8")
    if importlib.util.find_spec("matplotlib") is not None:
        for name in ("digits", "mnist"):
            assert (tmp_path / name / "maps.png").read_bytes().startswith(b"\x89PNG")
            assert (tmp_path / name / "filters.png").read_bytes().startswith(b"\x89PNG")


def test_mnist_that_is_not_there(program, tmp_path):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    with pytest.raises(SystemExit, match="there is no folder"):
        program("convolution", "--epochs", 1, "--mnist", tmp_path / "none")


def test_without_scikit_learn(program, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match=r"pip install 'gpugrad\[examples\]'"):
        program("convolution")


@pytest.mark.any_device
def test_digits_alone(net, monkeypatch, tmp_path, capsys):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    monkeypatch.setattr(net, "MNIST", tmp_path / "none")
    assert list(net.sources(argparse.Namespace(mnist=None, epochs=1))) == ["digits"]
    assert "--mnist says where it is" in capsys.readouterr().out
