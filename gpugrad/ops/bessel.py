"""Bessel functions, with SciPy's names and argument order.

Their derivatives with respect to the argument are Bessel functions of the neighboring orders, so derivatives of any
order exist. With respect to the order of the function no derivative is known in terms of SciPy's functions: a variable
there raises. Source: NIST Digital Library of Mathematical Functions, chapter 10.

CuPy has the orders 0 and 1, and ``yn``. On a GPU, other functions are composed of these where the order is a Python
integer; other orders raise ``NotImplementedError``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace, special
from ..core import primitive
from .special import as_short

HIGHEST = 16
"""The highest order that is composed from the orders 0 and 1."""


def _series(q: Array, n: int, terms: int) -> Array:
    """The sum over k of ``q^k / (k! (n + k)!)``, times ``2^-n``, by Horner's rule."""
    total: Any = 1.0
    for k in range(terms, 0, -1):
        total = 1 + total * q / (k * (n + k))
    for k in range(1, n + 1):
        total = total / (2 * k)
    return total


def _composed(xp: Namespace, x: Array, n: int, kind: str, over: bool) -> Array:
    """``J_n(x)`` ("j"), ``I_n(x)`` ("i") or ``I_n(x) e^-|x|`` ("ie") for n >= 0; with ``over``, divided by ``x^n``.

    A power series near 0, the recurrence from the orders 0 and 1 elsewhere. The series of J loses few digits up to
    ``n + 1``, from where its recurrence is stable; that of I is precise from about ``n^2 / 2``.
    """
    zero, one = {"j": (j0, j1), "i": (i0, i1), "ie": (i0e, i1e)}[kind]
    sign, reach = (-1, n + 1) if kind == "j" else (1, max(2, n * n // 2))
    near = xp.abs(x) < reach
    inner, outer = xp.where(near, x, 0), xp.where(near, reach, x)
    series = _series(sign * inner * inner / 4, n, 20 + (n if kind == "j" else 3 * reach // 2))
    if kind == "ie":
        series = series * xp.exp(-xp.abs(inner))
    below, above = zero.on(xp, outer), one.on(xp, outer)
    square = outer * outer if over else outer
    above = above / outer if over else above
    for k in range(1, n):
        below, above = (
            above,
            sign * (below - 2 * k * above) / square if over else sign * (below - 2 * k * above / outer),
        )
    return xp.where(near, series if over else series * inner**n, above if n else below)


def _by_order(xp: Namespace, function: Any, v: Any, x: Array, compose: Callable[[int], Array]) -> Array:
    """SciPy's function, or where the array library has none, what ``compose(v)`` makes of an integer order."""
    if function is not None:
        return as_short(xp, function(v, x), v, x)
    if not isinstance(v, int) or abs(v) > HIGHEST or x.dtype.kind == "c":
        raise NotImplementedError(
            f"CuPy has no such function; on a GPU the order must be a Python integer between -{HIGHEST} and {HIGHEST}, "
            f"and the argument real; for other orders compute on the CPU, with x.to('cpu')"
        )
    return as_short(xp, compose(v), x)


def _parity(n: int) -> int:
    """``J_-n`` and ``Y_-n`` are ``(-1)^n`` times ``J_n`` and ``Y_n``."""
    return -1 if n < 0 and n % 2 else 1


def _upward(xp: Namespace, n: int, x: Array, zero: Array, one: Array) -> Array:
    """``K_n`` from ``K_0`` and ``K_1``, scaled or not."""
    below, above = zero, one
    for k in range(1, n):
        below, above = above, below + 2 * k * above / x
    return above if n else below


# ---------------------------------------------------------------- orders 0 and 1


@primitive(batch="elementwise")
def j0(xp: Namespace, x: Array, /) -> Array:
    """The Bessel function of the first kind and order 0; derivative ``-j1(x)``.

    >>> import gpugrad as gg
    >>> gg.special.j0(gg.tensor([0.0, 1.0]))
    tensor([1.       , 0.7651977])
    """
    return as_short(xp, special(xp).j0(x), x)


@primitive(batch="elementwise")
def j1(xp: Namespace, x: Array, /) -> Array:
    """The Bessel function of the first kind and order 1; derivative ``j0(x) - j1(x) / x``, 1/2 at 0.

    >>> import gpugrad as gg
    >>> gg.special.j1(gg.tensor([0.0, 1.0]))
    tensor([0.        , 0.44005057])
    """
    return as_short(xp, special(xp).j1(x), x)


@primitive(batch="elementwise")
def y0(xp: Namespace, x: Array, /) -> Array:
    """The Bessel function of the second kind and order 0, for x > 0; ``-inf`` at 0; derivative ``-y1(x)``.

    >>> import gpugrad as gg
    >>> gg.special.y0(gg.tensor([1.0, 2.0]))
    tensor([0.08825697, 0.51037568])
    """
    return as_short(xp, special(xp).y0(x), x)


@primitive(batch="elementwise")
def y1(xp: Namespace, x: Array, /) -> Array:
    """The Bessel function of the second kind and order 1, for x > 0; derivative ``y0(x) - y1(x) / x``.

    >>> import gpugrad as gg
    >>> gg.special.y1(gg.tensor([1.0, 2.0]))
    tensor([-0.78121282, -0.10703243])
    """
    return as_short(xp, special(xp).y1(x), x)


@primitive(batch="elementwise")
def i0(xp: Namespace, x: Array, /) -> Array:
    """The modified Bessel function of the first kind and order 0; derivative ``i1(x)``.

    >>> import gpugrad as gg
    >>> gg.special.i0(gg.tensor([0.0, 1.0]))
    tensor([1.       , 1.2660658])
    """
    return as_short(xp, special(xp).i0(x), x)


@primitive(batch="elementwise")
def i1(xp: Namespace, x: Array, /) -> Array:
    """The modified Bessel function of the first kind and order 1; derivative ``i0(x) - i1(x) / x``, 1/2 at 0.

    >>> import gpugrad as gg
    >>> gg.special.i1(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.5651591])
    """
    return as_short(xp, special(xp).i1(x), x)


@primitive(batch="elementwise")
def i0e(xp: Namespace, x: Array, /) -> Array:
    """``i0(x) e^-|x|``, without overflow; derivative ``i1e(x) - sign(x) i0e(x)``, 0 at the kink at 0.

    >>> import gpugrad as gg
    >>> gg.special.i0e(gg.tensor([0.0, 1000.0]))
    tensor([1.        , 0.01261724])
    """
    return as_short(xp, special(xp).i0e(x), x)


@primitive(batch="elementwise")
def i1e(xp: Namespace, x: Array, /) -> Array:
    """``i1(x) e^-|x|``, without overflow; derivative ``i0e(x) - i1e(x) / x - sign(x) i1e(x)``, 1/2 at 0.

    >>> import gpugrad as gg
    >>> gg.special.i1e(gg.tensor([0.0, 1000.0]))
    tensor([0.        , 0.01261093])
    """
    return as_short(xp, special(xp).i1e(x), x)


@primitive(batch="elementwise")
def k0(xp: Namespace, x: Array, /) -> Array:
    """The modified Bessel function of the second kind and order 0, for x > 0; derivative ``-k1(x)``.

    >>> import gpugrad as gg
    >>> gg.special.k0(gg.tensor([1.0, 2.0]))
    tensor([0.42102443, 0.11389387])
    """
    return as_short(xp, special(xp).k0(x), x)


@primitive(batch="elementwise")
def k1(xp: Namespace, x: Array, /) -> Array:
    """The modified Bessel function of the second kind and order 1, for x > 0; derivative ``-k0(x) - k1(x) / x``.

    >>> import gpugrad as gg
    >>> gg.special.k1(gg.tensor([1.0, 2.0]))
    tensor([0.6019072 , 0.13986588])
    """
    return as_short(xp, special(xp).k1(x), x)


@primitive(batch="elementwise")
def k0e(xp: Namespace, x: Array, /) -> Array:
    """``k0(x) e^x``, without underflow; derivative ``k0e(x) - k1e(x)``.

    >>> import gpugrad as gg
    >>> gg.special.k0e(gg.tensor([1.0, 1000.0]))
    tensor([1.1444631 , 0.03962832])
    """
    return as_short(xp, special(xp).k0e(x), x)


@primitive(batch="elementwise")
def k1e(xp: Namespace, x: Array, /) -> Array:
    """``k1(x) e^x``, without underflow; derivative ``k1e(x) - k0e(x) - k1e(x) / x``.

    >>> import gpugrad as gg
    >>> gg.special.k1e(gg.tensor([1.0, 1000.0]))
    tensor([1.6361535 , 0.03964813])
    """
    return as_short(xp, special(xp).k1e(x), x)


@primitive(batch="elementwise")
def _over_power(xp: Namespace, x: Array, /, n: int, kind: str) -> Array:
    """``J_n(x) / x^n`` ("j"), ``I_n(x) / x^n`` ("i"), or the latter times ``e^-|x|`` ("ie").

    The first two are even and smooth at 0, and their derivatives are ``-x`` and ``x`` times the next one: so the
    functions above have exact derivatives of any order at and near 0.
    """
    return as_short(xp, _composed(xp, x, n, kind, over=True), x)


def _over_power_x(xp: Namespace, g: Array, x: Array, y: Array, n: int, kind: str) -> Array:
    following = x * _over_power.on(xp, x, n=n + 1, kind=kind)
    return g * (-following if kind == "j" else following - xp.sign(x) * y if kind == "ie" else following)


_over_power.vjp(x=_over_power_x)
j0.vjp(x=lambda xp, g, x: -g * j1.on(xp, x))
j1.vjp(x=lambda xp, g, x: g * (j0.on(xp, x) - _over_power.on(xp, x, n=1, kind="j")))
y0.vjp(x=lambda xp, g, x: -g * y1.on(xp, x))
y1.vjp(x=lambda xp, g, x, y: g * (y0.on(xp, x) - y / x))
i0.vjp(x=lambda xp, g, x: g * i1.on(xp, x))
i1.vjp(x=lambda xp, g, x: g * (i0.on(xp, x) - _over_power.on(xp, x, n=1, kind="i")))
i0e.vjp(x=lambda xp, g, x, y: g * (i1e.on(xp, x) - xp.sign(x) * y))
i1e.vjp(x=lambda xp, g, x, y: g * (i0e.on(xp, x) - _over_power.on(xp, x, n=1, kind="ie") - xp.sign(x) * y))
k0.vjp(x=lambda xp, g, x: -g * k1.on(xp, x))
k1.vjp(x=lambda xp, g, x, y: -g * (k0.on(xp, x) + y / x))
k0e.vjp(x=lambda xp, g, x, y: g * (y - k1e.on(xp, x)))
k1e.vjp(x=lambda xp, g, x, y: g * (y - k0e.on(xp, x) - y / x))


# ---------------------------------------------------------------- any order


@primitive(batch="elementwise")
def jv(xp: Namespace, v: Array, z: Array, /) -> Array:
    """The Bessel function of the first kind; derivative ``(J_{v-1}(z) - J_{v+1}(z)) / 2``. ``jn`` is another name.

    The order ``v`` is a real constant; ``z`` is real or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError: ``v`` is a variable.
        NotImplementedError: on a GPU, an order that is not a Python integer between -16 and 16, or a complex ``z``.

    >>> import gpugrad as gg
    >>> gg.special.jv(2, gg.tensor([1.0, 2.0]))
    tensor([0.11490349, 0.35283402])
    """
    return _by_order(
        xp, getattr(special(xp), "jv", None), v, z, lambda n: _parity(n) * _composed(xp, z, abs(n), "j", over=False)
    )


@primitive(batch="elementwise")
def yv(xp: Namespace, v: Array, z: Array, /) -> Array:
    """The Bessel function of the second kind; derivative ``(Y_{v-1}(z) - Y_{v+1}(z)) / 2``.

    The order ``v`` is a real constant; ``z`` is positive or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError, NotImplementedError: as for :func:`jv`.

    >>> import gpugrad as gg
    >>> gg.special.yv(0.5, gg.tensor([1.0, 2.0]))
    tensor([-0.43109885,  0.23478572])
    """
    return _by_order(xp, getattr(special(xp), "yv", None), v, z, lambda n: _parity(n) * special(xp).yn(abs(n), z))


@primitive(batch="elementwise")
def yn(xp: Namespace, n: Array, x: Array, /) -> Array:
    """The Bessel function of the second kind and integer order; derivative ``(Y_{n-1}(x) - Y_{n+1}(x)) / 2``.

    ``n`` are integers, a constant; ``x`` is positive and broadcasts with it.

    >>> import gpugrad as gg
    >>> gg.special.yn(2, gg.tensor([1.0, 2.0]))
    tensor([-1.6506826 , -0.61740811])
    """
    return as_short(xp, special(xp).yn(n, x), x)


@primitive(batch="elementwise")
def iv(xp: Namespace, v: Array, z: Array, /) -> Array:
    """The modified Bessel function of the first kind; derivative ``(I_{v-1}(z) + I_{v+1}(z)) / 2``.

    The order ``v`` is a real constant; ``z`` is real or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError, NotImplementedError: as for :func:`jv`.

    >>> import gpugrad as gg
    >>> gg.special.iv(2, gg.tensor([1.0, 2.0]))
    tensor([0.13574767, 0.68894845])
    """
    return _by_order(xp, getattr(special(xp), "iv", None), v, z, lambda n: _composed(xp, z, abs(n), "i", over=False))


@primitive(batch="elementwise")
def ive(xp: Namespace, v: Array, z: Array, /) -> Array:
    """``iv(v, z) e^-|re z|``, without overflow; derivative ``(ive(v-1, z) + ive(v+1, z)) / 2 - sign(z) ive(v, z)``.

    The order ``v`` is a real constant; ``z`` is real or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError, NotImplementedError: as for :func:`jv`.

    >>> import gpugrad as gg
    >>> gg.special.ive(2, gg.tensor([1.0, 1000.0]))
    tensor([0.04993878, 0.01259202])
    """
    return _by_order(xp, getattr(special(xp), "ive", None), v, z, lambda n: _composed(xp, z, abs(n), "ie", over=False))


@primitive(batch="elementwise")
def kv(xp: Namespace, v: Array, z: Array, /) -> Array:
    """The modified Bessel function of the second kind; derivative ``-(K_{v-1}(z) + K_{v+1}(z)) / 2``.

    The order ``v`` is a real constant; ``z`` is positive or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError, NotImplementedError: as for :func:`jv`.

    >>> import gpugrad as gg
    >>> gg.special.kv(0.5, gg.tensor([1.0, 2.0]))
    tensor([0.46106851, 0.11993777])
    """
    return _by_order(
        xp,
        getattr(special(xp), "kv", None),
        v,
        z,
        lambda n: _upward(xp, abs(n), z, special(xp).k0(z), special(xp).k1(z)),
    )


@primitive(batch="elementwise")
def kve(xp: Namespace, v: Array, z: Array, /) -> Array:
    """``kv(v, z) e^z``, without underflow; derivative ``kve(v, z) - (kve(v-1, z) + kve(v+1, z)) / 2``.

    The order ``v`` is a real constant; ``z`` is positive or complex and broadcasts with it.
    On a GPU ``v`` is a Python integer and ``z`` real.

    Raises:
        GradientError, NotImplementedError: as for :func:`jv`.

    >>> import gpugrad as gg
    >>> gg.special.kve(0.5, gg.tensor([1.0, 1000.0]))
    tensor([1.2533141 , 0.03963327])
    """
    return _by_order(
        xp,
        getattr(special(xp), "kve", None),
        v,
        z,
        lambda n: _upward(xp, abs(n), z, special(xp).k0e(z), special(xp).k1e(z)),
    )


jn = jv
"""SciPy's other name of :func:`jv`."""


def kn(n: Array, x: Array, /) -> Array:
    """:func:`kv` of integer order.

    >>> import gpugrad as gg
    >>> gg.special.kn(2, gg.tensor([1.0, 2.0]))
    tensor([1.6248389 , 0.25375975])
    """
    return kv(n, x)


def _ive_z(xp: Namespace, g: Array, v: Array, z: Array, y: Array) -> Array:
    """``|re z|`` is no holomorphic function: its part of the gradient is real."""
    slope = (ive.on(xp, v - 1, z) + ive.on(xp, v + 1, z)) / 2
    if z.dtype.kind == "c":
        return g * slope - xp.sign(xp.real(z)) * xp.real(g * y)
    return g * (slope - xp.sign(z) * y)


jv.vjp(z=lambda xp, g, v, z: g * (jv.on(xp, v - 1, z) - jv.on(xp, v + 1, z)) / 2)
yv.vjp(z=lambda xp, g, v, z: g * (yv.on(xp, v - 1, z) - yv.on(xp, v + 1, z)) / 2)
yn.vjp(x=lambda xp, g, n, x: g * (yn.on(xp, n - 1, x) - yn.on(xp, n + 1, x)) / 2)
iv.vjp(z=lambda xp, g, v, z: g * (iv.on(xp, v - 1, z) + iv.on(xp, v + 1, z)) / 2)
ive.vjp(z=_ive_z)
kv.vjp(z=lambda xp, g, v, z: -g * (kv.on(xp, v - 1, z) + kv.on(xp, v + 1, z)) / 2)
kve.vjp(z=lambda xp, g, v, z, y: g * (y - (kve.on(xp, v - 1, z) + kve.on(xp, v + 1, z)) / 2))

for _function, _order in ((jv, "v"), (yv, "v"), (yn, "n"), (iv, "v"), (ive, "v"), (kv, "v"), (kve, "v")):
    _function.op.undefined[_order] = (
        "the derivative with respect to the order is not known in terms of SciPy's functions"
    )
