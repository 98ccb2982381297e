"""NumPy's other names of operations: the array API standard has one name for each."""

from __future__ import annotations

from .arithmetic import abs, divide, pow, remainder
from .comparison import bitwise_invert, bitwise_left_shift, bitwise_right_shift
from .dims import takes_dim
from .reduction import max, min
from .rounding import conj, round, trunc

absolute, power, true_divide, mod = abs, pow, divide, remainder
invert, bitwise_not, left_shift, right_shift = bitwise_invert, bitwise_invert, bitwise_left_shift, bitwise_right_shift
amax, amin = takes_dim(max), takes_dim(min)
conjugate, around, rint, fix = conj, round, round, trunc
