"""The graphs that the page is tested with, and what tests read from it and do to it."""

from __future__ import annotations

import re

import numpy

import gpugrad as gg
from gpugrad import nn

EMPTY = {"title": "", "nodes": [], "edges": [], "groups": [], "output": 0, "formulas": None}


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


def drawings():
    """Four graphs, drawn."""
    model, x = two_layers()
    return {
        "neuron": gg.draw(neuron, *NEURON, title="The sigmoid neuron"),
        "branching": gg.draw(branching, 3.0, -4.0, title="Branches"),
        "recurrent": gg.draw(recurrent, *RECURRENT, title="Unrolled in time"),
        "two layers": gg.draw(model, x, title="Two layers"),
    }


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


PUT = """for (const [id, x] of Object.entries(arguments[0])) {
  const input = document.getElementById("leaf-" + id); input.value = x; input.dispatchEvent(new Event("input"));
}"""


def walk(browser):
    """What is shown at every step, from the start to the end, stepping with the button."""
    return browser.run(
        f"""const read = () => {{ {READ} }}; const click = (id) => document.getElementById(id).click();
        click("first"); const seen = [read()];
        while (!document.getElementById("next").disabled) {{ click("next"); seen.push(read()); }}
        return seen;"""
    )


def position(browser):
    return int(browser.run("return document.getElementById('slider').value"))


def wanted(found):
    """The text of a preview as the page shows it."""
    return "" if found is None else re.sub(r"-0\.00(?!\d)", "0.00", found.text)
