"""No program loses a gradient silently: the gradient is right, or an error names where a constant would appear."""

import array
import ast
import asyncio
import bisect
import cmath
import collections
import colorsys
import contextvars
import copy
import csv
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import heapq
import importlib
import io
import itertools
import json
import marshal
import math
import numbers
import operator
import pickle
import random
import statistics
import string
import struct
import time
import types
import warnings
import weakref

import numpy
import pytest
from cases import constants

import gpugrad as gg

MODULES = [
    array, ast, asyncio, bisect, cmath, collections, colorsys, contextvars, copy, csv, ctypes, dataclasses, datetime,
    decimal, enum, fractions, functools, heapq, io, itertools, json, marshal, math, numbers, operator, pickle, random,
    statistics, string, struct, time, types, weakref,
]  # fmt: skip
SCIPY = [
    "constants",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "spatial",
    "special",
    "stats",
]
X = numpy.array([0.7, 1.3])
STEP = 1e-6


@dataclasses.dataclass
class Point:
    x: object
    y: object


async def later(x):
    return x * 2


NAMES = {module.__name__: module for module in MODULES} | {"np": numpy, "Point": Point, "later": later}


def program(row, names):
    """The function of ``v`` in a row; ``t u`` is added, so that no result is a constant."""
    *statements, value = row.split("; ")
    body = compile("\n".join(statements), row, "exec")
    value = compile(value, row, "eval")

    def f(v):
        scope = {**names, "v": v, "t": v[0], "u": v[1]}
        exec(body, scope)
        y = eval(value, scope)
        return (y.sum() if isinstance(y, gg.Tensor) else numpy.sum(y)) + v[0] * v[1]

    return f


def differences(f):
    """The gradient of a program on plain arrays; None where a library is too old or too new for it."""
    try:
        with gg.default_device("cpu"):
            ends = [[float(f(X + sign * STEP * unit)) for sign in (1, -1)] for unit in numpy.eye(2)]
    except Exception:
        return None
    return numpy.array([(high - low) / (2 * STEP) for high, low in ends])


@pytest.mark.parametrize("group", ["NUMPY", "STANDARD", "SCIPY", "PANDAS", "GPUGRAD"])
def test_a_variable_does_not_become_a_constant(group, device):
    names = NAMES | {"gg": gg, "F": gg.nn.functional}
    if group == "SCIPY":
        names |= {name: importlib.import_module(f"scipy.{name}") for name in SCIPY}
        importlib.import_module("scipy.sparse.linalg")
        importlib.import_module("scipy.spatial.transform")
    if group == "PANDAS":
        names["pd"] = pytest.importorskip("pandas")
    rows = getattr(constants, group).strip().split("\n")
    silent, refused, unknown = [], [], []
    for row in rows:
        f = program(row.lstrip("!"), names)
        with warnings.catch_warnings(), gg.default_dtype(gg.float64):
            warnings.simplefilter("ignore")
            expected = differences(f)
            if expected is None:
                unknown.append(row)
                continue
            try:
                found = gg.grad(f)(X if device.is_host else gg.tensor(X, device=device))
            except Exception as error:
                if row.startswith("!") and device.is_host:
                    refused.append(f"{row}: {type(error).__name__}: {error}")
                continue
        if not numpy.allclose(gg.asarray(found).numpy(), expected, rtol=1e-4, atol=1e-5):
            silent.append(f"{row}: {found} for {expected}")
    assert silent == []
    assert refused == []
    assert len(unknown) < 0.1 * len(rows), unknown


def test_there_are_enough_ways():
    assert len([*constants.NUMPY.split("\n"), *constants.STANDARD.split("\n"), *constants.SCIPY.split("\n")]) > 600
