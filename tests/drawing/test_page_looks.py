"""What the page looks like: places, colours, contrast, telephones, and what a screen reader is told."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy
import pytest
from pages import walk

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("on_the_host")


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
    if drawings[name].picture.groups and browser.text("#boxes") == "Open all":  # on a telephone they are folded
        browser.click("#boxes")
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


@pytest.mark.parametrize("width", [390, 1280])
def test_wide_graphs_in_the_docs_scroll_by_themselves(width, browser):
    docs = Path(__file__).parents[2] / "docs"
    pictures = {name: docs / "pictures" / "lectures" / f"{name}.svg" for name in ("recurrent_unrolled", "branches")}
    browser.open(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        f"<style>.md-typeset img {{ max-width: 100%; height: auto }} {(docs / 'style.css').read_text()}</style>"
        '<body class="md-typeset" data-ready="true">'
        + "".join(f'<p id="{name}"><a><img src="data:image/svg+xml;base64,'
                  f'{base64.b64encode(path.read_bytes()).decode()}#.svg"></a></p>' for name, path in pictures.items()),
        width=width,
    )  # fmt: skip
    seen = "const p = document.getElementById(arguments[0]); return [p.scrollWidth, p.clientWidth]"
    scrolls, visible = browser.run(seen, "recurrent_unrolled")
    assert scrolls > 1.5 * visible, "its numbers can be read"
    assert browser.run("return document.documentElement.scrollWidth") <= width
    scrolls, visible = browser.run(seen, "branches")
    assert scrolls == visible


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
