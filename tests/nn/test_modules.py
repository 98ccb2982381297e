"""Parameters and modules: registration, traversal, state, moving, and what is refused."""

import copy
import pickle

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


class Block(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.first = nn.Linear(size, size)
        self.second = nn.Linear(size, size, bias=False)
        self.scale = nn.Parameter(gg.ones(size))
        self.register_buffer("seen", gg.zeros((), dtype=gg.int64))
        self.register_buffer("scratch", gg.zeros(2), persistent=False)
        self.register_parameter("shift", None)

    def forward(self, x):
        return self.second(self.first(x).relu()) * self.scale


def mlp(**options):
    return nn.Sequential(nn.Linear(4, 8, **options), nn.ReLU(), nn.Linear(8, 3, **options))


# -------------------------------------------------------------------- Parameter


def test_a_parameter_is_a_leaf_and_shares_the_memory_of_a_tensor():
    t = gg.ones(3)
    p = nn.Parameter(t)
    assert p.data is t.data
    assert p.requires_grad
    assert p.is_leaf
    assert not t.requires_grad
    assert nn.Parameter([1, 2], requires_grad=False).dtype == gg.int64
    assert type(p * 2) is gg.Tensor


def test_a_parameter_of_an_array_is_on_the_default_device(device):
    array = numpy.ones(3)
    p = nn.Parameter(array)
    array[0] = 5
    assert p.device == device
    assert p.tolist() == [1, 1, 1]
    assert p.dtype == gg.float64


def test_integers_are_not_learned():
    with pytest.raises(TypeError, match="only floating-point tensors can need a gradient, got int64"):
        nn.Parameter([1, 2])


def test_a_copied_parameter_has_a_graph_of_its_own():
    p = nn.Parameter([1.0, 2.0])
    (p * p).sum().backward()
    copied, pickled = copy.deepcopy(p), pickle.loads(pickle.dumps(p))
    assert copied.grad is not p.grad
    assert copied.grad.tolist() == [2, 4]
    assert pickled.grad is None
    for q in (copied, pickled):
        assert isinstance(q, nn.Parameter)
        assert q.requires_grad
        assert q.tolist() == [1, 2]
        assert q.node is not p.node
        q.grad = None
        (gg.exp(q) + q * q).sum().backward()
        numpy.testing.assert_allclose(q.grad.numpy(), numpy.exp([1, 2]) + numpy.array([2, 4]), rtol=1e-6)
    assert p.grad.tolist() == [2, 4]
    assert not copy.deepcopy(nn.Parameter([1.0], requires_grad=False)).requires_grad


def test_a_copied_module_keeps_what_is_shared():
    block = Block()
    block.second = block.first
    for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert other.first is other.second
        assert other.first.weight is not block.first.weight
        assert list(other.state_dict()) == list(block.state_dict())
        other.extra = nn.Linear(1, 1)
        assert not hasattr(block, "extra")
        assert len(list(block.parameters())) == 3


# -------------------------------------------------------------------- registration


def test_names_and_order():
    block = Block()
    assert [n for n, _ in block.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [n for n, _ in block.named_parameters("model", recurse=False)] == ["model.scale"]
    assert [n for n, _ in block.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in block.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in block.named_children()] == ["first", "second"]
    assert list(block.state_dict()) == ["scale", "seen", "first.weight", "first.bias", "second.weight"]
    assert list(block.state_dict(prefix="a")) == [f"a.{key}" for key in block.state_dict()]
    assert len(list(block.modules())) == 3
    assert len(list(block.children())) == 2
    assert len(list(block.buffers())) == 2
    assert len(list(block.parameters(recurse=False))) == 1


def test_what_is_shared_comes_once_but_is_saved_under_each_name():
    block = Block()
    block.second = block.first
    block.third = nn.Linear(3, 3)
    block.third.weight = block.first.weight
    assert [n for n, _ in block.named_parameters()] == ["scale", "first.weight", "first.bias", "third.bias"]
    assert [n for n, _ in block.named_modules()] == ["", "first", "third"]
    assert [n for n, _ in block.named_modules(remove_duplicate=False)] == ["", "first", "second", "third"]
    assert "second.weight" in block.state_dict()
    assert "third.weight" in block.state_dict()


def test_assigning_and_deleting():
    block = Block()
    block.scale = None
    assert "scale" not in block.state_dict()
    block.scale = nn.Parameter(gg.zeros(3))
    assert "scale" in block.state_dict()
    block.shift = nn.Parameter(gg.zeros(3))
    assert "shift" in block.state_dict()
    block.seen = gg.tensor(5)
    assert block.state_dict()["seen"].item() == 5
    del block.first
    assert not any(key.startswith("first") for key in block.state_dict())
    with pytest.raises(AttributeError):
        block.first
    block.second = None
    assert [n for n, _ in block.named_parameters()] == ["scale", "shift"]
    block.note = "plain"
    block.note = nn.Linear(1, 1)
    assert "note.weight" in block.state_dict()


class Forgetful(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(1, 1)


class Empty(nn.Module):
    def __init__(self):
        self.size = 3


WRONG = [
    (lambda: Forgetful(), RuntimeError, r"Forgetful.__init__ must call super\(\).__init__\(\) before it assigns"),
    (lambda: list(Empty().parameters()), RuntimeError, r"Empty.__init__ must call super\(\)"),
    (lambda: setattr(Block(), "scale", gg.ones(3)), TypeError,
     "'scale' is a parameter: expected a Parameter or None, got Tensor"),
    (lambda: setattr(Block(), "first", 3), TypeError, "'first' is a module: expected a Module or None, got int"),
    (lambda: setattr(Block(), "seen", 3), TypeError, "'seen' is a buffer: expected a Tensor or None, got int"),
    (lambda: Block().register_buffer("b", [1]), TypeError, "buffer 'b': expected a Tensor or None, got list"),
    (lambda: Block().register_buffer("a.b", gg.ones(1)), ValueError, "name of a buffer, without dots, got 'a.b'"),
    (lambda: Block().register_buffer("", gg.ones(1)), ValueError, "name of a buffer, without dots, got ''"),
    (lambda: Block().register_buffer("forward", gg.ones(1)), ValueError, "has an attribute 'forward' already"),
    (lambda: Block().register_parameter("p", gg.ones(1)), TypeError, "parameter 'p': expected a Parameter or None"),
    (lambda: Block().register_module("m", nn.ReLU), TypeError, "got the class ReLU itself: call it"),
    (lambda: Block().add_module("m", len), TypeError, "module 'm': expected a Module, got builtin_function"),
    (lambda: nn.Module()(1), NotImplementedError, "Module defines no forward"),
    (lambda: Block().train("yes"), TypeError, "expected True or False, got 'yes'"),
    (lambda: Block().to(gg.int64), TypeError, "floating-point dtype for parameters, got int64"),
    (lambda: Block().to("nonsense"), TypeError, "expected a dtype such as gpugrad.float32, got 'nonsense'"),
    (lambda: nn.Linear(3, 2)(gg.zeros((5, 4))), ValueError,
     r"linear: expected an input of shape \(..., 3\), got \(5, 4\)"),
    (lambda: nn.Linear(3, 2)(gg.tensor(1.0)), ValueError, r"expected an input of shape \(..., 3\), got \(\)"),
    (lambda: nn.Flatten()(gg.zeros(3)), IndexError, r"flatten: there is no axis 1 in an input of shape \(3,\)"),
    (lambda: nn.Flatten(2, 1)(gg.zeros((1, 2, 3))), ValueError, "start_dim 2 comes after end_dim 1"),
    (lambda: nn.Dropout(1.5), ValueError, r"dropout: expected a probability in \[0, 1\], got 1.5"),
    (lambda: nn.functional.dropout(gg.ones(1), -1), ValueError, "expected a probability"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -------------------------------------------------------------------- changing it


def test_modes():
    block = Block()
    assert block.eval() is block
    assert not any(m.training for m in block.modules())
    block.train()
    assert all(m.training for m in block.modules())


def test_gradients_are_forgotten():
    block = Block()
    block(gg.ones((2, 3))).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


def test_freezing():
    block = Block()
    block.first.requires_grad_(False)
    block(gg.ones((2, 3))).sum().backward()
    assert block.first.weight.grad is None
    assert block.second.weight.grad is not None
    assert block.first.requires_grad_().weight.requires_grad


def test_apply_reaches_the_inside_first():
    seen = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


def test_to_keeps_the_parameters_and_their_gradients():
    block = Block()
    block(gg.ones((2, 3))).sum().backward()
    before = dict(block.named_parameters())
    nodes = {name: p.node for name, p in before.items()}
    held = block.scratch.data
    assert block.to(gg.float64) is block
    for name, p in block.named_parameters():
        assert p is before[name]
        assert p.node is nodes[name]
        assert p.is_leaf
        assert p.dtype == p.grad.dtype == gg.float64
    assert block.seen.dtype == gg.int64
    assert block.scratch.dtype == gg.float64
    assert held.dtype == "float32"
    block(gg.ones((2, 3), dtype=gg.float64)).sum().backward()
    assert block.scale.grad.dtype == gg.float64
    data = block.scale.data
    assert block.to(block.scale.device, dtype="float64").scale.data is data


def test_a_graph_from_before_to_is_refused():
    block = Block()
    y = block(gg.ones((2, 3))).sum()
    block.to(gg.float64)
    with pytest.raises(gg.GradientError, match="changed in place"):
        y.backward()


# -------------------------------------------------------------------- state


def test_state_does_not_alias():
    block = Block()
    state = block.state_dict()
    before = {key: value.tolist() for key, value in state.items()}
    with gg.no_grad():
        block.scale += 1
    block.seen += 1
    assert {key: value.tolist() for key, value in state.items()} == before
    assert not any(value.requires_grad for value in state.values())


def test_loading_writes_into_the_memory_there_is():
    a, b = Block(), Block()
    data = {name: p.data for name, p in b.named_parameters()}
    seen = b.seen.data
    a.seen = gg.tensor(7)
    x = gg.ones((1, 3))
    assert b.load_state_dict(a.state_dict()) == ([], [])
    for name, p in b.named_parameters():
        assert p.data is data[name]
    assert (a(x) == b(x)).all()
    assert b.seen.item() == 7
    assert seen.item() == 0  # a buffer has value semantics


def test_loading_is_a_change_that_backward_notices():
    block = Block()
    y = block(gg.ones((2, 3))).sum()
    block.load_state_dict(block.state_dict())
    with pytest.raises(gg.GradientError, match="changed in place"):
        y.backward()


def test_loading_arrays_of_another_dtype():
    model = mlp()
    state = {key: numpy.full(value.shape, 0.5) for key, value in model.state_dict().items()}
    model.load_state_dict(state)
    assert all((p == 0.5).all() and p.dtype == gg.float32 for p in model.parameters())
    double = mlp(dtype=gg.float64)
    third = {key: numpy.full(value.shape, 1 / 3).tolist() for key, value in model.state_dict().items()}
    double.load_state_dict(third)
    assert all((p == 1 / 3).all() for p in double.parameters())


def test_loading_says_everything_that_is_wrong_and_writes_nothing():
    model = mlp()
    before = {key: value.tolist() for key, value in model.state_dict().items()}
    state = {key: gg.zeros_like(value) for key, value in model.state_dict().items()}
    state["2.weight"] = gg.zeros((3, 9))
    state["0.weight"] = "nonsense"
    del state["2.bias"]
    state["extra"] = gg.zeros(1)
    with pytest.raises(RuntimeError, match="the state does not fit Sequential") as caught:
        model.load_state_dict(state)
    assert "missing keys: 2.bias" in str(caught.value)
    assert "unexpected keys: extra" in str(caught.value)
    assert "2.weight: expected shape (3, 8), got (3, 9)" in str(caught.value)
    assert "0.weight: expected numbers, got str" in str(caught.value)
    with pytest.raises(RuntimeError, match=r"2.weight: expected shape \(3, 8\), got \(3, 9\)"):
        model.load_state_dict({"2.weight": gg.zeros((3, 9))}, strict=False)
    assert {key: value.tolist() for key, value in model.state_dict().items()} == before


def test_loading_in_part():
    model = mlp()
    found = model.load_state_dict({"0.bias": gg.ones(8), "other": 1}, strict=False)
    assert found.missing_keys == ["0.weight", "2.weight", "2.bias"]
    assert found.unexpected_keys == ["other"]
    assert (model[0].bias == 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_to_pytorch_and_back(dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    theirs = theirs.to(getattr(torch, dtype))
    ours = mlp(dtype=dtype)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, labels = rng.standard_normal((6, 4)).astype(dtype), rng.integers(0, 3, 6)
    tolerance = {"float64": 1e-9, "float32": 1e-5}[dtype]

    def same():
        loss = nn.CrossEntropyLoss()(ours(gg.tensor(x)), gg.tensor(labels))
        loss_ = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(labels))
        numpy.testing.assert_allclose(loss.item(), loss_.item(), rtol=tolerance)
        ours.zero_grad()
        theirs.zero_grad()
        loss.backward()
        loss_.backward()
        for p, p_ in zip(ours.parameters(), theirs.parameters(), strict=True):
            numpy.testing.assert_allclose(p.grad.numpy(), p_.grad.numpy(), rtol=tolerance, atol=tolerance)

    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    same()
    ours.apply(lambda m: m.reset_parameters() if isinstance(m, nn.Linear) else None)
    theirs.load_state_dict({key: torch.from_numpy(value.numpy()) for key, value in ours.state_dict().items()})
    same()
