"""What all optimizers share: flat memory, missing gradients, changed parameters, the state, the errors."""

import copy
import gc
import os
import pickle
import signal
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest

import gpugrad as gg
from gpugrad import optim
from gpugrad.kernels import optim as rules
from gpugrad.optim import (
    ASGD,
    LAMB,
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    flat,
)  # fmt: skip

MAKERS = {
    "SGD": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "Adagrad": lambda params: Adagrad(params, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.3),
    "RMSprop": lambda params: RMSprop(params, centered=True, momentum=0.5, eps=1e-2),
    "Adam": lambda params: Adam(params, lr=0.1, amsgrad=True),
    "AdamW": lambda params: AdamW(params, lr=0.1),
    "NAdam": lambda params: NAdam(params, lr=0.1),
    "RAdam": lambda params: RAdam(params, lr=0.1, betas=(0.9, 0.7)),
    "Adamax": lambda params: Adamax(params, lr=0.1),
    "Adadelta": lambda params: Adadelta(params, lr=9.0, eps=1e-3),
    "Rprop": lambda params: Rprop(params, lr=0.1),
    "ASGD": lambda params: ASGD(params, lr=0.1, t0=2, lambd=0.1),
    "Lion": lambda params: Lion(params, lr=0.1, weight_decay=0.1),
    "LAMB": lambda params: LAMB(params, lr=0.1),
    "Adafactor": lambda params: Adafactor(params, lr=0.1),
}
OF_OTHER_KINDS = {"Muon": Muon, "LBFGS": LBFGS}
"""Those that take matrices, or a closure: see the end of this file."""
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def parameters(*dtypes, seed=0):
    rng = numpy.random.default_rng(seed)
    shapes = [(3, 2), (), (5,), (0,), (2, 1, 2)]
    dtypes = dtypes or (gg.float64,)
    return [
        gg.tensor(rng.normal(size=s), dtype=dtypes[i % len(dtypes)], requires_grad=True) for i, s in enumerate(shapes)
    ]


def give_gradients(params, step, skip=()):
    for i, p in enumerate(params):
        p.grad = None if i in skip else gg.cos(p.detach() * (i + 1) + step)


def run(optimizer, params, steps, skip=lambda step: ()):
    for step in steps:
        give_gradients(params, step, skip(step))
        optimizer.step()


def number(value):
    return value.numpy() if isinstance(value, gg.Tensor) else value


def values(params):
    return [p.numpy() for p in params]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        numpy.testing.assert_array_equal(x, y)


# ---------------------------------------------------------------- flat memory


@makers
def test_parameters_become_views_and_keep_value_and_identity(make):
    params = parameters()
    before, nodes = values(params), [p.node for p in params]
    optimizer = make(params)
    assert_same(values(params), before)
    assert all(p.node is node for p, node in zip(params, nodes, strict=True))
    bases = {id(p.data.base) for p in params}
    assert len(bases) == 1
    assert optimizer.param_groups[0]["params"] == params or all(
        a is b for a, b in zip(optimizer.param_groups[0]["params"], params, strict=True)
    )


def test_every_parameter_is_aligned_as_an_array_of_its_own(device):
    if not device.is_host:
        pytest.skip("reads the address of a NumPy array")
    params = parameters(gg.float32)
    SGD(params)
    starts = [p.data.__array_interface__["data"][0] for p in params if p.size]
    assert all((a - starts[0]) % flat.ALIGNMENT == 0 for a in starts)


def count_updates(monkeypatch):
    calls = []
    original = optim.adam.adam_update
    monkeypatch.setattr(optim.adam, "adam_update", lambda xp, p, *rest: (calls.append(p.size), original(xp, p, *rest)))
    return calls


def test_one_update_for_a_whole_group(monkeypatch):
    params = parameters()
    optimizer = Adam(params)
    calls = count_updates(monkeypatch)
    run(optimizer, params, range(3))
    assert len(calls) == 3


def test_one_update_for_each_dtype_and_group(monkeypatch):
    params = parameters(gg.float32, gg.float64)
    optimizer = Adam([{"params": params[:3]}, {"params": params[3:], "lr": 0.1}])
    calls = count_updates(monkeypatch)
    run(optimizer, params, range(1))
    assert len(calls) == 4


def test_one_update_for_each_run_with_equal_steps(monkeypatch):
    params = parameters()
    optimizer = Adam(params)
    calls = count_updates(monkeypatch)
    run(optimizer, params, range(1), skip=lambda step: (1,))
    assert len(calls) == 2, "a gap in the middle: a run on each side"
    del calls[:]
    run(optimizer, params, range(1))
    assert len(calls) == 3, "the one in the middle is a step behind"


def test_large_parameters_are_updated_where_their_gradient_is(monkeypatch):
    monkeypatch.setattr(flat, "LARGE", 5)
    params = parameters()
    optimizer = Adam(params)
    calls = count_updates(monkeypatch)
    run(optimizer, params, range(1))
    if optimizer._flats[0][0].owner.compiles:
        assert len(calls) == 1
    else:
        assert [calls[0], calls[2]] == [6, 5]
        assert len(calls) == 4


@makers
def test_the_same_as_each_parameter_by_itself(make):
    """Flat or alone, with gaps, in two dtypes: not one bit differs."""
    skip = lambda step: {0: (1,), 1: (0, 2), 2: (0, 1, 2, 3, 4), 3: (4,)}.get(step, ())
    together, alone = parameters(gg.float32, gg.float64), parameters(gg.float32, gg.float64)
    run(make(together), together, range(8), skip)
    optimizers = [make([p]) for p in alone]
    for step in range(8):
        give_gradients(alone, step, skip(step))
        for optimizer in optimizers:
            optimizer.step()
    assert_same(values(together), values(alone))


@makers
def test_without_a_gradient_nothing_changes(make):
    params = parameters()
    optimizer = make(params)
    run(optimizer, params, range(2))
    before, state = values(params), optimizer.state_dict()["state"]
    optimizer.zero_grad()
    optimizer.step()
    assert_same(values(params), before)
    for i, entry in optimizer.state_dict()["state"].items():
        assert entry.get("step") == state[i].get("step")
        for key in entry.keys() - {"step"}:
            numpy.testing.assert_array_equal(number(entry[key]), number(state[i][key]))


@makers
def test_half_precision(make):
    params = parameters(gg.float16)
    before = values(params)
    run(make(params), params, range(3))
    for p, old in zip(params, before, strict=True):
        assert p.dtype == gg.float16
        assert not p.size or (p.numpy() != old).any()


def test_gradients_are_not_written_to():
    params = parameters()
    for make in MAKERS.values():
        optimizer = make(params)
        give_gradients(params, 0)
        before = [p.grad.numpy() for p in params]
        optimizer.step()
        assert_same([p.grad.numpy() for p in params], before)


def test_non_contiguous_gradients():
    p, q = (gg.tensor(numpy.arange(6.0).reshape(2, 3), requires_grad=True) for _ in range(2))
    p.grad, q.grad = gg.Tensor(q.data.reshape(3, 2).T), gg.Tensor(q.data.reshape(3, 2).T.copy())
    SGD([p, gg.ones(2).requires_grad_()], lr=1.0).step()
    SGD([q], lr=1.0).step()
    assert_same(values([p]), values([q]))


def test_memory_goes_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        params = parameters()
        optimizer = Adam(params)
        run(optimizer, params, range(2))
        alive = weakref.ref(optimizer)
        del optimizer
        assert alive() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- the graph


def test_an_old_graph_notices_the_update():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(gg.GradientError, match="changed in place"):
        loss.backward()


def test_a_graph_made_before_the_optimizer_keeps_its_values():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    SGD([w])
    loss.backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_updates_in_place_by_the_user_reach_the_flat_memory():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = SGD([w], lr=1.0)
    with gg.no_grad():
        w += 1
    w.grad = gg.ones(2)
    optimizer.step()
    assert w.tolist() == [1.0, 2.0]


def test_closure():
    w = gg.tensor([1.0], requires_grad=True)
    optimizer = SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with gg.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 1.0
    numpy.testing.assert_allclose(w.numpy(), [0.8], rtol=1e-6)
    assert optimizer.step() is None


def test_zero_grad():
    params = parameters()
    optimizer = SGD(params)
    give_gradients(params, 0, skip=(1,))
    shared = params[0].grad
    optimizer.zero_grad(set_to_none=False)
    assert params[1].grad is None
    assert all((p.grad.numpy() == 0).all() for p in params if p.grad is not None)
    assert (shared.numpy() != 0).any(), "whoever shares the gradient's memory keeps it"
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


# ---------------------------------------------------------------- parameters that got other memory


@makers
def test_assigned_memory_is_adopted(make):
    params, others = parameters(), parameters()
    mine, other = make(params), make(others)
    for step in range(6):
        run(mine, params, [step])
        run(other, others, [step])
        for p in params[::2]:
            p.data = p.data.copy()
    assert_same(values(params), values(others))


@makers
def test_another_dtype_is_adopted_with_the_moments(make):
    params, others = parameters(gg.float32), parameters(gg.float32)
    mine, other = make(params), make(others)
    run(mine, params, range(3), skip=lambda step: (1, 3))
    run(other, others, range(3), skip=lambda step: (1, 3))
    for p in params[1:]:
        data, p.requires_grad = p.data, False
        p.data, p.requires_grad = data.astype("float64"), True
    run(mine, params, range(3, 6))
    run(other, others, range(3, 6))
    assert [p.dtype for p in params] == [gg.float32] + [gg.float64] * 4
    for p, q in zip(params, others, strict=True):
        numpy.testing.assert_allclose(p.numpy(), q.numpy(), rtol=2e-4, atol=1e-5)
    for p in params[1:]:
        data, p.requires_grad = p.data, False
        p.data, p.requires_grad = data.astype("float32"), True
    run(mine, params, range(6, 7))
    assert {id(p.data.base) for p in params} == {id(params[0].data.base)}, "together again"


def test_two_optimizers_share_a_parameter():
    p, q = (gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True) for _ in range(2))
    first, second = SGD([p], lr=0.5), Adam([p], lr=0.1)
    alone = (SGD([q], lr=0.5),)
    for _ in range(3):
        p.grad = gg.ones(2, dtype=gg.float64)
        first.step()
        second.step()
    del alone
    numpy.testing.assert_allclose(p.numpy(), numpy.array([1.0, 2.0]) - 3 * 0.5 - 3 * 0.1, atol=1e-6)


def test_a_parameter_that_is_frozen_for_a_while():
    params = parameters()
    optimizer = Adam(params)
    run(optimizer, params, range(2))
    params[0].requires_grad = False
    before = params[0].numpy()
    for p in params[1:]:
        p.grad = gg.cos(p.detach())
    optimizer.step()
    assert_same([params[0].numpy()], [before])
    params[0].requires_grad = True
    run(optimizer, params, range(1))
    assert optimizer.state[params[0]]["step"] == 3
    assert optimizer.state[params[1]]["step"] == 4


# ---------------------------------------------------------------- groups and state


def test_groups_have_options_of_their_own():
    params = parameters()
    optimizer = SGD([{"params": params[:2]}, {"params": params[2], "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": params[3:], "lr": 0.0, "name": "last"})
    before = values(params)
    for p in params:
        p.grad = gg.ones_like(p)
    optimizer.step()
    optimizer.param_groups[1]["lr"] = 0.25
    optimizer.step()
    for p, old, moved in zip(params, before, [0.2, 0.2, 0.75, 0, 0], strict=True):
        numpy.testing.assert_allclose(p.numpy(), old - moved, rtol=1e-12)
    assert optimizer.param_groups[2]["name"] == "last"


def test_the_callers_dictionaries_stay_as_they_were():
    given = {"params": parameters()}
    SGD([given])
    assert given.keys() == {"params"}


@makers
def test_going_on_from_a_saved_state_is_as_never_having_stopped(make):
    skip = lambda step: (1,) if step < 7 else (2,) if step % 2 else ()
    params = parameters(gg.float32, gg.float64)
    uninterrupted = make([{"params": params[:2]}, {"params": params[2:]}])
    run(uninterrupted, params, range(5), skip)
    saved, data = uninterrupted.state_dict(), values(params)
    run(uninterrupted, params, range(5, 12), skip)

    others = [gg.tensor(a, requires_grad=True) for a in data]
    resumed = make([{"params": others[:2]}, {"params": others[2:]}])
    run(resumed, others, range(3))  # what it did before counts no more
    for p, a in zip(others, data, strict=True):
        p.data = gg.tensor(a).data
    resumed.load_state_dict(saved)
    run(resumed, others, range(5, 12), skip)
    assert_same(values(others), values(params))


@makers
def test_state_dict_is_a_copy(make):
    params = parameters()
    optimizer = make(params)
    run(optimizer, params, range(2))
    saved = optimizer.state_dict()
    before = {k: number(v) for k, v in saved["state"][0].items() if k != "step"}
    run(optimizer, params, range(2))
    for key, value in before.items():
        numpy.testing.assert_array_equal(number(saved["state"][0][key]), value)


def test_state_of_a_fresh_optimizer():
    params = parameters()
    assert Adam(params).state_dict()["state"] == {}
    assert SGD(params, momentum=0.9).state == {}
    state = Adagrad(params, initial_accumulator_value=0.5).state_dict()["state"]
    assert list(state) == [0, 1, 2, 3, 4]
    assert state[0]["step"] == 0
    assert state[0]["sum"].tolist() == [[0.5, 0.5]] * 3


def test_state_lists_parameters_in_order():
    params = parameters(gg.float32, gg.float64)
    optimizer = Adam(params)
    run(optimizer, params, range(1))
    assert [id(p) for p in optimizer.state] == [id(p) for p in params]
    assert optimizer.state[params[2]].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(entry["exp_avg"].shape == p.shape for p, entry in optimizer.state.items())


def test_loading_keeps_options_it_does_not_know_and_drops_pytorchs_switches():
    params = parameters()
    saved = SGD(params, lr=0.3).state_dict()
    saved["param_groups"][0] |= {"initial_lr": 0.3, "foreach": None, "fused": None}
    optimizer = SGD(params)
    group = optimizer.param_groups[0]
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0] is group
    assert (group["lr"], group["initial_lr"]) == (0.3, 0.3)
    assert "foreach" not in group
    assert [id(p) for p in group["params"]] == [id(p) for p in params]


def test_repr():
    text = repr(SGD(parameters(), lr=0.5))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.5\n")
    assert text.endswith(")")


# ---------------------------------------------------------------- errors


def leaf():
    return gg.ones(2).requires_grad_()


class Model(gg.nn.Linear):
    def __init__(self):
        super().__init__(2, 1)


SHARED = leaf()
BAD = [
    (lambda: SGD([]), ValueError, "SGD: expected at least one parameter"),
    (lambda: SGD(leaf()), TypeError, "got a single Tensor"),
    (lambda: SGD([1.0]), TypeError, "expected Tensors as parameters, got float"),
    (lambda: SGD([{"params": {leaf()}}]), TypeError, "order of a set"),
    (lambda: SGD([{"params": [leaf()]}, leaf()]), TypeError, "expected a group as a dict, got Tensor"),
    (lambda: SGD([leaf() * 2]), ValueError, "expected leaf Tensors"),
    (lambda: SGD([SHARED, SHARED]), ValueError, "listed twice in one group"),
    (lambda: SGD([{"params": SHARED}, {"params": [leaf(), SHARED]}]), ValueError, "in an earlier group"),
    (lambda: SGD([leaf()], lr=-1), ValueError, "expected lr from 0 on, got -1"),
    (lambda: SGD([leaf()], lr=float("nan")), ValueError, "expected lr from 0 on, got nan"),
    (lambda: SGD([leaf()], momentum=-0.1), ValueError, "expected momentum from 0 on, got -0.1"),
    (lambda: SGD([leaf()], weight_decay=-0.1), ValueError, "expected weight_decay from 0 on, got -0.1"),
    (lambda: SGD([leaf()], nesterov=True), ValueError, "it needs momentum > 0 and dampening=0"),
    (lambda: SGD([leaf()], nesterov=True, momentum=0.9, dampening=0.1), ValueError, "dampening=0"),
    (lambda: SGD([{"params": leaf(), "lr": -2}]), ValueError, "expected lr from 0 on, got -2"),
    (lambda: Adagrad([leaf()], lr_decay=-1), ValueError, "expected lr_decay from 0 on, got -1"),
    (
        lambda: Adagrad([leaf()], initial_accumulator_value=-1),
        ValueError,
        "expected initial_accumulator_value from 0 on",
    ),
    (lambda: RMSprop([leaf()], alpha=-1), ValueError, "expected alpha from 0 on, got -1"),
    (lambda: RMSprop([leaf()], eps=-1), ValueError, "expected eps from 0 on, got -1"),
    (lambda: Adam([leaf()], lr=-1), ValueError, "expected lr from 0 on, got -1"),
    (lambda: Adam([leaf()], betas=(1.0, 0.9)), ValueError, "got 1.0 for beta1"),
    (lambda: Adam([leaf()], betas=(0.9, -0.1)), ValueError, "got -0.1 for beta2"),
    (lambda: AdamW([leaf()], eps=-1), ValueError, "expected eps from 0 on, got -1"),
    (lambda: Adam(Model()), TypeError, r"Adam: expected an iterable.*, got Model: use Adam\(model\.parameters\(\)\)"),
    (lambda: SGD(Model().parameters, lr=0.1), TypeError, r"got method: use SGD\(model\.parameters\(\)\)"),
    (lambda: Adam([Model()]), TypeError, r"expected Tensors as parameters, got Model: use model\.parameters\(\)"),
    (lambda: Adam([{"params": Model()}]), TypeError, r"expected parameters, got Model: use model\.parameters\(\)"),
    (lambda: Adam([leaf(), ("w", leaf())]), ValueError, "with names, or none of them, got some of each"),
    (
        lambda: Adam([{"params": [("w", leaf())]}, {"params": [leaf()]}]),
        ValueError,
        "all groups with names of their parameters, or none of them",
    ),
    (lambda: Adam([leaf()], lr=0.1, speed=3), TypeError, "Adam: got an unexpected keyword argument 'speed'"),
    (lambda: SGD([leaf()], differentiable=True), TypeError, "SGD: optimizers are not differentiable"),
    (lambda: NAdam([leaf()], betas=(0.9, 1.0)), ValueError, "got 1.0 for beta2"),
    (lambda: RAdam([leaf()], betas=(-1, 0.9)), ValueError, "got -1 for beta1"),
    (lambda: Adamax([leaf()], eps=-1), ValueError, "expected eps from 0 on, got -1"),
    (lambda: Adadelta([leaf()], rho=1.5), ValueError, "expected rho from 0 to 1, got 1.5"),
    (lambda: Rprop([leaf()], etas=(1.5, 1.2)), ValueError, r"0 < etas\[0\] < 1 < etas\[1\], got 1.5 and 1.2"),
    (lambda: ASGD([leaf()], lr=-1), ValueError, "expected lr from 0 on, got -1"),
    (lambda: Lion([leaf()], betas=(1.0, 0.9)), ValueError, "got 1.0 for beta1"),
    (lambda: LAMB([leaf()], betas=(1.0, 0.9)), ValueError, "got 1.0 for beta1"),
    (lambda: Adafactor([leaf()], d=0.5), ValueError, "expected d from 1 on, got 0.5"),
    (lambda: Adafactor([leaf()], beta2_decay=0.5), ValueError, "expected beta2_decay up to 0, got 0.5"),
    (lambda: Adafactor([leaf()], eps=(None, -1)), ValueError, "expected two numbers from 0 on as eps"),
    (lambda: Muon([leaf()]), ValueError, r"Muon: expected parameters with two axes, got the shape \(2,\)"),
    (lambda: Muon([gg.ones((2, 2)).requires_grad_()], ns_steps=100), ValueError, "ns_steps: expected 0 to 99, got 100"),
    (lambda: Muon([gg.ones((2, 2)).requires_grad_()], adjust_lr_fn="rms"), ValueError, "'match_rms_adamw', got 'rms'"),
    (lambda: LBFGS([leaf()], line_search_fn="armijo"), ValueError, "None or 'strong_wolfe', got 'armijo'"),
    (lambda: LBFGS([leaf(), leaf().astype("f8").detach().requires_grad_()]), ValueError, "of one dtype on one device"),
    (lambda: LBFGS([{"params": leaf()}, {"params": leaf()}]), ValueError, "LBFGS: expected a single group"),
    (lambda: LBFGS([leaf()], master_weights=True), ValueError, "LBFGS: expected master_weights=False"),
    (lambda: LBFGS([leaf()]).step(), TypeError, "LBFGS: expected a closure"),
    (lambda: Adam(leaf()), TypeError, r"got a single Tensor: use Adam\(\[x\]\)"),
    (lambda: SGD([leaf()], lr="0.004"), TypeError, r"lr: expected a number, got the string.*use lr=float\('0\.004'\)"),
    (lambda: Adam([leaf()], weight_decay=None), TypeError, "weight_decay: expected a number, got None"),
    (lambda: Adam([leaf()], lr=leaf().sum()), TypeError, r"lr: expected a constant.*needs a gradient.*x\.item\(\)"),
    (lambda: Adam([{"params": [leaf()], "eps": "1e-8"}]), TypeError, "eps: expected a number, got the string"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_errors_of_making_one(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_of_another_shape_updates_nothing():
    params = parameters()
    optimizer = SGD(params)
    give_gradients(params, 0)
    before = values(params)
    params[2].node.watch.grad = gg.ones(4, dtype=gg.float64)
    with pytest.raises(ValueError, match=r"expected a gradient of float64 \(5,\) on .* got float64 \(4,\)"):
        optimizer.step()
    params[2].node.watch.grad = gg.ones(5, dtype=gg.float32)
    with pytest.raises(ValueError, match="got float32"):
        optimizer.step()
    assert_same(values(params), before)


def test_a_parameter_of_another_shape():
    params = parameters()
    optimizer = SGD(params)
    params[2].data = gg.ones(7, dtype=gg.float64).data
    with pytest.raises(ValueError, match=r"changed its shape from \(5,\) to \(7,\)"):
        optimizer.step()


def change(saved, *path, to):
    *way, last = path
    for key in way:
        saved = saved[key]
    if to is None:
        del saved[last]
    else:
        saved[last] = to


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("param_groups",), [], "has 0 parameter groups, this optimizer has 1"),
        (("param_groups", 0, "params"), [0, 1], "has 2 parameters in group 0, this optimizer has 5"),
        (("param_groups", 0, "lr"), -1, "expected lr from 0 on, got -1"),
        (("state", 1, "exp_avg"), numpy.ones(3), r"expected exp_avg of shape \(\) for parameter 1, got \(3,\)"),
        (("state", 2, "exp_avg_sq"), None, "lacks exp_avg_sq of parameter 2"),
        (("state", 2), {"step": 3}, "lacks exp_avg, exp_avg_sq of parameter 2"),
    ],
)
def test_a_state_that_does_not_fit_loads_nothing(path, to, message):
    params = parameters()
    optimizer = Adam(params)
    run(optimizer, params, range(2))
    saved, before = optimizer.state_dict(), optimizer.state_dict()
    change(saved, *path, to=to)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"][0]["exp_avg"].tolist() == before["state"][0]["exp_avg"].tolist()


def test_the_rules_are_kernels():
    assert {"sgd_update", "adam_update"} <= set(rules.elementwise.__globals__["REGISTRY"])


def test_a_frozen_parameter_is_taken_and_left_alone():
    w, frozen = gg.ones(2).requires_grad_(), gg.ones(2)
    optimizer = SGD([w, frozen], lr=0.5)
    (w * frozen).sum().backward()
    optimizer.step()
    assert w.tolist() == [0.5, 0.5]
    assert frozen.tolist() == [1.0, 1.0]
    frozen.requires_grad_()  # thawed: it is in the next step
    w.grad = None
    (w * frozen).sum().backward()
    optimizer.step()
    assert frozen.tolist() == [0.75, 0.75]


# ---------------------------------------------------------------- copies, and signals


@makers
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
@pytest.mark.parametrize("first", ["parameters", "optimizer"])
def test_copies_go_on_like_the_original_and_leave_it_alone(make, duplicate, first):
    params = parameters(gg.float64, gg.float32)
    optimizer = make(params)
    run(optimizer, params, range(3), skip=lambda step: (step,))
    optimizer.param_groups[0]["lr"] = 0.05
    if first == "parameters":
        others, other = duplicate((params, optimizer))
    else:
        other, others = duplicate((optimizer, params))
    assert all(p is q for p, q in zip(others, other.param_groups[0]["params"], strict=True))
    before = values(params)
    run(other, others, range(3, 6))
    assert_same(values(params), before)
    run(optimizer, params, range(3, 6))
    assert_same(values(others), values(params))


@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1"])
@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_in_a_step_is_handled_after_it_and_a_second_one_at_once(name, signals, monkeypatch):
    if not hasattr(signal, name):
        pytest.skip(f"there is no {name} here")
    number = getattr(signal, name)
    params = parameters(gg.float64, gg.float32)
    optimizer = Adam(params)
    give_gradients(params, 0)
    left, real = [number] * signals, Adam.scalars

    def cut(self, *arguments):
        while left:
            os.kill(os.getpid(), left.pop())
        return real(self, *arguments)

    def handler(number, frame):
        raise KeyboardInterrupt

    monkeypatch.setattr(Adam, "scalars", cut)
    before = signal.signal(number, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            optimizer.step()
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    done = [entry["step"] for entry in optimizer.state.values()]
    assert done == ([1] * len(params) if signals == 1 else [])


def test_a_step_outside_of_the_main_thread():
    params = parameters()
    optimizer = Adam(params)
    give_gradients(params, 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(optimizer.step).result()
    assert [entry["step"] for entry in optimizer.state.values()] == [1] * len(params)


# ---------------------------------------------------------------- names, hooks, float32 values of short parameters


def test_named_parameters_and_pytorchs_switches():
    model = Model()
    optimizer = SGD(model.named_parameters(), lr=0.5, foreach=True, fused=None, capturable=False, differentiable=False)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert not {"foreach", "fused", "capturable", "differentiable"} & optimizer.param_groups[0].keys()
    optimizer.add_param_group({"params": [("other", leaf())], "fused": True})
    saved = optimizer.state_dict()
    assert [group["param_names"] for group in saved["param_groups"]] == [["weight", "bias"], ["other"]]
    for group in saved["param_groups"]:
        del group["param_names"]
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[1]["param_names"] == ["other"]
    with pytest.raises(TypeError, match=r"got tuple"):
        SGD([("w", leaf(), 3)])


def test_hooks_of_steps_and_states():
    w = leaf()
    optimizer, seen = SGD([w], lr=1.0), []
    handles = [
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", o is optimizer, args, kwargs))),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", w.tolist()))),
    ]
    w.grad = gg.ones(2)
    optimizer.step()
    assert seen == [("before", True, (), {}), ("after", [0.0, 0.0])]
    for handle in handles:
        handle.remove()
    replaced = optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: "other",), {}))
    assert optimizer.step(lambda: "loss") == "other"
    replaced.remove()
    wrong = optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(TypeError, match=r"step pre-hook: expected None or \(args, kwargs\), got int"):
        optimizer.step()
    wrong.remove()
    assert len(seen) == 2
    order = []
    optimizer.register_state_dict_pre_hook(lambda o: order.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: order.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: state["inner"])
    optimizer.register_load_state_dict_post_hook(lambda o: order.append("loaded"))
    saved = optimizer.state_dict()
    optimizer.load_state_dict({"inner": saved | {"param_groups": [saved["param_groups"][0] | {"lr": 3.0}]}})
    assert (saved["more"], order, optimizer.param_groups[0]["lr"]) == (1, ["first", "second", "loaded"], 3.0)
    with pytest.raises(TypeError, match="expected a hook that can be called, got int"):
        optimizer.register_step_pre_hook(3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_master_weights_follow_float32_and_small_steps_are_not_lost(make, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    short = [p.astype(dtype).detach().requires_grad_() for p in parameters(gg.float32)]
    wide = [p.astype("float32").detach().requires_grad_() for p in short]
    mine, other = make([{"params": short, "master_weights": True}]), make(wide)

    def go(mine, short, other, wide, steps):
        for step in steps:
            for p, q in zip(short, wide, strict=True):
                p.grad = gg.cos(q.detach() + step).astype(dtype)
                q.grad = p.grad.astype("float32")
            mine.step()
            other.step()
        for p, q in zip(short, wide, strict=True):
            numpy.testing.assert_array_equal(p.astype("float32").numpy(), q.astype(dtype).astype("float32").numpy())

    go(mine, short, other, wide, range(4))
    state = mine.state[short[0]]
    assert state["master_param"].dtype == gg.float32
    others = [p.detach().copy().requires_grad_() for p in short]
    resumed = make([{"params": others, "master_weights": True}])
    resumed.load_state_dict(mine.state_dict())
    go(copy.deepcopy((resumed, others))[0], [], other, [], range(0))
    go(resumed, others, other, wide, range(4, 6))
    for p, q in zip(others, wide, strict=True):  # whoever sets a parameter has set it
        p.data, q.data = gg.full(p.shape, 2.5, dtype=dtype).data, gg.full(p.shape, 2.5).data
    go(resumed, others, other, wide, range(6, 7))


# ---------------------------------------------------------------- optimizers of other kinds


def test_muon_and_lbfgs_can_be_copied_and_resumed():
    def muon(params):
        return Muon(params, lr=0.1)

    def lbfgs(params):
        return LBFGS(params, lr=0.1, max_iter=2)

    for make in (muon, lbfgs):
        p = gg.tensor(numpy.random.default_rng(0).normal(size=(3, 2)), requires_grad=True)

        def run(optimizer, p, steps):
            for _ in range(steps):

                def closure():
                    p.grad = None
                    loss = ((p - 1) ** 4).sum()
                    loss.backward()
                    return loss

                optimizer.step(closure)
            return p.numpy()

        optimizer = make([p])
        run(optimizer, p, 3)
        q, copied = copy.deepcopy((p, optimizer))
        r, pickled = pickle.loads(pickle.dumps((p, optimizer)))
        s = p.detach().copy().requires_grad_()
        resumed = make([s])
        resumed.load_state_dict(optimizer.state_dict())
        before = p.numpy()
        found = [run(o, x, 3) for o, x in ((copied, q), (pickled, r), (resumed, s))]
        numpy.testing.assert_array_equal(p.numpy(), before)
        wanted = run(optimizer, p, 3)
        for one in found:
            numpy.testing.assert_array_equal(one, wanted)


def test_schedules_are_copied_and_pickled_with_their_optimizer():
    for duplicate in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        w = leaf()
        optimizer = Adam([w], lr=1.0)
        rates = optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
                optim.lr_scheduler.CosineAnnealingLR(optimizer, 9),
            ], [3],
        )  # fmt: skip
        for _ in range(2):
            rates.step()
        other, others = duplicate((optimizer, rates))
        for _ in range(4):
            others.step()
        assert rates.get_last_lr() != others.get_last_lr() == [other.param_groups[0]["lr"]]
        for _ in range(4):
            rates.step()
        assert rates.get_last_lr() == others.get_last_lr()
