"""The page in a real browser: what it shows against the engine's numbers, and every control of it."""

from __future__ import annotations

import base64
import io
import json
import math
import re

import numpy
import pytest
from browser import plain

import gpugrad as gg
from gpugrad import nn
from gpugrad.drawing.page import SCRIPTS, page, part
from gpugrad.drawing.preview import preview, short
from gpugrad.drawing.symbols import JAVASCRIPT

EMPTY = {"title": "", "nodes": [], "edges": [], "groups": [], "output": 0, "formulas": None}


@pytest.fixture(autouse=True)
def _on_the_host(device):
    if not device.is_host:
        pytest.skip("the page is made of plain numbers, whatever device they came from")


def neuron(w0, x0, w1, x1, w2):
    return 1 / (1 + gg.exp(-(w0 * x0 + w1 * x1 + w2)))


NEURON = (2.0, -1.0, -3.0, -2.0, -3.0)


def branching(x, y):
    """CS231n's example of branches: x and y each go several ways."""
    sigma = gg.sigmoid(y)
    return (x + sigma) / (gg.sigmoid(x) + (x + y) ** 2)


def recurrent(w, u, b, *xs):
    h = gg.tensor(0.0)
    for x in xs:
        h = gg.tanh(w * h + u * x + b)
    return h * h


RECURRENT = (0.5, -0.7, 0.1, -0.5, -0.2, 0.1, 0.4)


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return gg.mean(self.second(gg.relu(self.first(x))) ** 2)


def two_layers():
    rng = numpy.random.default_rng(0)
    model = TwoLayers()
    for parameter in model.parameters():
        with gg.no_grad():
            parameter.become(gg.tensor(rng.standard_normal(parameter.shape).astype("float32")))
    return model, gg.tensor(rng.standard_normal((5, 3)).astype("float32"))


@pytest.fixture(scope="module")
def drawings():
    model, x = two_layers()
    return {
        "neuron": gg.draw(neuron, *NEURON, title="The sigmoid neuron"),
        "branching": gg.draw(branching, 3.0, -4.0, title="Branches"),
        "recurrent": gg.draw(recurrent, *RECURRENT, title="Unrolled in time"),
        "two layers": gg.draw(model, x, title="Two layers"),
    }


# -------------------------------------------------------------------- the file


def test_it_is_complete_in_itself(drawings):
    text = drawings["neuron"].html()
    outside = set(re.findall(r"https?://[^\s\"'<>)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert outside == set()
    assert "@import" not in text
    assert not re.search(r"(?:src|href)=\"(?!data:,)", text)
    assert "default-src 'none'" in text
    assert len(text) < 150_000


def test_text_of_the_user_is_never_markup():
    evil = "</script><script>alert(1)</script><!-- {style} & \u2028"
    text = page({**EMPTY, "title": evil})
    assert text.count("</script>") == 2
    assert "<title>&lt;/script&gt;" in text
    inside = re.search(r'<script type="application/json" id="picture">(.*?)</script>', text, re.DOTALL).group(1)
    assert json.loads(inside)["title"] == evil
    assert "<" not in inside


def test_numbers_that_json_has_not_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        page({**EMPTY, "nodes": [math.nan]})


def test_every_part_of_the_script_is_used():
    from importlib.resources import files

    found = {f.name for f in (files("gpugrad.drawing") / "html").iterdir()}
    assert found == {"page.html", "style.css", *(f"{name}.js" for name in SCRIPTS)}


# -------------------------------------------------------------------- numbers

AWKWARD = [
    0.0, -0.0, 1.0, -2.0, 0.125, -0.125, 0.375, 2.675, 1.005, 0.1, 0.0999, 0.09999, 0.05, 0.045, 0.00095, 1e-5, 9.96e-5,
    -1.25e-7, 0.0125, 9999.994, 9999.996, 1e4, 12345.0, 123500.0, 122500.0, 1e22, 1e300, -5e-324, math.inf, -math.inf,
    math.nan, 1 / 3, 99.995,
]  # fmt: skip


def test_numbers_are_printed_as_by_python(browser):
    numbers = [*AWKWARD, *numpy.random.default_rng(0).standard_normal(300) ** 5, *(numpy.arange(-40, 40) / 8)]
    words = [repr(float(x)) for x in numbers]
    script = part("numbers.js") + "; return arguments[0].map((w) => short(fromJson(w in JSONLESS ? w : Number(w))));"
    script = "const JSONLESS = {nan: 1, inf: 1, '-inf': 1};" + script
    printed = browser.run(script, words)
    expected = [short(float(x) if math.isfinite(x) else str(float(x))) for x in numbers]
    assert printed == ["0.00" if text == "-0.00" else text for text in expected]


def test_functions_in_javascript_are_those_of_numpy(browser):
    rng = numpy.random.default_rng(0)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, math.inf, -math.inf, math.nan]
    calls, expected = [], []
    with numpy.errstate(all="ignore"):
        for name in JAVASCRIPT:
            function = getattr(numpy, name)
            count = 3 if name == "where" else function.nin
            for x in [*special, *rng.standard_normal(20) * 3]:
                operands = [float(x), *map(float, rng.permutation([2.0, *rng.standard_normal(2)])[: count - 1])]
                if name in ("where", "logical_and", "logical_or", "logical_not") and math.isnan(x):
                    continue  # not a condition
                calls.append([name, [repr(v) for v in operands]])
                expected.append(float(function(*(numpy.float64(v) for v in operands))))
    functions = ", ".join(f"{name}: {source}" for name, source in JAVASCRIPT.items())
    found = browser.run(
        f"{part('numbers.js')} const F = {{{functions}}};"
        "const read = (w) => w === 'nan' ? NaN : Number(w.replace('inf', 'Infinity'));"
        "return arguments[0].map(([name, operands]) => String(Number(F[name](...operands.map(read)))));",
        calls,
    )
    for (name, operands), text, wanted in zip(calls, found, expected, strict=True):
        got = float(text.replace("Infinity", "inf"))
        assert numpy.isclose(got, wanted, rtol=1e-12, atol=1e-15, equal_nan=True), (name, operands, got, wanted)


# -------------------------------------------------------------------- stepping

READ = """
const texts = (selector) => [...document.querySelectorAll(selector)].map((e) => e.textContent);
const nodes = {};
for (const e of document.querySelectorAll(".node")) {
  const of = (kind) => { const t = e.querySelector(":scope > ." + kind); return t === null ? null : t.textContent; };
  nodes[e.dataset.node] = { value: of("value"), gradient: of("gradient"), label: e.getAttribute("aria-label"),
    lit: e.classList.contains("lit") };
}
const parts = {};
for (const e of document.querySelectorAll("#labels text")) parts[e.dataset.edge] = e.textContent;
const cards = {};
for (const e of document.querySelectorAll("section.edge")) {
  cards[e.dataset.edge] = [...e.querySelectorAll(".num")].map((n) => n.className.split(" ")[1] + " " + n.textContent);
}
return { nodes, parts, cards, badge: texts("#badge")[0], title: texts("#step-title")[0], body: texts("#step-body")[0],
  step: texts("#step-body .num"), live: texts("#live")[0], slider: document.getElementById("slider").value,
  flows: document.querySelectorAll(".flow").length };
"""


def walk(browser):
    """What is shown at every step, from the start to the end, stepping with the button."""
    return browser.run(
        f"""const read = () => {{ {READ} }}; const click = (id) => document.getElementById(id).click();
        click("first"); const seen = [read()];
        while (!document.getElementById("next").disabled) {{ click("next"); seen.push(read()); }}
        return seen;"""
    )


def wanted(found):
    """The text of a preview as the page shows it."""
    return "" if found is None else re.sub(r"-0\.00(?!\d)", "0.00", found.text)


@pytest.mark.parametrize("name", ["neuron", "branching", "recurrent", "two layers"])
def test_from_start_to_end_it_shows_the_numbers_of_the_engine(name, browser, drawings):
    """Every value, gradient and edge at every step: there when its turn has come, not before, with the right digits."""
    picture = drawings[name].picture
    browser.open(drawings[name].html())
    if picture.groups and browser.text("#boxes") == "Open all":
        browser.click("#boxes")
    steps = walk(browser)
    operations = [n for n in picture.nodes if n.kind == "operation"]
    backward = [n for n in operations if any(e.target == n.id and e.contribution for e in picture.edges)]
    arriving = {n.id: [e for e in picture.edges if e.source == n.id and e.contribution] for n in picture.nodes}
    sums = [n for n in picture.nodes if n.kind != "operation" and len(arriving[n.id]) > 1]
    assert len(steps) == 1 + len(operations) + 1 + len(backward) + len(sums)

    order = [*operations, picture.nodes[picture.output], *reversed(backward), *sums]
    known = {n.id for n in picture.nodes if n.kind != "operation"}
    graded, come = set(), set()
    for number, step in enumerate(steps):
        assert int(step["slider"]) == number
        if number > 0:
            node = order[number - 1]
            assert step["nodes"][str(node.id)]["lit"]
            if number <= len(operations):
                known.add(node.id)
                assert plain(step["step"][-1]) == wanted(node.value)
            elif number == len(operations) + 1:
                graded.add(node.id)
            else:
                if node in sums and number > len(operations) + 1 + len(backward):
                    graded.add(node.id)
                    terms = [plain(t).strip("()") for t in step["step"]]
                    assert terms == [wanted(e.contribution) for e in arriving[node.id]] + [wanted(node.gradient)]
                else:
                    check_cards(step, node, picture)
                    come |= {e.id for e in picture.edges if e.target == node.id and e.contribution}
                    graded |= {
                        e.source for e in picture.edges
                        if e.target == node.id and e.contribution and {c.id for c in arriving[e.source]} <= come
                        and picture.nodes[e.source] not in sums
                    }  # fmt: skip
            assert str(number) in step["live"]
        for node in picture.nodes:
            shown = step["nodes"][str(node.id)]
            if shown["value"] is None:
                assert not arriving[node.id]
                assert node.id != picture.output
                continue
            assert plain(shown["value"]) == (wanted(node.value) if node.id in known else "")
            assert plain(shown["gradient"]) == (wanted(node.gradient) if node.id in graded else "")
        for edge, text in step["parts"].items():
            assert plain(text) == (wanted(picture.edges[int(edge)].contribution) if int(edge) in come else "")
    assert graded == {n.id for n in picture.nodes if n.gradient is not None}
    assert browser.errors() == []


def check_cards(step, node, picture):
    """Upstream gradient, and for each input the local gradient, the product and what it gets."""
    edges = [e for e in picture.edges if e.target == node.id and e.contribution]
    assert {int(k) for k in step["cards"]} == {e.id for e in edges}
    upstream = wanted(node.gradient)
    assert upstream in [plain(t) for t in step["step"]]
    for edge in edges:
        words = [plain(w) for w in step["cards"][str(edge.id)]]
        if edge.local is None or edge.local.number is None:
            assert words == [f"gradient {wanted(edge.contribution)}"]
            continue
        local = [f"local {wanted(edge.local)}"]
        product = [f"local {bracketed(wanted(edge.local))}", f"gradient {bracketed(upstream)}"]
        assert words[-4:] == [*local, *product, f"gradient {wanted(edge.contribution)}"]


def bracketed(text):
    return f"({text})" if text.startswith("-") else text


def test_the_numbers_of_the_lecture(browser, drawings):
    """CS231n, lecture 4: the sigmoid neuron, to the digits printed there."""
    browser.open(drawings["neuron"].html())
    shown = browser.run(READ)["nodes"]
    names = [n.name or n.label for n in drawings["neuron"].picture.nodes]
    found = {name: tuple(plain(shown[str(i)][k]) for k in ("value", "gradient")) for i, name in enumerate(names)}
    assert found == {
        "w0": ("2.00", "-0.20"), "x0": ("-1.00", "0.39"), "w1": ("-3.00", "-0.39"), "x1": ("-2.00", "-0.59"),
        "w2": ("-3.00", "0.20"), "×": ("6.00", "0.20"), "+": ("1.00", "0.20"), "×−1": ("-1.00", "-0.20"),
        "exp": ("0.37", "-0.53"), "+1": ("1.37", "-0.53"), "1/x": ("0.73", "1.00"),
    }  # fmt: skip


def test_parameters_show_what_backward_puts_into_grad(browser):
    model, x = two_layers()
    drawing = gg.draw(model, x)
    browser.open(drawing.html())
    shown = browser.run(READ)["nodes"]
    model(x).backward()
    found = {n.name: n.id for n in drawing.picture.nodes if n.parameter}
    assert len(found) == 4
    for name, parameter in model.named_parameters():
        node = shown[str(next(i for n, i in found.items() if name.endswith(n)))]
        assert plain(node["value"]) == preview(parameter.data).text
        assert plain(node["gradient"]) == preview(parameter.grad.data).text


def test_words_say_what_the_gates_do(browser, drawings):
    browser.open(drawings["branching"].html())
    steps = walk(browser)
    titles = {plain(s["title"]) for s in steps}
    assert "+adda distributor" in titles
    told = [plain(s["body"]) for s in steps if s["title"].startswith("x,")]
    assert told == [
        "∂f/∂x = 0.51 + (-0.036) + 1.58 = 2.06x was copied to 3 places. Copying forward is adding backward."
    ]
    sigmoid = next(s for s in steps if "backward" in s["badge"] and s["title"].startswith("σ"))
    assert "= v2 · (1 - v2) = 0.045" in plain(sigmoid["body"])
    assert re.fullmatch(
        r"Step \d+ of 17\. Backward: sigmoid v2, upstream gradient -0.79; x gets -0.79 times 0.045 = -0.036\.",
        plain(sigmoid["live"]),
    )


def test_names_are_set_as_in_a_textbook(browser):
    """A letter is italic, what follows it is lowered; words are words; names that are shared get numbers."""

    def f(w0, W_x, alpha, in_):
        h = w0 * W_x
        h = h + alpha
        return gg.name(h * in_, "a name that is longer than its place")

    browser.open(gg.draw(f, 1.0, 2.0, 3.0, 4.0, limit=None).html())
    texts = """return [...document.querySelectorAll(".node")].map((e) => e.querySelector(".alias") ??
      e.querySelector(".label")).map((e) =>
      [e.querySelector(".letter")?.textContent ?? null, e.querySelector(".sub")?.textContent ?? null, e.textContent])"""
    found = {text: (letter, sub) for letter, sub, text in browser.run(texts)}
    assert found["w0"] == ("w", "0")
    assert found["Wx"] == ("W", "x")
    assert found["alpha"] == (None, None)
    assert found["h1"] == ("h", "1")
    assert found["h2"] == ("h", "2")
    assert found["a name that is lo…"] == (None, None)


def test_operands_that_are_numbers_are_told_too(browser):
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    browser.open(gg.draw(lambda x: gg.sum(1 / x), x).html())
    told = plain(walk(browser)[1]["body"])
    assert told.startswith("v1 = divide(1, x) = [1.00, 0.50]")


def test_it_starts_from_the_gradient_that_was_given(browser):
    x = gg.tensor(3.0, requires_grad=True)
    browser.open(gg.draw(x * x, gradient=gg.tensor(0.5)).html())
    seed = walk(browser)[2]
    assert plain(seed["body"]).endswith(
        "= 0.50The way back begins at the output: this is the gradient that was given for it."
    )
    browser.run(PUT, {0: 4.0})
    assert [browser.run(READ)["nodes"][i]["gradient"] for i in "01"] == ["4.00", "0.50"]


def test_values_that_are_not_known_are_left_out(browser):
    """Of a graph that was recorded without looking, some values are gone; the page still opens and steps."""
    y = gg.tensor(2.0, requires_grad=True)
    f = gg.exp(gg.tensor(1.0, requires_grad=True) + y) + 1
    drawing = gg.draw(f)
    assert any(n.value is None for n in drawing.picture.nodes)
    browser.open(drawing.html())
    walk(browser)
    assert "not known" in browser.text("#why")
    assert browser.errors() == []


# -------------------------------------------------------------------- controls


def position(browser):
    return int(browser.run("return document.getElementById('slider').value"))


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

PUT = """for (const [id, x] of Object.entries(arguments[0])) {
  const input = document.getElementById("leaf-" + id); input.value = x; input.dispatchEvent(new Event("input"));
}"""

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


# -------------------------------------------------------------------- what it looks like

BOXES = """
const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
const all = (selector) => [...document.querySelectorAll(selector)]
  .filter((e) => e.textContent !== "" || e.tagName !== "text");
return { shapes: all(".node > .shape").map(box), texts: all("#graph text").map(box),
  joints: all(".joint").map(box), parts: all("#labels text").map(box),
  places: Object.fromEntries(all(".node").map((e) => [e.dataset.node, box(e.querySelector(".shape"))])) };
"""


@pytest.mark.parametrize("name", ["neuron", "branching", "recurrent", "two layers"])
def test_nothing_lies_on_anything_else(name, browser, drawings):
    """Whatever font the machine has: no two gates overlap, nor two texts, and values flow from left to right."""
    browser.open(drawings[name].html(), width=1600)
    if drawings[name].picture.groups and browser.text("#boxes") == "Open all":
        browser.click("#boxes")
    found = browser.run(BOXES)
    for kind, slack in [("shapes", 0), ("texts", 2.5)]:
        boxes = found[kind]
        assert boxes
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                wide = min(a[2], b[2]) - max(a[0], b[0])
                high = min(a[3], b[3]) - max(a[1], b[1])
                assert min(wide, high) <= slack, (kind, a, b)
    for text in found["parts"]:  # beside its gate, not on the wires that part from a value
        assert all(text[0] > joint[2] + 12 or text[2] < joint[0] for joint in found["joints"])
    for edge in drawings[name].picture.edges:
        source, target = found["places"][str(edge.source)], found["places"][str(edge.target)]
        assert source[2] < target[0]


NEURON_SKETCH = [
    ".XX.....................",
    "XXXX....................",
    ".XXXXX..................",
    "XXXXX.XXX...............",
    ".XXXX.XXXXXXXXXXXXXXXXXX",
    "XXXXXX..XXXXXXXXXXXXXXXX",
    ".XXX...XX...............",
    "XXX.....................",
]


def test_the_picture_as_seen(browser, drawings):
    """The graph as pixels, in 24 by 8 squares: which have ink in them, and that there are both colours.

    Fonts differ between machines, and with them every edge of every letter and, a little, the size of the graph. So
    the squares divide the graph, not the window, are coarse, and one in ten may differ; the places of single things
    are looked at in the test above.
    """
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, which comes with matplotlib")
    browser.open(drawings["neuron"].html())
    shot = browser.command("Page.captureScreenshot", format="png")["data"]
    pixels = numpy.asarray(image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")).astype(float)
    left, top, right, bottom = browser.run(
        "const r = document.querySelector('#viewport').getBoundingClientRect();"
        "return [r.left, r.top, r.right, r.bottom]"
    )
    figure = pixels[int(top) : int(bottom), int(left) : int(right)]
    ink = numpy.abs(figure - pixels[int(top) - 20, int(left)]).max(axis=2) > 60
    rows = [numpy.array_split(band, 24, axis=1) for band in numpy.array_split(ink, 8, axis=0)]
    sketch = numpy.array([[square.mean() > 0.03 for square in row] for row in rows])
    expected = numpy.array([[c == "X" for c in line] for line in NEURON_SKETCH])
    assert (sketch != expected).mean() <= 0.1, "\n".join("".join(".X"[int(s)] for s in row) for row in sketch)
    red, green, blue = (figure[..., i] for i in range(3))
    assert ((green > red + 50) & (green > blue + 20)).sum() > 200  # values
    assert ((red > green + 80) & (red > blue + 80)).sum() > 200  # gradients


def test_in_a_notebook(browser, drawings):
    """In a frame it works as alone, but leaves the wheel to the page around it, until it is asked for."""
    frame = drawings["neuron"]._repr_html_()
    browser.open(f"<!doctype html><body data-ready='true' style='height: 3000px'>{frame}</body>", width=900)
    frame = browser.find("iframe")
    browser.until("args[0].contentDocument.body?.dataset.ready === 'true'", frame)
    browser.driver.switch_to.frame(frame)
    try:
        steps = walk(browser)
        assert len(steps) == 18
        wheel = """const at = () => document.getElementById('viewport').transform.baseVal.consolidate().matrix.a;
        const before = at(); const event = new WheelEvent('wheel', {deltaY: -200, clientX: 9, clientY: 9, bubbles: true,
          cancelable: true, ctrlKey: arguments[0]});
        document.getElementById('graph').dispatchEvent(event);
        return [at() === before, event.defaultPrevented];"""
        assert browser.run(wheel, False) == [True, False]
        assert browser.run(wheel, True) == [False, True]
    finally:
        browser.driver.switch_to.default_content()
    assert browser.errors() == []


@pytest.mark.parametrize("name", ["neuron", "two layers"])
@pytest.mark.parametrize("width", [360, 800])
def test_a_telephone(name, width, browser, drawings):
    """No sideways scrolling, at any step; buttons that a finger can hit; the step that is shown is in sight."""
    browser.open(drawings[name].html(), width=width, height=740)
    widest = "return [document.documentElement.scrollWidth, ...[...document.querySelectorAll('body *')].filter("
    widest += "(e) => !e.closest('svg, .unseen, .scroll')).map((e) => Math.ceil(e.getBoundingClientRect().right))]"
    for _ in range(4):
        assert max(browser.run(widest)) <= width
        browser.click("#previous")
        lit = browser.run(
            "const e = document.querySelector('.lit .shape').getBoundingClientRect(),"
            "f = document.querySelector('.figure').getBoundingClientRect(); return [e.left - f.left, f.right - e.right]"
        )
        assert min(lit) >= 0
    sizes = browser.run(
        "return [...document.querySelectorAll('.controls button')].map((b) => b.getBoundingClientRect().width)"
    )
    assert min(sizes) >= 36
    assert browser.errors() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme, browser, drawings):
    """Every text against what is behind it: 4.5 to 1 at least, as WCAG 2.2 asks (1.4.3)."""
    browser.open(drawings["neuron"].html(), theme=theme)
    browser.click("#previous")
    browser.click("#all summary")
    pairs = browser.run(
        """const seen = new Map();
        const paint = (e) => getComputedStyle(e)[e.closest("svg") ? "fill" : "color"];
        const ground = (e) => {
          const shape = e.classList?.contains("label") && e.parentNode.querySelector(".shape");
          if (shape && getComputedStyle(shape).fill !== "none") return getComputedStyle(shape).fill;
          for (let at = e; at; at = at.parentElement) {
            const c = getComputedStyle(at).backgroundColor;
            if (!/rgba\\(.*, 0\\)|transparent/.test(c)) return c;
          }
          return "rgb(255, 255, 255)";
        };
        for (const e of document.querySelectorAll("body *")) {
          if (![...e.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
          if (e.closest("script, noscript, [hidden], :disabled, option")) continue;
          seen.set(paint(e) + " on " + ground(e.closest("text") ?? e), e.outerHTML.slice(0, 80));
        }
        return [...seen];"""
    )
    assert len(pairs) > 8
    for colours, where in pairs:
        front, back = (tuple(map(float, re.findall(r"[\d.]+", c)[:3])) for c in colours.split(" on "))
        a, b = sorted((luminance(front), luminance(back)))
        assert (b + 0.05) / (a + 0.05) >= 4.5, (colours, where)


def luminance(colour):
    """Relative luminance. Source: WCAG 2.2."""
    parts = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(numpy.dot([0.2126, 0.7152, 0.0722], linear))


def test_names_for_those_who_do_not_see_it(browser, drawings):
    """In the browser's accessibility tree every control has a name, and a step is said once."""
    browser.open(drawings["neuron"].html())
    tree = browser.command("Accessibility.getFullAXTree")["nodes"]
    controls = [n for n in tree if n.get("role", {}).get("value") in ("button", "slider", "spinbutton", "combobox")]
    assert len(controls) >= 13 + 10 + 5
    assert [n for n in controls if not n.get("name", {}).get("value")] == []
    roles = {n.get("role", {}).get("value") for n in tree}
    assert {"main", "heading", "complementary", "slider", "spinbutton"} <= roles
    assert browser.run("return document.documentElement.lang") == "en"
    live = "return [...document.querySelectorAll('[aria-live], output, [role=status]')].map((e) => e.id)"
    assert browser.run(live) == ["live"]
    browser.click("#previous")
    assert browser.text("#live").startswith("Step 16 of 17. Backward: multiply")


def test_motion_only_where_it_is_wanted(browser, drawings):
    names = "return [...document.querySelectorAll('.flow')].map((e) => getComputedStyle(e).animationName)"
    for motion, expected in [("reduce", "none"), ("no-preference", "back")]:
        browser.open(drawings["neuron"].html(), motion=motion)
        browser.click("#previous")
        assert set(browser.run(names)) == {expected}
        browser.click("#first")
        browser.click("#next")
        assert set(browser.run(names)) == {expected.replace("back", "forth")}


def test_two_thousand_operations(browser):
    """Folded, it opens at once; unfolded, everything is there."""

    def f(x, w):
        for _ in range(1000):
            x = gg.tanh(x * w)
        return x

    drawing = gg.draw(f, 0.5, 1.1)
    browser.open(drawing.html())
    assert browser.run("return document.querySelectorAll('.node, .box').length") < 60
    browser.click("#boxes")
    assert browser.run("return document.querySelectorAll('.node').length") == 2002
    browser.click("#first")
    browser.click("#next")
    assert browser.text("#badge").startswith("Step 1 of 40")
    assert browser.errors() == []
