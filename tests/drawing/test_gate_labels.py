"""What gates are called, and what is said of them."""

from __future__ import annotations

import pytest

import gpugrad as gg
from gpugrad.core import OPERATIONS
from gpugrad.drawing.gates import GATES, gate, label, word

ELSEWHERE = {"output", "backward hooks", "checkpoint"}
"""Nodes that no declared operation makes."""


def test_every_row_is_of_an_operation():
    known = {op.op.name for name, op in OPERATIONS.items() if name.startswith("gpugrad.")}
    assert GATES.keys() - known == ELSEWHERE


def test_the_lectures_words():
    assert {op: gate(op).gate for op in ("add", "maximum", "max", "multiply", "broadcast_to", "exp")} == {
        "add": "distributor", "maximum": "router", "max": "router", "multiply": "switcher", "broadcast_to": "copy",
        "exp": None,
    }  # fmt: skip
    assert gate("unheard_of").label == "unheard_of"
    assert gate("unheard_of").says == "multiplies its gradient by the local derivative of unheard_of"


@pytest.mark.parametrize(
    ("op", "numbers", "operands", "text"),
    [
        ("add", {}, 2, "+"), ("add", {1: 1.0}, 2, "+1"), ("add", {0: 2.5}, 2, "+2.5"), ("add", {1: -3.0}, 2, "−3"),
        ("subtract", {1: 1.0}, 2, "−1"), ("subtract", {0: 1.0}, 2, "1−"), ("subtract", {1: -1.0}, 2, "+1"),
        ("multiply", {1: -1.0}, 2, "×−1"), ("multiply", {0: "…"}, 2, "×…"),
        ("divide", {0: 1}, 2, "1/x"), ("divide", {1: 5.0}, 2, "÷5"),
        ("pow", {1: 2}, 2, "x²"), ("pow", {1: 0.5}, 2, "√x"), ("pow", {1: 7}, 2, "x^7"), ("pow", {0: 2}, 2, "2^x"),
        ("maximum", {1: 0.0}, 2, "max(x, 0)"), ("maximum", {0: 0.0}, 2, "max(0, x)"), ("maximum", {}, 2, "max"),
        ("where", {2: 0.0}, 3, "where(x, x, 0)"), ("exp", {}, 1, "exp"), ("logaddexp", {1: 1.0}, 2, "logaddexp(x, 1)"),
    ],
)  # fmt: skip
def test_labels(op, numbers, operands, text):
    assert label(op, numbers, operands) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (-0.5, "−0.5"), (1 / 3, "0.333"), (1e-9, "1e−09"), (True, "1"), ("nan", "nan"), ("-inf", "-inf")],
)
def test_numbers_in_gates(number, text):
    assert word(number) == text


def test_a_distributor_a_router_and_a_switcher_do_what_is_said():
    x, y = gg.tensor(3.0, requires_grad=True), gg.tensor(5.0, requires_grad=True)
    for f, expected in (
        (lambda: (x + y) * 7, [7, 7]), (lambda: gg.maximum(x, y) * 7, [0, 7]), (lambda: x * y * 7, [35, 21])
    ):  # fmt: skip
        z = f()
        assert [n.gradient.number for n in gg.draw(z).picture.nodes if n.kind == "leaf"] == expected
