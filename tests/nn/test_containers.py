"""Sequential, ModuleList and ModuleDict behave as lists and dictionaries, and read as PyTorch's."""

from collections import OrderedDict

import pytest

import gpugrad as gg
from gpugrad import nn


def layers(n):
    return [nn.Linear(2, 2) for _ in range(n)]


def test_sequential_calls_one_after_the_other():
    first, second = layers(2)
    model = nn.Sequential(first, nn.ReLU(), second)
    x = gg.tensor([[1.0, -2.0]])
    assert (model(x) == second(gg.relu(first(x)))).all()
    assert nn.Sequential()(x) is x


def test_sequential_of_a_dictionary():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.Tanh()))
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert model.act is model[1]
    assert list(model[:1].state_dict()) == ["first.weight", "first.bias"]


@pytest.mark.parametrize("make", [lambda ms: nn.Sequential(*ms), nn.ModuleList])
def test_a_list(make):
    a, b, c, d = layers(4)
    held = make([a, b, c])
    assert len(held) == 3
    assert held[0] is a
    assert held[-1] is c
    assert list(held) == [a, b, c]
    assert isinstance(held[1:], type(held))
    assert list(held[1:]) == [b, c]
    assert list(held[::-1]) == [c, b, a]
    held[1] = d
    assert list(held) == [a, d, c]
    assert [name for name, _ in held.named_children()] == ["0", "1", "2"]
    del held[0]
    assert list(held) == [d, c]
    assert [name for name, _ in held.named_children()] == ["0", "1"]
    held.insert(0, a).append(b).extend(layers(1))
    assert list(held)[:4] == [a, d, c, b]
    del held[1:3]
    assert list(held)[:2] == [a, b]
    assert [name for name, _ in held.named_children()] == ["0", "1", "2"]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index} is out of range for a {type(held).__name__} of 3 modules"):
            held[index]
        with pytest.raises(IndexError, match="out of range"):
            del held[index]
    with pytest.raises(TypeError, match="module '3': expected a Module, got the class ReLU itself"):
        held.append(nn.ReLU)
    with pytest.raises(TypeError, match="expected a Module, got NoneType"):
        held.append(None)


def test_lists_add_up():
    a, b, c = layers(3)
    held = nn.ModuleList([a])
    held += [b]
    more = [c]
    assert list(held + more) == [a, b, c]
    assert list(held) == [a, b]


def test_a_dictionary():
    a, b = layers(2)
    held = nn.ModuleDict({"a": a})
    held["b"] = b
    assert list(held) == held.keys() == ["a", "b"]
    assert held.values() == [a, b]
    assert held.items() == [("a", a), ("b", b)]
    assert "a" in held
    assert len(held) == 2
    assert held.pop("a") is a
    assert "a" not in held
    held.update([("c", a)])
    held.update(nn.ModuleDict({"d": a}))
    assert list(held.state_dict()) == [f"{k}.{p}" for k in "bcd" for p in ("weight", "bias")]
    with pytest.raises(KeyError, match="'x' is not one of 'b', 'c', 'd'"):
        held["x"]
    with pytest.raises(KeyError, match="'x' is not one of"):
        del held["x"]
    with pytest.raises(ValueError, match="has an attribute 'keys' already"):
        held["keys"] = a
    held.clear()
    assert not held.keys()


def trees(nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Tanh()))
            self.heads = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Linear(1, 2, bias=False)])
            self.more = nn.ModuleDict({"a": nn.Sigmoid(), "b": nn.Softmax(dim=1), "c": nn.LogSoftmax(dim=-1)})
            self.flat = nn.Flatten()
            self.same = nn.Identity()
            self.loss = nn.CrossEntropyLoss()
            self.many = nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])

    return Net(), nn.Sequential(), nn.ModuleList(), nn.ReLU()


def test_representations_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    for ours, theirs in zip(trees(nn), trees(torch.nn), strict=True):
        assert repr(ours) == repr(theirs)
    assert repr(nn.Dropout(0.2)) == "Dropout(p=0.2)"


def test_a_representation_of_several_lines():
    class Long(nn.Module):
        def extra_repr(self):
            return "one\ntwo"

    assert repr(nn.Sequential(Long())) == "Sequential(\n  (0): Long(\n    one\n    two\n  )\n)"
