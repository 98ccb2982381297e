"""Polynomials, their coefficients in one vector with the highest power first.

Source: NumPy. Values and coefficients are differentiable; how many coefficients there are, and which of them are 0, is
looked at on the host.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import Array
from ..core import Tensor
from . import linear, reduction, solving
from .arithmetic import divide
from .axes import ravel
from .beside import beside
from .creation import asarray, astype, eye, zeros
from .eigenvalues import eigvals
from .functions import sqrt
from .inspection import finfo, result_type
from .nested import together
from .shaping import broadcast_to, concat, expand_dims, reshape
from .shorthand import vander
from .signal import convolve


def _coefficients(name: str, *values: Any) -> list[Tensor]:
    """Each as a vector; a number is one coefficient."""
    found = [asarray(v) for v in together(name, *values)]
    found = [reshape(v, (1,)) if not v.ndim else v for v in found]
    for v in found:
        if v.ndim != 1:
            raise ValueError(f"{name}: expected coefficients of shape (n,), got shape {v.shape}")
    return found


def polyval(p: Array, x: Array) -> Array:
    """The polynomial ``p_0 x^(n-1) + ... + p_(n-1)`` at ``x``, by Horner's rule; differentiable in both.

    Args:
        p: shape ``(n,)``, the highest power first.
        x: shape ``(...)``.

    >>> import gpugrad as gg
    >>> gg.polyval(gg.tensor([1.0, 0.0, -1.0]), gg.tensor([2.0, 3.0]))
    tensor([3., 8.])
    """
    coefficients, at = map(asarray, together("polyval", p, x))
    (coefficients,) = _coefficients("polyval", coefficients)
    if not coefficients.size:
        return at * 0
    y = broadcast_to(coefficients[0], at.shape)
    if coefficients.size == 1:
        return astype(y, result_type(coefficients, at), copy=False)
    for i in range(1, coefficients.size):
        y = y * at + coefficients[i]
    return y


# ---------------------------------------------------------------- arithmetic


def polyadd(a1: Array, a2: Array) -> Array:
    """The sum of two polynomials.

    >>> import gpugrad as gg
    >>> gg.polyadd(gg.tensor([1.0, 2.0]), gg.tensor([9.0, 5.0, 4.0]))
    tensor([9., 6., 6.])
    """
    p, q = _filled(*_coefficients("polyadd", a1, a2))
    return p + q


def polysub(a1: Array, a2: Array) -> Array:
    """The difference of two polynomials.

    >>> import gpugrad as gg
    >>> gg.polysub(gg.tensor([1.0, 2.0]), gg.tensor([9.0, 5.0, 4.0]))
    tensor([-9., -4., -2.])
    """
    p, q = _filled(*_coefficients("polysub", a1, a2))
    return p - q


def _filled(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Both with as many coefficients, zeros in front."""
    n = max(p.size, q.size)
    return _front(p, n - p.size), _front(q, n - q.size)


def _front(p: Tensor, count: int) -> Tensor:
    return concat([zeros(count, dtype=p.dtype, device=p.device), p]) if count else p


def polymul(a1: Array, a2: Array) -> Array:
    """The product of two polynomials.

    >>> import gpugrad as gg
    >>> gg.polymul(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 3.0]))
    tensor([1., 5., 6.])
    """
    p, q = map(_trimmed, _coefficients("polymul", a1, a2))
    return convolve(p, q)


def _trimmed(p: Tensor) -> Tensor:
    """Without zeros in front, but for one coefficient."""
    first = next((i for i, zero in enumerate((p.detach() == 0).tolist()) if not zero), p.size - 1)
    return p[first:] if first > 0 else p


def polydiv(u: Array, v: Array) -> tuple[Array, Array]:
    """Quotient and remainder of two polynomials.

    Raises:
        ZeroDivisionError: the divisor is 0.

    >>> import gpugrad as gg
    >>> gg.polydiv(gg.tensor([3.0, 5.0, 2.0]), gg.tensor([2.0, 1.0]))
    (tensor([1.5 , 1.75]), tensor([0.25]))
    """
    p, q = _coefficients("polydiv", u, v)
    q = _trimmed(q)
    if not q.size or not q[0].item():
        raise ZeroDivisionError("polydiv: the divisor is 0")
    wide = result_type(p, q, 1.0)
    rest, q, steps = astype(p, wide), astype(q, wide), p.size - q.size + 1
    found = []
    for k in range(max(steps, 0)):
        d = rest[k] / q[0]
        found.append(d)
        rest = rest - concat([zeros(k, dtype=wide, device=p.device), d * q,
                              zeros(p.size - k - q.size, dtype=wide, device=p.device)])  # fmt: skip
    quotient = concat([expand_dims(d, 0) for d in found]) if found else zeros(1, dtype=wide, device=p.device)
    values = rest.detach().tolist()
    first = next((i for i, r in enumerate(values) if abs(r) > 1e-8), p.size - 1)
    return quotient, rest[first:]


def polyder(p: Array, m: int = 1) -> Array:
    """The m-th derivative of a polynomial.

    Raises:
        ValueError: m is negative.

    >>> import gpugrad as gg
    >>> gg.polyder(gg.tensor([1.0, 1.0, 1.0]))
    tensor([2., 1.])
    """
    if m < 0:
        raise ValueError(f"polyder: expected m >= 0, got {m}")
    (c,) = _coefficients("polyder", p)
    for _ in range(m):
        c = c[:-1] * beside([*range(c.size - 1, 0, -1)], c, c.dtype)
    return c


def polyint(p: Array, m: int = 1, k: Any = None) -> Array:
    """The m-th integral of a polynomial.

    Args:
        p: shape ``(n,)``.
        m: how often.
        k: the constants of integration, one for all or one for each, that of the highest power first; None for 0.

    Raises:
        ValueError: m is negative, or not as many constants.

    >>> import gpugrad as gg
    >>> gg.polyint(gg.tensor([2.0, 1.0]), k=3.0)
    tensor([1., 1., 3.])
    """
    if m < 0:
        raise ValueError(f"polyint: expected m >= 0, got {m}")
    (c,) = _coefficients("polyint", p)
    c = c if c.dtype.kind in "fc" else astype(c, backend.dtypes.float64)
    constants = ravel(beside(0.0 if k is None else k, c, None if isinstance(k, Tensor) else c.dtype))
    if constants.size not in (1, m):
        raise ValueError(f"polyint: expected one constant or {m}, got {constants.size}")
    for i in range(m):
        one = constants[i if constants.size > 1 else 0]
        c = concat([c / beside([*range(c.size, 0, -1)], c, c.dtype), expand_dims(one, 0)])
    return c


# ---------------------------------------------------------------- roots


def poly(roots: Array) -> Array:
    """The coefficients of the polynomial with these roots, or the characteristic polynomial of a matrix.

    Args:
        roots: shape ``(n,)`` or ``(n, n)``.

    >>> import gpugrad as gg
    >>> gg.poly(gg.tensor([1.0, 2.0]))
    tensor([ 1., -3.,  2.])
    """
    t = asarray(roots)
    if t.ndim == 2:
        t = eigvals(t)
    t = t if t.dtype.kind in "fc" else astype(t, backend.dtypes.float64)
    y = asarray([1.0], dtype=t.dtype, device=t.device)
    for i in range(t.size):
        y = concat([y, zeros(1, dtype=t.dtype, device=t.device)]) - concat(
            [zeros(1, dtype=t.dtype, device=t.device), y * t[i]]
        )
    return y


def roots(p: Array) -> Array:
    """The roots of a polynomial, complex: the eigenvalues of its companion matrix.

    Zeros in front and at the end, which the host looks for, are no part of that matrix. Equal roots have no gradient.

    >>> import gpugrad as gg
    >>> gg.roots(gg.tensor([1.0, -3.0, 2.0]))
    tensor([2.+0.j, 1.+0.j], dtype=complex64)
    """
    (c,) = _coefficients("roots", p)
    c = _trimmed(c)
    c = c if c.dtype.kind in "fc" else astype(c, backend.dtypes.float64)
    there = [i for i, zero in enumerate((c.detach() == 0).tolist()) if not zero]
    wide = result_type(c, 1j)
    if not there:
        return zeros(0, dtype=wide, device=c.device)
    zero_roots = c.size - 1 - there[-1]
    c = c[: there[-1] + 1]
    n = c.size - 1
    found = []
    if n:
        row = expand_dims(-c[1:] / c[0], 0)
        found.append(eigvals(concat([row, eye(n - 1, n, dtype=c.dtype, device=c.device)], axis=0)))
    if zero_roots:
        found.append(zeros(zero_roots, dtype=wide, device=c.device))
    return astype(concat(found), wide) if found else zeros(0, dtype=wide, device=c.device)


# ---------------------------------------------------------------- fitting


def polyfit(
    x: Array, y: Array, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """The polynomial of degree ``deg`` with the smallest sum of squares ``|w (p(x) - y)|^2``, differentiable in all.

    Args:
        x: shape ``(M,)``.
        y: shape ``(M,)`` or ``(M, K)``.
        deg: the degree.
        rcond: singular values not above this part of the largest count as 0; None for M times the machine epsilon.
        full: return ``(p, residuals, rank, singular values, rcond)``, the last three constants.
        w: weights of the points, shape ``(M,)``.
        cov: return ``(p, covariance)`` too, scaled by the residuals, or with "unscaled" not.

    Returns:
        Shape ``(deg + 1,)`` or ``(deg + 1, K)``, the highest power first.

    Raises:
        ValueError: a negative degree, other shapes, or too few points for a covariance.

    >>> import gpugrad as gg
    >>> x = gg.tensor([0.0, 1.0, 2.0], dtype=gg.float64)
    >>> gg.allclose(gg.polyfit(x, 3 * x + 1, 1), gg.tensor([3.0, 1.0], dtype=gg.float64))
    True
    """
    a, b = map(asarray, together("polyfit", x, y))
    if deg < 0 or a.ndim != 1 or not a.size or b.ndim not in (1, 2) or len(b) != a.size:
        raise ValueError(
            f"polyfit: expected a degree >= 0 and shapes (M,) and (M,) or (M, K), got {deg}, {a.shape} and {b.shape}"
        )
    a, b = (astype(t, result_type(a, b, 1.0), copy=False) for t in (a, b))
    rcond = a.size * finfo(a.dtype).eps if rcond is None else rcond
    left, right = vander(a, deg + 1), b
    if w is not None:
        weights = beside(w, a, None if isinstance(w, Tensor) else a.dtype)
        if weights.shape != a.shape:
            raise ValueError(f"polyfit: expected weights of shape {a.shape}, got {weights.shape}")
        left = left * expand_dims(weights, 1)
        right = right * (weights if b.ndim == 1 else expand_dims(weights, 1))
    scale = sqrt(reduction.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, s = solving.lstsq(left, right, rcond)
    c = divide(c, scale if b.ndim == 1 else expand_dims(scale, 1))
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    base = solving.inv(linear.matmul(left.mT, left)) / (expand_dims(scale, 1) * scale)
    if cov == "unscaled":
        factor: Any = 1
    elif a.size <= deg + 1:
        raise ValueError(f"polyfit: {a.size} points are too few for the covariance of {deg + 1} coefficients")
    else:
        factor = residuals / (a.size - deg - 1)
    return c, base * factor if b.ndim == 1 else expand_dims(base, 2) * factor
