"""The picture as SVG, and where drawings go."""

from __future__ import annotations

import functools
import re
import shutil
import sys
from html import unescape
from xml.etree import ElementTree

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.drawing.svg import source

try:
    import graphviz
except ImportError:
    graphviz = None

needs_dot = pytest.mark.skipif(
    graphviz is None or shutil.which("dot") is None,
    reason="needs the package graphviz and the program dot (apt install graphviz)",
)


def lecture():
    return gg.draw(lambda x, y, z: (x + y) * z, -2.0, 5.0, -4.0)


def texts(svg):
    return [unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def places(svg):
    """Where each text stands: (x, y), y downwards."""
    found = re.findall(r'<text[^>]*x="([-\d.]+)" y="([-\d.]+)"[^>]*>([^<]*)</text>', svg)
    return {unescape(text): (float(x), float(y)) for x, y, text in found}


@needs_dot
def test_the_lectures_picture():
    svg = lecture().svg()
    ElementTree.fromstring(svg)
    where = places(svg)
    assert set(where) >= {"x", "y", "z", "+", "×", "-2.00", "5.00", "-4.00", "3.00", "-12.00", "1.00"}
    assert where["x"][0] < where["+"][0] < where["×"][0], "from left to right"
    assert where["-12.00"][1] < where["1.00"][1], "values above gradients"
    colours = dict(re.findall(r'<text[^>]*fill="([^"]*)"[^>]*>(-12.00|1.00)</text>', svg.replace("&#45;", "-")))
    assert colours == {"#15803d": "-12.00", "#c81e1e": "1.00"}
    assert svg.count("<ellipse") == 2, "gates are circles"
    assert svg.count('<polygon fill="#1a1a1a"') == 10, "a rule and one arrow for each wire, of two pieces"


@needs_dot
def test_it_reads_on_dark_pages_and_aloud():
    svg = lecture().svg()
    assert "prefers-color-scheme:dark" in svg
    assert 'role="img"' in svg
    assert "<title>f(x, y, z): a computation graph of 2 operations" in svg
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', svg))
    style = svg[svg.index("<style>") : svg.index("</style>")]
    assert len(used) > 3
    assert all(f'[fill="{colour}"]' in style for colour in used), "every colour has one for dark pages"
    assert "http" not in svg.replace("http://www.w3.org", "")


@needs_dot
def test_names_and_titles_are_escaped():
    x = gg.name(gg.tensor(1.0, requires_grad=True), '<b>&"w"')
    y = x * 2
    svg = gg.draw(y, title="a < b & c").svg()
    ElementTree.fromstring(svg)
    assert '<b>&"w"' in texts(svg)
    assert "<title>a &lt; b &amp; c:" in svg


@needs_dot
def test_boxes():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    drawing = gg.draw(lambda data: model(data).sum(), gg.ones((4, 2)))
    shown = texts(drawing.svg())
    assert {"Sequential", "0: Linear", "2: Linear", "0.weight", "3×2", "data", "ReLU", "@", "Σ"} <= set(shown)
    closed = gg.draw(lambda data: model(data).sum(), gg.ones((4, 2)), limit=4)
    shown = texts(closed.svg())
    assert "Sequential" in shown
    assert "7 operations" in shown
    assert "@" not in shown
    assert "0.weight" not in shown
    assert {"data", "Σ"} <= set(shown)


def test_a_closed_box_stands_for_what_is_in_it():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    graph = source(gg.draw(lambda data: model(data).sum(), gg.ones((4, 2)), limit=4).picture)
    box = re.search(r"^g0 \[", graph, re.M)
    assert box
    wires = re.findall(r"^(\w+) -> (\w+)", graph, re.M)
    ends = {name for wire in wires for name in wire}
    nodes = set(re.findall(r"^(\w+) \[", graph, re.M)) - {"graph", "node", "edge"}
    assert ends <= nodes, "every wire ends at something that is seen"
    assert sum(name.startswith("w") for name in nodes) == 2, "the data into the box, and the box into the sum"


def test_edges_into_a_closed_box_from_one_value_are_one_wire():
    model = nn.Sequential(nn.Identity(), nn.Bilinear(2, 2, 1))
    x = gg.tensor([[1.0, 2.0]], requires_grad=True)
    picture = gg.draw(lambda x: model[1](x, x).sum(), x, limit=3).picture
    inputs = [e for e in picture.edges if picture.nodes[e.source].name == "x"]
    assert len(inputs) == 2
    graph = source(picture)
    assert re.findall(r"^n(\d+) -> w", graph, re.M).count(str(inputs[0].source)) == 1
    assert "2 edges" in graph


def test_numbers_of_a_wire_lie_in_the_box_around_both_ends():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    graph = source(gg.draw(model, gg.ones((4, 2)), limit=None).picture)
    depth, found = 0, {}
    for line in graph.splitlines():
        depth += line.startswith("subgraph") - (line == "}")
        match = re.match(r"(w\d+) \[", line)
        if match:
            found[match.group(1)] = depth
    assert sorted(set(found.values())) == [0, 1, 2]
    assert sum(d == 2 for d in found.values()) == 8


@needs_dot
def test_a_branching_leaf_shows_the_sum():
    x = gg.tensor(3.0, requires_grad=True)
    y = x * x
    shown = texts(gg.draw(y).svg())
    assert "Σ 6.00" in shown
    assert shown.count("3.00") == 4, "value and gradient of either wire"


@needs_dot
def test_saving(tmp_path):
    path = lecture().save(tmp_path / "graph.svg")
    assert path == tmp_path / "graph.svg"
    ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert lecture().save(str(tmp_path / "GRAPH.SVG")).exists()


def test_saving_a_page(tmp_path):
    path = lecture().save(tmp_path / "graph.html")
    assert "-12" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["graph.png", "graph", "graph.svgz"])
def test_saving_as_something_else_is_an_error(name, tmp_path):
    with pytest.raises(ValueError, match=r"save: expected a name that ends in \.svg or \.html, got 'graph"):
        lecture().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"pip install 'gpugrad\[draw\]'.*apt install graphviz.*\.html\(\)"):
        lecture().svg()
    assert lecture()._repr_svg_() is None


@pytest.mark.skipif(graphviz is None, reason="needs the package graphviz")
def test_without_the_program(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match=r"program dot is not \(apt install graphviz.*\.html\(\)"):
        lecture().svg()
    assert lecture()._repr_svg_() is None


def test_notebooks_show_the_page():
    shown = lecture()._repr_html_()
    assert shown.startswith("<iframe")
    assert shown.endswith("</iframe>")
    assert shown.count("<") == 2, "the page is an attribute, escaped"
    assert unescape(shown.partition('srcdoc="')[2].rpartition('"')[0]) == lecture().html()


@needs_dot
def test_notebooks_that_take_pictures_get_one():
    assert lecture()._repr_svg_() == lecture().svg()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x).sum() * 2


class Squares:
    def __call__(self, x):
        return x * x


def test_the_title_is_the_name_of_what_was_drawn_and_never_a_gate():
    x = gg.tensor(1.0, requires_grad=True)
    model, data, half = Net(), gg.ones((2, 1)), functools.partial(gg.multiply, 0.5)
    loss = model(data) ** 2
    assert gg.draw(model, data).picture.title == "Net"
    assert gg.draw(model(data)).picture.title == "Net"
    assert gg.draw(model(data) * x).picture.title == "Net"
    assert gg.draw(loss).picture.title == "loss of Net"
    assert gg.draw(lambda data: model(data), data).picture.title == "Net"
    assert gg.draw(gg.name(x * x, "square")).picture.title == "square"
    assert gg.draw(nn.ReLU(), x).picture.title == "ReLU"
    assert gg.draw(gg.sin, x).picture.title == "sin"
    assert gg.draw(numpy.sin, x).picture.title == "sin"
    assert gg.draw(model.forward, data).picture.title == "forward"
    assert gg.draw(half, x).picture.title == "multiply"
    assert gg.draw(Squares(), x).picture.title == "Squares"
    assert gg.draw(gg.sin, x, title="A sine").picture.title == "A sine"


def test_the_title_of_what_has_no_name():
    x = gg.tensor(1.0, requires_grad=True)
    a, b, c, d = (gg.tensor(2.0, requires_grad=True) for _ in range(4))
    assert gg.draw(x * x).picture.title == "f(x)"
    assert gg.draw(lambda w: gg.sin(w) * x, 3.0).picture.title in ("f(w, x)", "f(x, w)")
    assert gg.draw(x * a * b * c * d).picture.title == "f(x, a, b, c, …)"
    assert gg.draw(sum(gg.tensor(1.0, requires_grad=True) for _ in range(2))).picture.title == "a graph"
    data = gg.ones((2, 1))
    assert gg.draw(lambda data: Net()(data) * 2, data).picture.title == "Net"


def test_words():
    drawing = lecture()
    assert repr(drawing) == "<Drawing of f(x, y, z): 5 nodes>"
    assert str(drawing).splitlines()[3] == "#3 = +(x, y): value 3.00, gradient -4.00"
    y = x = gg.tensor(1.0, requires_grad=True)
    for _ in range(300):
        y = gg.sin(y)
    lines = str(gg.draw(y)).splitlines()
    assert len(lines) == 201
    assert lines[100] == "... 101 more ..."
    assert lines[0].startswith("leaf x")
    assert lines[-1].startswith("y = sin(#299)")
    assert x.grad is None
