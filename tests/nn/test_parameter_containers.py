"""ParameterList, ParameterDict, Unflatten, and what containers of modules have beside."""

import pytest

import gpugrad as gg
from gpugrad import nn


def test_a_list_of_parameters():
    a, b, c = (nn.Parameter(gg.full(n, float(n))) for n in (1, 2, 3))
    held = nn.ParameterList([a, b])
    held.append(c)
    held += [gg.ones(4)]
    assert len(held) == 4
    assert isinstance(held[3], nn.Parameter)
    assert held[-2] is c
    assert list(held[1:3]) == [b, c]
    assert held.pop(0) is a
    assert list(held.state_dict()) == ["0", "1", "2"]
    held[0] = a
    assert held[0] is a
    del held[1:]
    assert list(held) == [a]
    for call, error, message in (
        (lambda: held[1], IndexError, "index 1 is out of range for a ParameterList of 1 parameters"),
        (lambda: held.append(3), TypeError, "expected a Parameter or a Tensor, got int"),
        (lambda: held.extend(gg.ones(3)), TypeError, "expected several parameters, got Tensor"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_a_dictionary_of_parameters():
    a = nn.Parameter(gg.ones(1))
    held = nn.ParameterDict({"a": a, "b": gg.ones(2)})
    assert held["a"] is a
    assert held.keys() == list(held) == ["a", "b"]
    assert "a" in held
    assert [p.shape for p in held.values()] == [(1,), (2,)]
    assert held.get("c", 5) == 5
    held.update({"c": gg.ones(3)})
    assert held.pop("c").shape == (3,)
    assert [name for name, _ in held.items()] == ["a", "b"]
    with pytest.raises(KeyError, match="'x' is not one of 'a', 'b'"):
        held["x"]
    held.clear()
    assert len(held) == 0
    assert repr(nn.ParameterDict({"a": gg.ones(1)})) == (
        "ParameterDict(\n  (a): Parameter containing: [float32 of size (1,)]\n)"
    )


def test_modules_are_taken_out_and_added_up():
    a, b = nn.Linear(2, 2), nn.ReLU()
    model = nn.Sequential(a, b)
    assert model.pop(0) is a
    assert list(model) == [b]
    model += [a]
    assert list(model) == [b, a]
    assert list(model + nn.Sequential(a)) == [b, a, a]
    assert list(model * 2) == [b, a, b, a]
    model *= 2
    assert list(model) == [b, a, b, a]
    with pytest.raises(ValueError, match="expected a positive number of repetitions, got 0"):
        model * 0
    assert nn.ModuleList([a, b]).pop(-1) is b


def test_unflatten():
    x = gg.arange(24).reshape((2, 12))
    assert (nn.Unflatten(1, (3, -1))(x) == x.reshape((2, 3, 4))).all()
    assert nn.Unflatten(-2, [1, 2])(x).shape == (1, 2, 12)
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(dim=1, unflattened_size=(3, 4))"
    for call, error, message in (
        (lambda: nn.Unflatten("a", (1,)), TypeError, "expected dim as an integer, got str"),
        (lambda: nn.Unflatten(1, 3), TypeError, "expected unflattened_size as integers, got 3"),
        (lambda: nn.Unflatten(1, (-1, -1)), ValueError, r"at most one -1, got \(-1, -1\)"),
        (lambda: nn.Unflatten(2, (1,))(x), IndexError, r"no axis 2 in an input of shape \(2, 12\)"),
        (lambda: nn.Unflatten(1, (5, -1))(x), ValueError, r"size of \(5, -1\) multiplied, got an input of shape"),
    ):
        with pytest.raises(error, match=message):
            call()
