"""The simulator is held to CuPy: each call of ``cupy_outcomes.txt`` gives or raises what the real CuPy 14.2 does."""

from __future__ import annotations

import outcomes
import pytest

from gpugrad.testing import cuda_simulator

pytestmark = pytest.mark.any_device

DLPACK = "the simulator's arrays are in memory that no other library can reach"
DIFFERENT = {
    "f.data.mem.size": "the simulator allocates what was asked for, to find writes past the end; CuPy 512 bytes",
    "xp.from_dlpack(f) is f": DLPACK,
    "xp.from_dlpack(np.ones(2))": DLPACK,
}
"""Calls whose outcome stays another one, and why."""


@pytest.mark.parametrize("lag", [0, 1])
def test_simulator_has_the_outcomes_of_cupy(cp, lag):
    cuda_simulator.set_lag(lag)
    calls, different = outcomes.Calls(), {}
    for call, expected in outcomes.table().items():
        outcome = calls.outcome(call)
        if not outcomes.agree(outcome, expected):
            different[call] = f"{outcome}, where CuPy has {expected}"
    assert not {call: text for call, text in different.items() if call not in DIFFERENT}
    assert set(DIFFERENT) <= set(different), "these agree now: take them out"


def test_outcomes_are_compared_with_signs_of_zero_and_to_four_digits():
    agree = outcomes.agree
    assert agree("float32[2] 1 2", "float32[2] 1.00001 ?")
    assert agree("tuple(int32[1] 1; float32[1] nan)", "tuple(int32[1] 1; float32[1] ?)")
    assert not agree("float32[2] 1 2", "float32[2] 1 2.01")
    assert not agree("float32[1] 0", "float32[1] -0")
    assert not agree("float32[1] nan", "float32[1] 0")
    assert not agree("float32[2] 1 2", "float64[2] 1 2")
    assert not agree("!TypeError", "!ValueError")
    assert not agree("NoneType None", "NoneType None | f float32[1] 1")
