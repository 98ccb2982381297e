"""Every control of the page in a real browser: keys, buttons, boxes, zoom, and changing values."""

from __future__ import annotations

import math

import numpy
import pytest
from browser import plain
from pages import EMPTY, PUT, READ, branching, neuron, position, recurrent, walk

import gpugrad as gg
from gpugrad import nn
from gpugrad.drawing.page import page
from gpugrad.drawing.preview import preview, short

pytestmark = pytest.mark.usefixtures("on_the_host")


# -------------------------------------------------------------------- controls


def test_keys(browser, drawings):
    from selenium.webdriver.common.keys import Keys

    browser.open(drawings["neuron"].html())
    last = position(browser)
    assert last == 17
    for key, at in [
        (Keys.ARROW_LEFT, last - 1), (Keys.HOME, 0), (Keys.ARROW_LEFT, 0), (Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2),
        (Keys.END, last), (Keys.ARROW_RIGHT, last),
    ]:  # fmt: skip
        browser.press(key)
        assert position(browser) == at
    scale = "return document.getElementById('viewport').transform.baseVal.consolidate().matrix.a"
    before = browser.run(scale)
    browser.press("+")
    assert browser.run(scale) == pytest.approx(before * 1.3)
    browser.press("-", "-")
    assert browser.run(scale) == pytest.approx(before / 1.3)
    browser.press("0")
    assert browser.run(scale) == pytest.approx(before)
    assert browser.errors() == []


def test_buttons_and_slider(browser, drawings):
    browser.open(drawings["neuron"].html())
    for button, at in [("previous", 16), ("previous", 15), ("next", 16), ("first", 0), ("next", 1), ("last", 17)]:
        browser.click(f"#{button}")
        assert position(browser) == at
    enabled = "return ['first', 'previous', 'next', 'last'].map((id) => !document.getElementById(id).disabled)"
    assert browser.run(enabled) == [True, True, False, False]
    slider = "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    browser.run(slider, 8)
    assert browser.text("#badge") == "Step 8 of 17 · forward"
    assert browser.text("#where") == "Forward 8 of 8"
    browser.run(slider, 9)
    assert browser.text("#badge") == "Step 9 of 17 · backward"
    assert browser.run("return document.getElementById('slider').getAttribute('aria-valuetext')") == (
        "9 of 17: Backward 1 of 9"
    )


def test_space_plays_and_pauses(browser, drawings):
    browser.open(drawings["neuron"].html())
    browser.run("document.getElementById('speed').value = '2'")
    browser.press(" ")
    assert browser.run("return document.getElementById('play').getAttribute('aria-label')") == "Pause"
    assert position(browser) < 17
    at_least = "Number(document.getElementById('slider').value) >= args[0]"
    browser.until(at_least, 2)
    browser.press(" ")
    assert browser.run("return document.getElementById('play').getAttribute('aria-label')") == "Play"
    stopped = position(browser)
    browser.click("#play")
    browser.until(at_least, stopped + 1)
    assert position(browser) < 17
    browser.click("#last")
    assert browser.run("return document.body.classList.contains('playing')") is False
    assert browser.errors() == []


def test_theme(browser, drawings):
    ground = "return getComputedStyle(document.body).backgroundColor"
    colours = {}
    for system in ("light", "dark"):
        browser.open(drawings["neuron"].html(), theme=system)
        colours[system] = browser.run(ground)
        pressed = browser.run("return document.getElementById('theme').getAttribute('aria-pressed')")
        assert pressed == ("true" if system == "dark" else "false")
    assert colours["light"] != colours["dark"]
    browser.click("#theme")  # on a dark system
    assert browser.run(ground) == colours["light"]
    browser.click("#theme")
    assert browser.run(ground) == colours["dark"]


SEEN = """
const graph = document.getElementById("graph").getBoundingClientRect();
const places = [...document.querySelectorAll(".node > .shape, .box > .frame, .box > .shape")]
  .map((e) => e.getBoundingClientRect());
const m = document.getElementById("viewport").transform.baseVal.consolidate().matrix;
return { whole: places.every((r) => r.left >= graph.left && r.right <= graph.right && r.top >= graph.top
    && r.bottom <= graph.bottom), scale: m.a, x: m.e, open: document.querySelectorAll(".box.open").length };
"""


@pytest.mark.parametrize(("width", "readable"), [(1280, 0.55), (390, 0.8)])
def test_a_large_drawing_opens_as_a_whole_and_steps_are_followed_closer(browser, width, readable):
    blocks = [layer for _ in range(6) for layer in (nn.Linear(8, 8), nn.ReLU())]
    model, x = nn.Sequential(*blocks, nn.Linear(8, 1)), gg.ones((4, 8))
    for limit in (32, None):
        browser.open(gg.draw(lambda x: model(x).mean(), x, limit=limit).html(), width=width)
        seen = browser.run(SEEN)
        assert seen["whole"]
        assert seen["scale"] > 0.3 or (limit is None and seen["open"] > 10)
        browser.click("#previous")
        assert browser.run(SEEN)["scale"] >= min(seen["scale"], readable)
        assert browser.run(SEEN)["scale"] >= readable - 0.01 or seen["scale"] >= readable
        assert browser.errors() == []


def test_a_wide_drawing_scrolls_sideways(browser, drawings):
    browser.open(drawings["recurrent"].html())
    before = browser.run(SEEN)
    for key, value in (("deltaX", 120), ("deltaY", 120)):
        browser.run(
            "document.getElementById('graph').dispatchEvent(new WheelEvent('wheel', {...arguments[0], "
            "bubbles: true, cancelable: true}))", {key: value, "shiftKey": key == "deltaY"}
        )  # fmt: skip
    after = browser.run(SEEN)
    assert after["scale"] == before["scale"]
    assert after["x"] == pytest.approx(before["x"] - 240)


def test_zoom_and_pan(browser, drawings):
    from selenium.webdriver.common.action_chains import ActionChains

    browser.open(drawings["neuron"].html())
    place = (
        "const m = document.getElementById('viewport').transform.baseVal.consolidate().matrix; return [m.a, m.e, m.f]"
    )
    scale, x, y = browser.run(place)
    graph = browser.find("#graph")
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(graph, 0, 200).click_and_hold().move_by_offset(
        40, -30
    ).release().perform()
    assert browser.run(place) == pytest.approx([scale, x + 40, y - 30], abs=0.5)
    browser.click("#closer")
    assert browser.run(place)[0] == pytest.approx(1.3 * scale)
    browser.click("#farther")
    browser.click("#farther")
    assert browser.run(place)[0] == pytest.approx(scale / 1.3)
    browser.click("#fit")
    assert browser.run(place) == pytest.approx([scale, x, y], abs=0.5)
    at = """const at = (x, y) => {
      const p = new DOMPoint(x, y).matrixTransform(document.getElementById('viewport').getScreenCTM().inverse());
      return [p.x, p.y];
    }; const before = at(300, 400);"""
    moved = browser.run(
        at + "document.getElementById('graph').dispatchEvent(new WheelEvent('wheel',"
        "{clientX: 300, clientY: 400, deltaY: -200, bubbles: true, cancelable: true})); return [before, at(300, 400)]"
    )
    assert moved[0] == pytest.approx(moved[1], abs=0.1)  # what is under the pointer stays there
    assert browser.run(place)[0] > scale
    pinch = """const g = document.getElementById('graph');
    const send = (type, id, x, to) => to.dispatchEvent(new PointerEvent(type, {pointerId: id, clientX: x, clientY: 300,
      button: 0, bubbles: true, pointerType: 'touch'}));
    send('pointerdown', 1, 300, g); send('pointerdown', 2, 400, g); send('pointermove', 2, 500, window);
    send('pointerup', 1, 300, window); send('pointerup', 2, 500, window);"""
    before = browser.run(place)[0]
    browser.run(pinch)
    assert browser.run(place)[0] == pytest.approx(2 * before)
    assert browser.errors() == []


def test_hovering_and_focus_show_all_digits(browser, drawings):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    drawing = drawings["neuron"]
    node = next(n for n in drawing.picture.nodes if n.op == "exp")
    browser.open(drawing.html())
    shape = browser.find(f'[data-node="{node.id}"] .shape')
    ActionChains(browser.driver, duration=0).move_to_element(shape).perform()
    assert browser.run("return document.getElementById('tip').hidden") is False
    assert f"value{numpy.float32(node.value.number)!s}" in browser.text("#tip")
    assert f"gradient{numpy.float32(node.gradient.number)!s}" in browser.text("#tip")
    ActionChains(browser.driver, duration=0).move_to_element(browser.find("#title")).perform()
    assert browser.run("return document.getElementById('tip').hidden") is True

    browser.press(Keys.ARROW_DOWN)  # from the page into the graph, and on
    assert browser.run("return document.activeElement.dataset.node") == "0"
    browser.press(*[Keys.ARROW_DOWN] * 3, Keys.ARROW_UP)
    assert browser.run("return document.activeElement.dataset.node") == "2"
    assert browser.run("return document.querySelectorAll('#graph [tabindex=\"0\"]').length") == 1
    assert browser.run("return document.getElementById('tip').hidden") is False
    label = browser.run("return document.activeElement.getAttribute('aria-label')")
    name = drawing.picture.nodes[2].name
    assert plain(label) == f"{name}, input, value -3.00, gradient -0.39"
    browser.press(Keys.ESCAPE)
    assert browser.run("return document.getElementById('tip').hidden") is True
    browser.click(f'[data-node="{node.id}"] .label')
    assert browser.run("return document.getElementById('chosen').hidden") is False
    assert "exp" in browser.text("#chosen")
    browser.click("#all summary")
    browser.until("document.querySelector('#table table') !== null")
    rows = browser.run("return [...document.querySelectorAll('#table tbody tr')].map((r) => r.textContent)")
    assert len(rows) == len(drawing.picture.nodes)
    assert plain(rows[0]) == "w0input2.00-0.20"


def test_boxes_fold_and_unfold(browser, drawings):
    from selenium.webdriver.common.keys import Keys

    drawing = drawings["recurrent"]
    picture = drawing.picture
    browser.open(drawing.html())
    counts = "return [document.querySelectorAll('.node').length, document.querySelectorAll('.box.closed').length]"
    if browser.text("#boxes") == "Open all":
        browser.click("#boxes")
    assert browser.run(counts) == [len(picture.nodes), 0]
    everything = position(browser)
    browser.click("#boxes")
    assert browser.text("#boxes") == "Open all"
    folded, closed = browser.run(counts)
    assert closed == 1
    assert folded < len(picture.nodes)
    assert position(browser) < everything  # what is in a folded box is one step
    box = browser.find(".box.closed")
    browser.run("arguments[0].focus()", box)
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    assert browser.run(counts)[0] > folded
    steps = walk(browser)
    inside = next(s for s in steps if "backward" in s["badge"] and "Open the box" in s["body"])
    assert "gets" in inside["body"]
    browser.click(".box.open .head")
    assert browser.run(counts) == [folded, closed]
    assert browser.errors() == []


def test_boxes_that_need_each_other(browser):
    """By hand, since gg.draw makes none: a box whose inside needs what is outside, which needs its inside."""
    number = preview(1.0).to_dict()
    node = {
        "kind": "operation", "name": None, "op": "exp", "label": "exp", "gate": None, "says": "", "parameter": False,
        "shape": [], "dtype": "float64", "value": number, "gradient": number, "group": None, "line": None,
    }  # fmt: skip
    groups = [0, None, 0, 1, None, 1]
    nodes = [{**node, "id": i, "group": group} for i, group in enumerate(groups)]
    nodes[0] |= {"kind": "leaf", "name": "x"}
    edges = [
        {"id": i, "source": a, "target": b, "position": p, "local": number, "contribution": number}
        for i, (a, b, p) in enumerate([(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 4, 0), (4, 5, 0), (1, 5, 1), (0, 5, 2)])
    ]
    boxes = [
        {"id": i, "label": f"box {i}", "parent": None, "kind": "part", "count": 1, "open": False} for i in range(2)
    ]
    browser.open(page({**EMPTY, "nodes": nodes, "edges": edges, "groups": boxes, "output": 5}))
    for _ in range(2):
        walk(browser)
        wires = browser.run("return [...document.querySelectorAll('.wire')].map((w) => w.getAttribute('d'))")
        assert len(wires) >= 6
        assert not [d for d in wires if "NaN" in d or "undefined" in d]
        browser.click("#boxes")
    assert browser.errors() == []


def test_numbers_that_are_none(browser):
    """Not a number and infinity are shown, stepped through, and can be left behind by another value."""
    with numpy.errstate(all="ignore"):
        drawing = gg.draw(lambda x: gg.log(x) * x, 0.0)
    browser.open(drawing.html())
    walk(browser)
    shown = browser.run(READ)["nodes"]
    ids = {n.label: str(n.id) for n in drawing.picture.nodes}
    assert plain(shown[ids["log"]]["value"]) == "-inf"
    assert shown[ids["×"]]["value"] == "nan"
    browser.run(PUT, {ids["x"]: 1.0})
    shown = browser.run(READ)["nodes"]
    assert (shown[ids["×"]]["value"], shown[ids["x"]]["gradient"]) == ("0.00", "1.00")
    browser.click("#reset")
    assert browser.run(READ)["nodes"][ids["×"]]["value"] == "nan"
    assert browser.errors() == []


def test_a_step_stays_where_it_is_when_boxes_open(browser, drawings):
    browser.open(drawings["two layers"].html())
    if browser.text("#boxes") == "Fold all":
        browser.click("#boxes")
    browser.click("#first")
    browser.click("#next")
    shown = browser.run(READ)["badge"]
    assert "forward" in shown
    browser.click("#boxes")
    assert "forward" in browser.run(READ)["badge"]


# -------------------------------------------------------------------- changing values

GRAPHS = {
    "neuron": (neuron, 5),
    "branching": (branching, 2),
    "recurrent": (recurrent, 6),
    "gates": (lambda x, y, z: gg.maximum(x, y) * 2 - gg.minimum(y, z) / (1 + abs(x)) + gg.where(x == x, y, z), 3),
    "activations": (
        lambda x, y: gg.relu(x) + gg.nn.functional.silu(y) + gg.nn.functional.softplus(x * y) - gg.sqrt(x * x + 1), 2
    ),
    "powers": (lambda x, y: (x**2 + 1) ** 0.5 + gg.log(1 + gg.exp(y)) * gg.cos(x) - gg.sin(y) ** 3, 2),
    "twice": (lambda x: x * x + x, 1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GRAPHS)
def test_changed_values_give_what_the_engine_gives(name, dtype, browser, monkeypatch):
    f, count = GRAPHS[name]
    rng = numpy.random.default_rng(len(name))

    def drawn(values):
        leaves = [gg.tensor(v, dtype=getattr(gg, dtype), requires_grad=True) for v in values]
        for i, leaf in enumerate(leaves):
            gg.name(leaf, f"a{i}")
        return gg.draw(f, *leaves, limit=None)

    browser.open(drawn(rng.standard_normal(count)).html())
    for _ in range(3):
        values = rng.standard_normal(count).astype(dtype)
        expected = drawn(values).picture
        leaves = {n.name: n.id for n in expected.nodes if n.kind == "leaf"}
        browser.run(PUT, {leaves[f"a{i}"]: float(v) for i, v in enumerate(values)})
        shown = browser.run(READ)["nodes"]
        for node in expected.nodes:
            texts = shown[str(node.id)]
            if node.kind == "constant" or texts["value"] is None:
                continue
            for kind in ("value", "gradient"):
                found, wants = float(plain(texts[kind])), getattr(node, kind)
                assert agree(found, wants.number, dtype), (name, node.label, kind, texts[kind], wants)
    assert browser.text("#why").startswith("Everything is computed again")
    assert browser.errors() == []


def agree(found, number, dtype):
    """Equal to the printed digits; in float32 the last rounding may fall on the other side."""
    if dtype == "float64":
        return found == float(short(number))
    around = {float(short(number * (1 + d))) for d in (-1e-5, 0, 1e-5)}
    return min(around) <= found <= max(around)


def test_editing_with_the_keyboard(browser, drawings):
    """From a leaf of the graph to its field, a new value, the numbers at once; and back to the given ones."""
    from selenium.webdriver.common.keys import Keys

    browser.open(drawings["neuron"].html())
    w0 = next(n.id for n in drawings["neuron"].picture.nodes if n.name == "w0")
    browser.run(f"""document.querySelector('[data-node="{w0}"]').focus()""")
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == f"leaf-{w0}"
    browser.press("3")
    weights = numpy.array([3.0, -3.0, -3.0])
    y = 1 / (1 + math.exp(-(weights @ [-1.0, -2.0, 1.0])))
    output = str(drawings["neuron"].picture.output)
    assert browser.run(READ)["nodes"][output]["value"] == short(y)
    assert browser.text(f"#gradient-{w0}") == short(-y * (1 - y))
    assert position(browser) == 17  # arrows in the field do not step
    browser.press(Keys.ARROW_RIGHT)
    assert position(browser) == 17
    browser.click("#reset")
    assert browser.run(READ)["nodes"][output]["value"] == "0.73"
    assert browser.run("return document.getElementById('reset').disabled") is True
    browser.click("#descend")
    assert browser.run(f"return document.getElementById('leaf-{w0}').valueAsNumber") == pytest.approx(
        2 + 0.1 * 0.1966, abs=1e-5
    )
    assert browser.run(READ)["nodes"][output]["value"] != "0.73"


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x: gg.sum(gg.full((2,), 1.0) * x), "arrays"),
        (lambda x: gg.special.gammaln(x), "gammaln"),
    ],
)
def test_where_values_cannot_be_changed_the_page_says_so(f, why, browser):
    browser.open(gg.draw(f, 2.0).html())
    assert browser.text("#why").startswith("The values cannot be changed here.")
    assert why in browser.text("#why")
    assert browser.run("return document.querySelectorAll('#leaves input').length") == 0
