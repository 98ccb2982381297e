"""The step length along a direction: a bracket that is made wider, then smaller, by cubic interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..backend import Array

ENOUGH = 1e-4
"""The part of the decrease that the slope promises which a step has to give (Armijo's condition)."""

FLAT = 0.9
"""The part of the first slope below which the slope at the end of a step has to be (the condition on curvature)."""


class Point(NamedTuple):
    """The loss at a step length, its slope along the direction, and its gradient."""

    t: float
    value: float
    slope: float
    gradient: Array


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, size: float, tolerance: float, most: int
) -> Point:  # fmt: skip
    """A step length that fulfils the strong Wolfe conditions, or the best one seen.

    Args:
        at: computes the loss at a step length.
        start: the loss at 0.
        t: the first length to try.
        size: the largest change along the direction, for a length of 1.
        tolerance: a bracket whose ends are this close is not made smaller.
        most: number of lengths to try after the first.

    Source: Nocedal and Wright 2006, algorithms 3.5 and 3.6; the details are those of minFunc, which PyTorch follows.
    """
    low, high, tried, found = _bracket(at, start, t, most)
    if found:
        return low
    ends = [low, high]  # the order in which they were found, which the interpolation depends on in its last digits
    stuck = False
    best = 0 if ends[0].value <= ends[1].value else 1
    while tried < most and abs(ends[1].t - ends[0].t) * size >= tolerance:
        inside, stuck = _inside(_cubic(ends[0], ends[1]), ends, stuck)
        point = at(inside)
        tried += 1
        if _too_high(point, start) or point.value >= ends[best].value:
            ends[1 - best] = point
            best = 0 if ends[0].value <= ends[1].value else 1
            continue
        if abs(point.slope) <= -FLAT * start.slope:
            return point
        if point.slope * (ends[1 - best].t - ends[best].t) >= 0:
            ends[1 - best] = ends[best]
        ends[best] = point
    return ends[best]


def _too_high(point: Point, start: Point) -> bool:
    return point.value > start.value + ENOUGH * point.t * start.slope


def _bracket(at: Callable[[float], Point], start: Point, t: float, most: int) -> tuple[Point, Point, int, bool]:
    """Two lengths with an acceptable one between them; or an acceptable one, and True. And how many were tried."""
    before, point = start, at(t)
    tried = 0
    while tried < most:
        if _too_high(point, start) or (tried > 1 and point.value >= before.value):
            return before, point, tried, False
        if abs(point.slope) <= -FLAT * start.slope:
            return point, point, tried, True
        if point.slope >= 0:
            return before, point, tried, False
        step = point.t - before.t
        t = _cubic(before, point, (point.t + 0.01 * step, point.t * 10))
        before, point = point, at(t)
        tried += 1
    return start, point, tried, False


def _inside(t: float, ends: list[Point], stuck: bool) -> tuple[float, bool]:
    """A length that is not too close to an end of the bracket twice in a row, and whether it is close."""
    least, largest = sorted(end.t for end in ends)
    margin = 0.1 * (largest - least)
    if min(largest - t, t - least) >= margin:
        return t, False
    if not stuck and least < t < largest:
        return t, True
    return (largest - margin if abs(t - largest) < abs(t - least) else least + margin), False


def _cubic(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is smallest, within bounds; their middle if nowhere."""
    a, b = (a, b) if a.t <= b.t else (b, a)
    least, largest = bounds or (a.t, b.t)
    mean = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t) if a.t != b.t else math.nan
    square = mean * mean - a.slope * b.slope
    if not square >= 0:
        return (least + largest) / 2
    root = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * root
    t = b.t - (b.t - a.t) * ((b.slope + root - mean) / divisor) if divisor else math.nan
    return min(max(t, least), largest)
