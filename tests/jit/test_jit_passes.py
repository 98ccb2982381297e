"""Each pass by itself: fewer calls, the same results, and what a program declares is respected."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.jit.passes import canonical, common, dead, fused, optimized, placed
from gpugrad.tracing import Call, Input, Program, Scalar, Spec, Value

X = [[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]]


def traced(function, *shapes):
    return gg.trace(function)(*(gg.full(shape, 0.5) for shape in shapes))


def outcome(program, *arrays):
    """What a program gives and what it makes of its inputs."""
    arrays = [gg.tensor(a).data for a in arrays]
    outputs = program.replay(arrays)
    return [backend.to_host(a).tolist() for a in (*outputs, *arrays)]


def by_hand(shapes, calls, outputs, inputs=1):
    """A program with inputs ``%0`` and so on, of float32."""
    return Program(
        [Input(Value(i), f"argument {i}") for i in range(inputs)],
        calls=[Call(op, args, kwargs, *more) for op, args, kwargs, *more in calls],
        outputs=[Value(n) for n in outputs],
        specs=[Spec("float32", shape) for shape in shapes],
    )


FUNCTIONS = {
    "a transposed transpose": (lambda x: gg.sin(x.T.T), canonical, ["sin"]),
    "reshapes": (lambda x: gg.sin(x.reshape(3, 2).reshape(6).reshape(2, 3)), canonical, ["sin"]),
    "a transpose is a value": (lambda x: gg.matmul(x, x.T) + gg.matmul(x, x.T.T.T), canonical,
                               ["permute_dims", "matmul", "matmul", "add"]),
    "the same twice": (lambda x: gg.exp(x) * gg.exp(x), common, ["exp", "multiply"]),
    "1 and 1.0 are two": (lambda x: (x + 1) * (x + 1.0), common, ["add", "add", "multiply"]),
    "nobody reads it": (lambda x: (gg.exp(x), gg.sin(x))[1], dead, ["sin"]),
    "a chain": (lambda x: gg.tanh(gg.exp(x) * 2 + 1), fused, ["fused"]),
    "two shapes": (lambda x: gg.exp(x) + gg.sin(gg.exp(x[0]) * 2), fused,
                   ["getitem", "exp", "fused", "add"]),
    "a reduction between": (lambda x: x * 2 + gg.sum(gg.exp(x) * x), fused, ["fused", "sum", "add"]),
    "integers": (lambda x: gg.where((x > 0) & (x < 1), x, -x) // 1, fused, ["fused", "floor_divide"]),
    "zeros like a result": (lambda x: gg.concat([gg.zeros_like(gg.exp(x) + 1), x]), fused, ["zeros", "concatenate"]),
    "a view after the first call": (lambda x: gg.exp(x) * x[0], fused, ["getitem", "fused"]),
    "ones": (lambda x: x * gg.ones_like(x) + gg.zeros((2, 3)), fused, ["fused"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_pass_leaves(name, device):
    function, one, left = FUNCTIONS[name]
    program = traced(function, (2, 3))
    before = str(program)
    after = dead(one(program)) if one is not dead else one(program)
    assert str(program) == before, "the program itself is as it was"
    names = [n.replace("kernel.", "").partition("_")[0] if "fused" in n else n for n in after.names()]
    assert names == left
    for found, wanted in zip(outcome(after, X), outcome(program, X), strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-6)
    for found, wanted in zip(outcome(optimized(program), X), outcome(program, X), strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_write_between_two_reads_is_seen(device):
    """``y = exp(x); x[:] = 1 + x; z = exp(x)``, with a view of x made before."""
    program = by_hand(
        [(3,)] * 6 + [(3,)],
        [
            ("reshape", (Value(0), (3,)), {}, (Value(1),), (), True),
            ("exp", (Value(1),), {}, (Value(2),)),
            ("add", (Value(0), 1), {}, (Value(3),)),
            ("copyto", (Value(0), Value(3)), {}, (), (Value(0),)),
            ("exp", (Value(1),), {}, (Value(4),)),
            ("subtract", (Value(4), Value(2)), {}, (Value(5),)),
            ("multiply", (Value(5), 2), {}, (Value(6),)),
        ],
        [6],
    )
    wanted = outcome(program, [0.0, 1.0, 2.0])
    assert wanted[1] == [1.0, 2.0, 3.0]
    for one in (canonical, common, dead, fused, optimized):
        after = one(program)
        found = outcome(after, [0.0, 1.0, 2.0])
        numpy.testing.assert_allclose(found[0], wanted[0], rtol=1e-6, err_msg=one.__name__)
        assert found[1] == wanted[1]
        assert after.names().count("copyto") == 1


def test_a_copy_of_what_is_written_later_is_a_copy(device):
    program = by_hand(
        [(2,)] * 3,
        [
            ("copy", (Value(0),), {}, (Value(1),)),
            ("multiply", (Value(0), 2), {}, (Value(2),)),
            ("copyto", (Value(0), Value(2)), {}, (), (Value(0),)),
        ],
        [1],
    )
    for one in (canonical, common, dead, fused, optimized):
        assert outcome(one(program), [1.0, 3.0]) == [[1.0, 3.0], [2.0, 6.0]]
    program.calls = [*program.calls[1:], program.calls[0]]  # and one of what has been written
    for one in (canonical, common, dead, fused, optimized):
        assert outcome(one(program), [1.0, 3.0]) == [[2.0, 6.0], [2.0, 6.0]]


def test_checks_stay_though_nobody_reads_their_result(device):
    def f(scores, labels):
        return gg.nn.functional.cross_entropy(scores, labels)

    program = optimized(gg.trace(f)(gg.zeros((2, 3)), gg.tensor([1, 2])))
    assert "kernel.checked_labels" in program.names() or "check_labels" in program.names()


def test_numbers_that_are_inputs_reach_a_fused_kernel(device):
    program = by_hand(
        [(2,)] * 3,
        [
            ("add", (Value(0), 1), {}, (Value(1),)),
            ("kernel.elu_forward", (Value(1), Scalar(0), 1.0, Scalar(1)), {}, (Value(2),)),
        ],
        [2],
    )
    program.scalars = ["scale", "rate"]
    after = fused(program)
    assert len(after.calls) == 1
    x = gg.tensor([-3.0, 1.0]).data
    found, wanted = (backend.to_host(one.replay([x], [0.5, 1.5])[0]) for one in (after, program))
    numpy.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_gradients_of_parts_are_added_up_in_one_array(device):
    """Parts that overlap, parts that are all of it, and parts added to something that is no part."""
    functions = {
        "overlap": lambda x: gg.sum(gg.exp(x[:, :2]) * x[:, 1:]),
        "all of it": lambda x: gg.sum(gg.exp(x[:, :1])) + gg.sum(x[:, 1:] ** 2),
        "beside others": lambda x: gg.sum(x * x) + gg.sum(x[0] ** 3) + gg.sum(x[1, ::2]),
    }
    for name, function in functions.items():
        program = dead(traced(gg.grad(function), (2, 3)))
        after = dead(placed(program))
        assert "kernel.place_at" not in after.names() or name == "overlap", name
        assert "kernel.sum_of_parts" in after.names(), name
        for found, wanted in zip(outcome(after, X), outcome(program, X), strict=True):
            numpy.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=name)
