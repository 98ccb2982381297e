"""The special cases of the array API standard as tables, in gpugrad's own words.

A row is an operation; its cases stand in one string, ``arguments:result``. Numbers are Python's, with ``pi`` and
fractions of it; ``-0`` is the negative zero and ``0`` the positive one. A tilde before a number leaves its sign open.
Complex numbers are ``a,b`` for ``a + b j``. In :data:`BINARY` the arguments are separated by a semicolon, and every
number of a group such as ``[1 2]`` is tried.
"""

from __future__ import annotations

UNARY = {
    "abs": "nan:nan -0:0 0:0 -inf:inf inf:inf -2:2",
    "acos": "nan:nan 2:nan -2:nan inf:nan 1:0 -1:pi",
    "acosh": "nan:nan 0.5:nan -2:nan 1:0 inf:inf",
    "asin": "nan:nan 2:nan -2:nan 0:0 -0:-0 1:pi/2",
    "asinh": "nan:nan 0:0 -0:-0 inf:inf -inf:-inf",
    "atan": "nan:nan 0:0 -0:-0 inf:pi/2 -inf:-pi/2",
    "atanh": "nan:nan -2:nan 2:nan -1:-inf 1:inf 0:0 -0:-0",
    "ceil": "nan:nan inf:inf -inf:-inf 0:0 -0:-0 2:2 1.5:2 -1.5:-1",
    "cos": "nan:nan 0:1 -0:1 inf:nan -inf:nan",
    "cosh": "nan:nan 0:1 -0:1 inf:inf -inf:inf",
    "exp": "nan:nan 0:1 -0:1 inf:inf -inf:0",
    "expm1": "nan:nan 0:0 -0:-0 inf:inf -inf:-1",
    "floor": "nan:nan inf:inf -inf:-inf 0:0 -0:-0 2:2 1.5:1 -1.5:-2",
    "log": "nan:nan -1:nan -inf:nan 0:-inf -0:-inf 1:0 inf:inf",
    "log1p": "nan:nan -2:nan -inf:nan -1:-inf 0:0 -0:-0 inf:inf",
    "log2": "nan:nan -1:nan -inf:nan 0:-inf -0:-inf 1:0 inf:inf 8:3",
    "log10": "nan:nan -1:nan -inf:nan 0:-inf -0:-inf 1:0 inf:inf 1000:3",
    "negative": "nan:nan 0:-0 -0:0 inf:-inf -inf:inf",
    "positive": "nan:nan 0:0 -0:-0 inf:inf -inf:-inf",
    "reciprocal": "nan:nan 0:inf -0:-inf inf:0 -inf:-0 4:0.25",
    "round": "nan:nan inf:inf -inf:-inf 0:0 -0:-0 2:2 0.5:0 1.5:2 2.5:2 -0.5:-0 -1.5:-2",
    "sign": "nan:nan 0:~0 -0:~0 3:1 -3:-1 inf:1 -inf:-1",
    "sin": "nan:nan 0:0 -0:-0 inf:nan -inf:nan",
    "sinh": "nan:nan 0:0 -0:-0 inf:inf -inf:-inf",
    "sqrt": "nan:nan -1:nan -inf:nan 0:0 -0:-0 inf:inf",
    "square": "nan:nan 0:0 -0:0 inf:inf -inf:inf",
    "tan": "nan:nan 0:0 -0:-0 inf:nan -inf:nan",
    "tanh": "nan:nan 0:0 -0:-0 inf:1 -inf:-1",
    "trunc": "nan:nan inf:inf -inf:-inf 0:0 -0:-0 2:2 1.5:1 -1.5:-1",
    "isfinite": "nan:0 inf:0 -inf:0 0:1 -2:1",
    "isinf": "nan:0 inf:1 -inf:1 0:0 -2:0",
    "isnan": "nan:1 inf:0 -inf:0 0:0 -2:0",
    "signbit": "0:0 -0:1 inf:0 -inf:1 3:0 -3:1",
}

BINARY = {
    "add": (
        "nan;[0 1 inf nan]:nan [0 1 inf];nan:nan inf;-inf:nan -inf;inf:nan inf;inf:inf -inf;-inf:-inf inf;[-2 0]:inf "
        "-inf;[2 0]:-inf [2 0];inf:inf [2 0];-inf:-inf -0;-0:-0 -0;0:0 0;-0:0 0;0:0 [0 -0];3:3 3;[0 -0]:3 3;-3:0"
    ),
    "subtract": (
        "nan;1:nan 1;nan:nan inf;inf:nan -inf;-inf:nan inf;-inf:inf -inf;inf:-inf -0;0:-0 0;0:0 -0;-0:0 0;-0:0 3;3:0"
    ),
    "multiply": (
        "nan;[0 1 inf]:nan [0 1 inf];nan:nan [inf -inf];[0 -0]:nan [0 -0];[inf -inf]:nan inf;[inf 2]:inf "
        "inf;[-inf -2]:-inf -inf;[-inf -2]:inf [2 inf];inf:inf -2;inf:-inf 0;2:0 0;-2:-0 -0;2:-0 -0;-2:0"
    ),
    "divide": (
        "nan;[0 1 inf]:nan [0 1 inf];nan:nan [inf -inf];[inf -inf]:nan [0 -0];[0 -0]:nan 0;2:0 -0;2:-0 0;-2:-0 -0;-2:0 "
        "2;0:inf 2;-0:-inf -2;0:-inf -2;-0:inf inf;2:inf inf;-2:-inf -inf;2:-inf -inf;-2:inf 2;inf:0 2;-inf:-0 "
        "-2;inf:-0 -2;-inf:0"
    ),
    # of an infinity, and of a number by an infinity of the other sign, libraries may do as Python does
    "floor_divide": (
        "nan;[0 1]:nan [0 1];nan:nan [inf -inf];[inf -inf]:nan [0 -0];[0 -0]:nan 0;2:0 -0;2:-0 0;-2:-0 -0;-2:0 2;0:inf "
        "2;-0:-inf -2;0:-inf -2;-0:inf 2;inf:0 -2;-inf:0 7;2:3 -7;2:-4"
    ),
    "remainder": (
        "nan;[0 1]:nan [0 1];nan:nan [inf -inf];[inf -inf 2 -2]:nan [0 -0 2];[0 -0]:nan 0;2:0 -0;2:0 0;-2:-0 -0;-2:-0 "
        "2;inf:2 -2;inf:inf 2;-inf:-inf -2;-inf:-2 7;4:3 -7;4:1 7;-4:-1 -7;-4:-3 8;4:0 8;-4:-0 -8;4:0 -8;-4:-0"
    ),
    "pow": (
        "[2 0 -0 inf];nan:nan [nan 0 -0 inf -inf 2];[0 -0]:1 nan;[1 -2 inf]:nan [2 -2 inf];inf:inf [2 -2];-inf:0 "
        "[1 -1];[inf -inf]:1 1;[nan 3]:1 [0.5 -0.5 0];inf:0 [0.5 -0.5];-inf:inf inf;2:inf inf;-2:0 -inf;3:-inf "
        "-inf;2:inf -inf;-3:-0 -inf;-2:0 0;2:0 0;-2:inf -0;3:-0 -0;2:0 -0;-3:-inf -0;-2:inf -2;0.5:nan -2;-0.5:nan"
    ),
    "atan2": (
        "nan;[0 1 nan]:nan [0 1];nan:nan 2;[0 -0]:pi/2 0;[2 0]:0 0;[-0 -2]:pi -0;[2 0]:-0 -0;[-0 "
        "-2]:-pi -2;[0 -0]:-pi/2 "
        "2;inf:0 2;-inf:pi -2;inf:-0 -2;-inf:-pi inf;[2 -2]:pi/2 -inf;[2 -2]:-pi/2 inf;inf:pi/4 inf;-inf:3*pi/4 "
        "-inf;inf:-pi/4 -inf;-inf:-3*pi/4"
    ),
    "copysign": "2;-3:-2 2;-0:-2 -2;0:2 -2;3:2 0;-1:-0 -0;1:0 inf;-1:-inf nan;[1 -1]:nan 2;-inf:-2",
    "hypot": (
        "[inf -inf];[nan 0 2]:inf [nan 0 2];[inf -inf]:inf [0 -0];-3:3 -3;[0 -0]:3 [2 nan];nan:nan nan;2:nan 3;4:5"
    ),
    "logaddexp": "nan;[1 inf]:nan [1 inf];nan:nan inf;[2 -2 -inf]:inf [2 -2 -inf];inf:inf -inf;-inf:-inf -inf;2:2",
    "maximum": "nan;[1 inf]:nan [1 inf];nan:nan 1;inf:inf -inf;1:1 0;-0:~0",
    "minimum": "nan;[1 -inf]:nan [1 -inf];nan:nan 1;-inf:-inf inf;1:1 0;-0:~0",
    "nextafter": "nan;1:nan 1;nan:nan -0;0:0 0;-0:-0 1;1:1 inf;inf:inf",
    "equal": "nan;[nan 1]:0 1;nan:0 inf;inf:1 -inf;-inf:1 inf;-inf:0 [0 -0];[0 -0]:1 2;2:1 2;3:0",
    "not_equal": "nan;[nan 1]:1 1;nan:1 inf;inf:0 inf;-inf:1 [0 -0];[0 -0]:0 2;2:0 2;3:1",
    "less": "nan;[nan 1]:0 1;nan:0 -inf;inf:1 -inf;1:1 [0 -0];[0 -0]:0 1;2:1",
    "less_equal": "nan;[nan 1]:0 1;nan:0 inf;inf:1 [0 -0];[0 -0]:1 1;inf:1",
    "greater": "nan;[nan 1]:0 1;nan:0 inf;-inf:1 inf;1:1 [0 -0];[0 -0]:0 2;1:1",
    "greater_equal": "nan;[nan 1]:0 1;nan:0 -inf;-inf:1 [0 -0];[0 -0]:1 inf;1:1",
}

COMPLEX = {
    "abs": (
        "inf,2:inf -inf,nan:inf nan,inf:inf 2,-inf:inf 0,-3:3 -0,3:3 -3,0:3 3,-0:3 nan,1:nan 1,nan:nan nan,nan:nan "
        "3,4:5"
    ),
    "acos": (
        "0,0:pi/2,-0 -0,0:pi/2,-0 0,nan:pi/2,nan 2,inf:pi/2,-inf 2,nan:nan,nan -inf,2:pi,-inf inf,2:0,-inf "
        "-inf,inf:3*pi/4,-inf inf,inf:pi/4,-inf inf,nan:nan,~inf -inf,nan:nan,~inf nan,2:nan,nan nan,inf:nan,-inf "
        "nan,nan:nan,nan"
    ),
    "acosh": (
        "0,0:0,pi/2 -0,0:0,pi/2 2,inf:inf,pi/2 2,nan:nan,nan 0,nan:nan,~pi/2 -inf,2:inf,pi inf,2:inf,0 "
        "-inf,inf:inf,3*pi/4 inf,inf:inf,pi/4 inf,nan:inf,nan -inf,nan:inf,nan nan,2:nan,nan nan,inf:inf,nan "
        "nan,nan:nan,nan"
    ),
    "asinh": (
        "0,0:0,0 2,inf:inf,pi/2 2,nan:nan,nan inf,2:inf,0 inf,inf:inf,pi/4 nan,0:nan,0 nan,2:nan,nan nan,inf:~inf,nan "
        "nan,nan:nan,nan"
    ),
    "atanh": (
        "0,0:0,0 0,nan:0,nan 1,0:inf,0 2,inf:0,pi/2 2,nan:nan,nan inf,2:0,pi/2 inf,inf:0,pi/2 "
        "inf,nan:0,nan nan,2:nan,nan "
        "nan,inf:~0,pi/2 nan,nan:nan,nan"
    ),
    "cosh": (
        "0,0:1,0 0,inf:nan,~0 0,nan:nan,~0 2,inf:nan,nan 2,nan:nan,nan inf,0:inf,0 inf,inf:~inf,nan inf,nan:inf,nan "
        "nan,0:nan,~0 nan,-0:nan,~0 nan,2:nan,nan nan,nan:nan,nan inf,1:inf,inf"
    ),
    "exp": (
        "0,0:1,0 -0,0:1,0 2,inf:nan,nan 2,nan:nan,nan inf,0:inf,0 -inf,1:0,0 inf,1:inf,inf "
        "-inf,inf:~0,~0 inf,inf:~inf,nan "
        "-inf,nan:~0,~0 inf,nan:~inf,nan nan,0:nan,0 nan,2:nan,nan nan,nan:nan,nan"
    ),
    "expm1": (
        "0,0:0,0 -0,0:~0,0 2,inf:nan,nan 2,nan:nan,nan inf,0:inf,0 -inf,1:-1,0 inf,1:inf,inf "
        "-inf,inf:-1,~0 inf,inf:~inf,nan "
        "-inf,nan:-1,~0 inf,nan:~inf,nan nan,0:nan,0 nan,2:nan,nan nan,nan:nan,nan"
    ),
    "log": (
        "-0,0:-inf,pi 0,0:-inf,0 2,inf:inf,pi/2 2,nan:nan,nan -inf,2:inf,pi inf,2:inf,0 "
        "-inf,inf:inf,3*pi/4 inf,inf:inf,pi/4 "
        "inf,nan:inf,nan -inf,nan:inf,nan nan,2:nan,nan nan,inf:inf,nan nan,nan:nan,nan"
    ),
    "log1p": (
        "-1,0:-inf,0 2,inf:inf,pi/2 2,nan:nan,nan -inf,2:inf,pi inf,2:inf,0 -inf,inf:inf,3*pi/4 inf,inf:inf,pi/4 "
        "inf,nan:inf,nan -inf,nan:inf,nan nan,2:nan,nan nan,inf:inf,nan nan,nan:nan,nan"
    ),
    "sinh": (
        "0,0:0,0 0,inf:~0,nan 0,nan:~0,nan 2,inf:nan,nan 2,nan:nan,nan inf,0:inf,0 inf,1:inf,inf inf,inf:~inf,nan "
        "inf,nan:~inf,nan nan,0:nan,0 nan,2:nan,nan nan,nan:nan,nan"
    ),
    # of infinities C99's, which are those of the limit; the standard's text has the two exchanged
    "sqrt": (
        "0,0:0,0 -0,0:0,0 2,inf:inf,inf nan,inf:inf,inf 2,nan:nan,nan -inf,2:0,inf inf,2:inf,0 -inf,nan:nan,~inf "
        "inf,nan:inf,nan nan,2:nan,nan nan,nan:nan,nan"
    ),
    "tanh": (
        "0,0:0,0 2,inf:nan,nan 2,nan:nan,nan inf,2:1,~0 inf,inf:1,~0 inf,nan:1,~0 nan,0:nan,0 "
        "nan,2:nan,nan nan,nan:nan,nan"
    ),
    "sign": "0,0:~0,~0 3,4:0.6,0.8 nan,2:nan,nan 2,nan:nan,nan nan,nan:nan,nan",
    "isfinite": "nan,1:0 1,nan:0 inf,nan:0 1,-inf:0 1,2:1",
    "isinf": "nan,1:0 nan,-inf:1 inf,nan:1 1,inf:1 1,2:0",
    "isnan": "nan,1:1 1,nan:1 inf,nan:1 1,inf:0 1,2:0",
    "round": "1.5,-2.5:2,-2 -0,0.5:-0,0 nan,inf:nan,inf -inf,nan:-inf,nan",
    "conj": "1,2:1,-2 0,0:0,-0 nan,inf:nan,-inf",
    "negative": "1,-2:-1,2 0,-0:-0,0",
}

OF_THE_LIBRARY = dict.fromkeys(
    (("expm1", case) for case in ("inf,0", "-inf,inf", "inf,inf", "-inf,nan", "inf,nan", "nan,0")),
    "NumPy multiplies e^a by cos(b) and sin(b), and infinity times 0 is NaN",
)
"""Cases that the array library does not hold to, and why they are left as they are."""

OF_CUPY = dict.fromkeys(
    [(name, case) for name in ("log", "log1p") for case in ("inf,nan", "-inf,nan", "nan,inf")] + [("acosh", "0,nan")],
    "CuPy takes the norm of numbers with a NaN in them, and arccosh(0 + nan i) for a NaN in both parts",
)
"""Cases that CuPy does not hold to, and NumPy does: only which part of a result with a NaN in it is no NaN."""
