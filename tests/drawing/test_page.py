"""The page in a real browser: what it shows, at every step, against the engine's numbers."""

from __future__ import annotations

import json
import math
import re

import numpy
import pytest
from browser import plain
from pages import EMPTY, PUT, READ, two_layers, walk, wanted

import gpugrad as gg
from gpugrad.drawing.page import SCRIPTS, page, part
from gpugrad.drawing.preview import preview, short
from gpugrad.expressions.javascript import JAVASCRIPT

pytestmark = pytest.mark.usefixtures("on_the_host")


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
    for (name, operands), text, right in zip(calls, found, expected, strict=True):
        got = float(text.replace("Infinity", "inf"))
        assert numpy.isclose(got, right, rtol=1e-12, atol=1e-15, equal_nan=True), (name, operands, got, right)


# -------------------------------------------------------------------- stepping


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
