"""Grad mode, default dtype and default device: by context, as context managers and as decorators."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading

import pytest

import gpugrad as gg


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_no_grad_and_enable_grad_nest():
    x = gg.tensor(1.0, requires_grad=True)
    assert (x * 2).requires_grad
    with gg.no_grad():
        assert not (x * 2).requires_grad
        with gg.enable_grad():
            assert (x * 2).requires_grad
            with gg.set_grad_enabled(False):
                assert not gg.is_grad_enabled()
            assert gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()


def test_an_error_leaves_the_mode_as_it_was():
    with pytest.raises(KeyError), gg.no_grad():
        raise KeyError
    assert gg.is_grad_enabled()


def test_decorators_may_be_entered_again_and_again():
    x = gg.tensor(1.0, requires_grad=True)

    @gg.no_grad()
    def f(depth):
        assert not gg.is_grad_enabled()
        return f(depth - 1) if depth else x * 2

    assert not f(3).requires_grad
    assert gg.is_grad_enabled()

    @gg.set_grad_enabled(False)
    def g():
        return x * 2

    assert not g().requires_grad

    @gg.default_dtype(gg.float64)
    def h():
        return gg.zeros(2).dtype

    assert h() == gg.float64
    assert gg.get_default_dtype() == gg.float32


SWITCHES = [
    (gg.no_grad, gg.is_grad_enabled, True, False),
    (lambda: gg.set_grad_enabled(False), gg.is_grad_enabled, True, False),
    (gg.debug, gg.core.modes.debugging, False, True),
    (lambda: gg.default_dtype("float64"), gg.get_default_dtype, gg.float32, gg.float64),
    (lambda: gg.default_device("cpu"), gg.core.modes.backend.default_device, None, gg.device("cpu")),
]


@pytest.mark.parametrize(("switch", "state", "outside", "inside"), SWITCHES)
def test_generators_run_inside_and_their_callers_outside(switch, state, outside, inside):
    outside = state() if outside is None else outside
    seen = []

    @switch()
    def numbers(n):
        try:
            for k in range(n):
                try:
                    seen.append((yield k, state()))
                except KeyError:
                    seen.append(("thrown", state()))
            return "end"
        finally:
            seen.append(("finally", state()))

    def following():
        seen.append((yield from numbers(1)))

    made = numbers(3)
    assert inspect.isgeneratorfunction(numbers)
    assert (next(made), state()) == ((0, inside), outside)
    assert (made.send("sent"), state()) == ((1, inside), outside)
    assert (made.throw(KeyError()), state()) == ((2, inside), outside)
    made.close()
    assert (list(following()), state()) == ([(0, inside)], outside)
    assert seen == ["sent", ("thrown", inside), ("finally", inside), None, ("finally", inside), "end"]


@pytest.mark.parametrize(("switch", "state", "outside", "inside"), SWITCHES)
def test_coroutines_and_asynchronous_generators_run_inside(switch, state, outside, inside):
    outside = state() if outside is None else outside

    @switch()
    async def wait():
        await asyncio.sleep(0)
        return state()

    @switch()
    async def numbers():
        for _ in range(2):
            await asyncio.sleep(0)
            yield state()

    async def other():
        await asyncio.sleep(0)
        return state()

    async def all_of_them():
        found = await asyncio.gather(wait(), other(), wait())
        return found, [(value, state()) async for value in numbers()], state()

    assert asyncio.run(all_of_them()) == ([inside, outside, inside], [(inside, outside)] * 2, outside)


def test_switches_without_arguments_decorate_without_parentheses():
    @gg.no_grad
    def off():
        return gg.is_grad_enabled(), gg.enable_grad(gg.is_grad_enabled)()

    assert off() == (False, True)
    with pytest.raises(TypeError, match="no_grad: expected a function, got the class Net: decorate the methods"):
        gg.no_grad()(type("Net", (), {}))


def test_set_grad_enabled_holds_from_there_on():
    try:
        gg.set_grad_enabled(False)
        assert not gg.is_grad_enabled()
        with gg.set_grad_enabled(True):
            assert gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    finally:
        gg.set_grad_enabled(True)
    assert gg.is_grad_enabled()


def test_one_switch_used_twice():
    switch = gg.no_grad()
    with switch:
        with switch:
            assert not gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()


def test_grad_mode_is_per_thread():
    with gg.no_grad():
        assert in_thread(gg.is_grad_enabled)
        assert not gg.is_grad_enabled()

    def switched_off():
        with gg.no_grad():
            return gg.is_grad_enabled()

    assert not in_thread(switched_off)
    assert gg.is_grad_enabled()


def test_default_dtype_and_device_are_per_thread(monkeypatch):
    monkeypatch.setenv("GPUGRAD_DEVICE", "cpu")
    with gg.default_dtype(gg.float64), gg.default_device("cpu"):
        assert in_thread(gg.get_default_dtype) == gg.float32

    def changed():
        gg.set_default_dtype(gg.float16)
        gg.set_default_device("cpu")
        return gg.zeros(1).dtype

    assert in_thread(changed) == gg.float16
    assert gg.get_default_dtype() == gg.float32


def test_a_context_keeps_its_own():
    context = contextvars.copy_context()
    context.run(gg.set_default_dtype, gg.float64)
    assert context.run(gg.get_default_dtype) == gg.float64
    assert gg.get_default_dtype() == gg.float32


def test_threads_walk_their_own_graphs():
    results = {}

    def work(k):
        x = gg.tensor([float(k), 2.0], dtype=gg.float64, device="cpu", requires_grad=True)
        for _ in range(50):
            x.grad = None
            y = x
            for _ in range(10):
                y = y * x
            if k % 2:
                with gg.no_grad():
                    gg.exp(x)
            y.sum().backward()
        results[k] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {k: [11.0 * k**10, 11.0 * 2**10] for k in range(4)}


def test_threads_that_share_a_leaf_lose_no_gradient():
    w = gg.tensor([0.0, 0.0], dtype=gg.float64, requires_grad=True)
    before = sys.getswitchinterval()

    def work():
        for _ in range(300):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    try:
        sys.setswitchinterval(1e-6)
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(before)
    assert w.grad.tolist() == [1200.0, 1200.0]


def test_default_dtype_is_for_what_has_none():
    with gg.default_dtype("float64"):
        for made in (
            gg.zeros(2),
            gg.ones(2),
            gg.full(2, 1.5),
            gg.eye(2),
            gg.linspace(0, 1, 3),
            gg.tensor([1.0]),
            gg.arange(2.0),
        ):
            assert made.dtype == gg.float64
        assert gg.tensor([1, 2]).dtype == gg.int64
        assert gg.arange(3).dtype == gg.int64
        assert (gg.tensor([1.0], dtype=gg.float32) * 2.5).dtype == gg.float32
        assert gg.add(1.0, 2.0).dtype == gg.float64
    assert gg.add(1.0, 2.0).dtype == gg.float32


@pytest.mark.parametrize("bad", ["int32", bool, gg.int64])
def test_the_default_dtype_is_floating(bad):
    with pytest.raises(TypeError, match="expected a floating-point default dtype, got"):
        gg.set_default_dtype(bad)


@pytest.mark.parametrize("bad", ["float31", object(), "tensor"])
def test_unknown_dtypes(bad):
    with pytest.raises(TypeError, match=r"expected a dtype such as gpugrad.float32, got"):
        gg.zeros(2, dtype=bad)
