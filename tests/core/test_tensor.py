"""The Tensor itself: what it says of itself, how it becomes Python and NumPy, its methods and operators."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad.core import tensor as tensor_module

host_only = pytest.mark.usefixtures("host")


@pytest.fixture
def host(device):
    if not device.is_host:
        pytest.skip("about memory on the host")


def test_attributes():
    x = gg.zeros((2, 3), dtype=gg.float64)
    assert (x.shape, x.dtype, x.ndim, x.size, x.nbytes, len(x)) == ((2, 3), gg.float64, 2, 6, 48, 2)
    assert x.device == gg.get_default_device()
    assert x.grad is None


def test_len_and_iteration():
    x = gg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(gg.tensor(1.0))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(gg.tensor(1.0))


@host_only
def test_repr():
    assert repr(gg.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(gg.tensor([1, 2])) == "tensor([1, 2])"
    assert repr(gg.tensor([True])) == "tensor([ True])"
    assert repr(gg.tensor(1.0, dtype=gg.float64, requires_grad=True)) == "tensor(1., dtype=float64, requires_grad=True)"
    assert repr(gg.tensor([1.0], requires_grad=True) * 2) == "tensor([2.], op=multiply)"
    assert repr(gg.zeros((0, 2))) == "tensor([], shape=(0, 2))"


def test_format():
    assert f"{gg.tensor(1.23456):.2f}" == "1.23"
    assert f"{gg.tensor([7]):4d}" == "   7"
    assert f"{gg.tensor([1.0, 2.0])}" == repr(gg.tensor([1.0, 2.0]))


def test_numbers():
    x = gg.tensor([[2.5]])
    assert (x.item(), float(x), int(x), complex(x), bool(x)) == (2.5, 2.5, 2, 2.5 + 0j, True)
    assert type(x.item()) is float
    assert gg.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert [10, 20, 30][gg.tensor(1)] == 20
    with pytest.raises(TypeError, match="only an integer tensor can be an index, got float32"):
        [1, 2][gg.tensor(1.0)]
    for read in (lambda x: x.item(), float, int, complex):
        with pytest.raises(ValueError, match=r"exactly one element, got shape \(2,\)"):
            read(gg.zeros(2))


@pytest.mark.parametrize("shape", [(2,), (0,), (1, 2)])
def test_truth_of_several_elements(shape):
    with pytest.raises(ValueError, match=r"truth value of a tensor of shape .* is ambiguous: use gg.any or gg.all"):
        bool(gg.zeros(shape))


def test_numpy_is_a_copy():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    a = x.numpy()
    a[...] = 9
    assert x.tolist() == [1.0, 2.0]


@host_only
def test_conversion_by_numpy():
    x = gg.tensor([1.0, 2.0])
    a = numpy.asarray(x)
    assert (a.dtype, a.tolist()) == (numpy.float32, [1.0, 2.0])
    a[0] = 5
    assert x.tolist() == [1.0, 2.0]
    assert numpy.asarray(x, dtype=numpy.float64).dtype == numpy.float64
    assert numpy.shares_memory(numpy.array(x, copy=False), x.data)
    with pytest.raises(ValueError, match="copy"):
        numpy.array(x, dtype=numpy.float64, copy=False)


@host_only
def test_conversion_by_numpy_is_refused_where_a_gradient_would_go_unnoticed():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    for t in (x, x * 2):
        with pytest.raises(gg.GradientError, match=r"not converted to a NumPy array implicitly.*use x.detach\(\)"):
            numpy.asarray(t)


def test_on_a_gpu_conversion_by_numpy_is_refused(device):
    if device.is_host:
        pytest.skip("needs a GPU; tests/backend has a stand-in")
    with pytest.raises(TypeError, match=r"on cuda:0 is not copied to a NumPy array implicitly: use x.numpy\(\)"):
        numpy.asarray(gg.zeros(2))


@host_only
def test_operators_beside_numpy_arrays_are_the_tensors():
    x, a = gg.tensor([1.0, 2.0], requires_grad=True), numpy.array([3.0, 4.0])
    for y in (a * x, x * a, numpy.float64(3.0) * x, a - x, a @ x, a / x, a**x):
        assert isinstance(y, gg.Tensor)
        assert y.dtype == gg.float64
    assert isinstance(a < x, gg.Tensor)
    b = numpy.ones(2)
    with pytest.raises(TypeError):
        b += x


def test_python_numbers_are_weak():
    for dtype in (gg.float16, gg.float32, gg.float64):
        x = gg.ones(2, dtype=dtype)
        for y in (
            x + 1,
            1.5 * x,
            x / 2,
            2 - x,
            x**2,
            2**x,
            x + True,
            gg.where(x > 0, x, 0.0),
            gg.maximum(x, 0),
            gg.clip(x, 0, 1.0),
        ):
            assert y.dtype == dtype
    i = gg.tensor([1, 2], dtype=gg.int8)
    assert (i + 1).dtype == gg.int8
    assert (i * 1.5).dtype == gg.float64
    assert (i / 2).dtype == numpy.true_divide(numpy.ones(1, "int8"), 2).dtype
    with pytest.raises(OverflowError, match=r"add: .*300 out of bounds"):
        i + 300


def test_numpy_scalars_are_strong():
    x = gg.ones(2, dtype=gg.float32)
    assert (x * numpy.float64(2)).dtype == gg.float64
    assert (numpy.float64(2) * x).dtype == gg.float64
    assert (x * numpy.float32(2)).dtype == gg.float32
    assert (x * numpy.int64(2)).dtype == numpy.result_type(numpy.float32, numpy.int64)


def test_weak_operands_do_not_widen_gradients():
    x = gg.ones(3, dtype=gg.float32).requires_grad_()
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.dtype))
    (((y / 3 + 1) ** 2 - 0.5).sum() * 4.0).backward()
    assert seen == [gg.float32]


REFLECTED = [
    ("+", lambda a, b: a + b), ("-", lambda a, b: a - b), ("*", lambda a, b: a * b), ("/", lambda a, b: a / b),
    ("//", lambda a, b: a // b), ("%", lambda a, b: a % b), ("**", lambda a, b: a**b),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "f"), REFLECTED, ids=[s for s, _ in REFLECTED])
def test_operators_on_both_sides(symbol, f):
    a, n = numpy.array([1.5, 2.5]), 2.0
    x = gg.tensor(a)
    for ours, numpys in ((f(x, n), f(a, n)), (f(n, x), f(n, a)), (f(x, x), f(a, a))):
        assert ours.tolist() == pytest.approx(numpys.tolist(), rel=4e-16)  # a GPU's power has a last digit of its own


def test_integer_operators():
    a, b = gg.tensor([6, 5]), gg.tensor([3, 1])
    assert [(a & b).tolist(), (a | b).tolist(), (a ^ b).tolist(), (~a).tolist()] == [[2, 1], [7, 5], [5, 4], [-7, -6]]
    assert [(7 & a).tolist(), (1 | a).tolist(), (1 ^ a).tolist()] == [[6, 5], [7, 5], [7, 4]]
    assert (~gg.tensor([True, False])).tolist() == [False, True]


def test_comparisons_are_tensors_and_tensors_are_hashable():
    x = gg.tensor([1.0, 2.0])
    assert [(x == 1).tolist(), (x != 1).tolist(), (x < 2).tolist()] == [[True, False], [False, True], [True, False]]
    assert [(x <= 1).tolist(), (x > 1).tolist(), (x >= 2).tolist()] == [[True, False], [False, True], [False, True]]
    assert (x > 1).tolist() == [False, True]
    assert {x: 1}[x] == 1


def test_methods_are_the_functions():
    x = gg.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=gg.float64, requires_grad=True)
    names = "exp log sqrt square sin cos tanh abs relu sigmoid sum mean max min prod var std argmax argmin"
    for name in names.split():
        assert getattr(x, name)().tolist() == getattr(gg, name)(x).tolist()
    for name in ["sum", "mean", "max", "min", "prod", "var", "std"]:
        expected = getattr(gg, name)(x, axis=1, keepdims=True)
        assert getattr(x, name)(axis=1, keepdims=True).tolist() == expected.tolist()
    assert (x > 0).all().item()
    assert not (x > 1).any().item()
    assert x.clip(0.2, 0.5).tolist() == gg.clip(x, 0.2, 0.5).tolist()
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == x.reshape([3, 2]).shape == (3, 2)
    assert x.reshape(-1).shape == x.flatten().shape == (6,)
    assert (
        x.T.shape == x.mT.shape == x.transpose().shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (3, 2)
    )
    assert x.reshape(2, 1, 3).squeeze(1).shape == (2, 3)
    assert gg.zeros((2, 3, 4)).T.shape == (4, 3, 2)
    assert gg.zeros((2, 3, 4)).swapaxes(0, 2).shape == (4, 3, 2)
    assert (x > 0.4).nonzero()[1].tolist() == [1, 2]
    assert x[0].searchsorted(gg.tensor(0.15)).item() == 1
    assert x.compress([False, True], axis=0).tolist() == [[0.4, 0.5, 0.6]]
    assert x.itemsize == 8
    assert gg.zeros((2, 3, 4)).mT.shape == (2, 4, 3)
    assert x.astype(gg.float32).dtype == gg.float32
    assert x.astype(gg.float64, copy=False) is x
    assert gg.tensor(1.0).T.shape == ()


def test_the_stub_names_what_is_bound():
    """``core/methods.pyi`` is what a type checker sees; ``ops.methods.bind`` is what happens."""
    core = Path(tensor_module.__file__).parent

    def names(path, cls):
        (body,) = (n.body for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef) and n.name == cls)
        return {n.name for n in body if isinstance(n, ast.FunctionDef)}

    own = names(core / "tensor.py", "Tensor") | {"__slots__", "__hash__", "__annotations__"}
    own |= {"__module__", "__doc__", "__weakref__", "data", "node", "__static_attributes__", "__firstlineno__"}
    bound = {name for name in vars(gg.Tensor) if name not in own}
    stub = core / "methods.pyi"
    ours = names(stub if stub.exists() else core / "methods.py", "TensorMethods")
    pytorchs = names(core / "pytorch.pyi", "PyTorchMethods")
    assert not ours & pytorchs
    assert ours | pytorchs == bound


def test_tensors_take_no_other_attributes():
    with pytest.raises(AttributeError):
        gg.zeros(2).colour = "red"


@host_only
def test_constants_can_be_pickled():
    x = pickle.loads(pickle.dumps(gg.tensor([1.0, 2.0])))
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data", [[[1.0, 2.0], [3.0]], [[1], 2]])
def test_ragged_lists(data):
    with pytest.raises(ValueError, match="expected nested lists of equal length"):
        gg.tensor(data)


@pytest.mark.parametrize("data", ["text", None, ["a"], object(), {1: 2}], ids=lambda data: type(data).__name__)
def test_no_numbers(data):
    with pytest.raises(TypeError, match="expected numbers, got"):
        gg.tensor(data)


def test_tensor_copies_and_asarray_shares():
    x = gg.tensor([1.0, 2.0])
    assert gg.asarray(x).data is x.data
    assert gg.asarray(x) is not x
    assert gg.asarray(x, copy=True).data is not x.data
    assert gg.tensor(x).data is not x.data
    assert gg.asarray(x.data).data is x.data
    with pytest.raises(
        ValueError, match=r"asarray: float32 on .* to float64 .* needs a copy, copy=False was asked for"
    ):
        gg.asarray(x, dtype=gg.float64, copy=False)
    with pytest.raises(ValueError, match="asarray: a list cannot be shared"):
        gg.asarray([1.0], copy=False)


def test_asarray_of_a_result_stays_in_the_graph_and_is_another_tensor():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    for t in (w, w * 1):
        a = gg.asarray(t)
        assert a is not t
        assert a.node is t.node
        b = gg.asarray(t, dtype=gg.float64)
        b.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="needs a copy"):
        gg.asarray(w, dtype=gg.float64, copy=False)
    y = w * 1
    a = gg.asarray(y)
    a += 1
    assert y.tolist() == [1.0, 2.0]


def test_creation():
    assert gg.arange(1, 7, 2).tolist() == [1, 3, 5]
    assert gg.arange(3.0).dtype == gg.float32
    assert gg.linspace(0, 1, 5, endpoint=False).tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert gg.eye(2, 3, k=1).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert gg.full((2,), 3).dtype == gg.int64
    assert gg.full((2,), True).dtype == gg.bool
    assert gg.full((), 2.5).item() == 2.5
    x = gg.ones((2, 3), dtype=gg.float16)
    for like in (gg.zeros_like(x), gg.ones_like(x), gg.empty_like(x), gg.full_like(x, 4)):
        assert (like.shape, like.dtype, like.device, like.requires_grad) == (x.shape, x.dtype, x.device, False)
    assert gg.zeros_like(x, dtype=gg.int32).dtype == gg.int32
    assert gg.tensor(numpy.float64(1.5)).dtype == gg.float64
    assert gg.tensor(1.5).dtype == gg.float32
    assert gg.tensor(2).dtype == gg.int64
    assert gg.tensor(2, dtype=gg.float64, requires_grad=True).requires_grad


def test_astype_carries_the_gradient_back_in_the_variables_dtype():
    x = gg.tensor([1.5, 2.5], requires_grad=True)
    (gg.astype(x, gg.float64) ** 2).sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (gg.float32, [3.0, 5.0])
    assert not gg.astype(x, gg.int32).requires_grad


def test_to():
    x = gg.tensor([1.5], requires_grad=True)
    assert x.to(x.device) is x
    assert x.to(x.dtype) is x
    y = x.to(gg.float64, x.device)
    assert (y.dtype, y.requires_grad) == (gg.float64, True)
    assert x.to(dtype="float16").dtype == gg.float16
    with pytest.raises(ValueError, match="expected a device such as 'cpu', 'cuda' or 'cuda:1', got 'gpu' or a dtype"):
        x.to("gpu")
    with pytest.raises(TypeError, match="expected a dtype"):
        x.to(dtype="cpu")


@pytest.mark.parametrize("call", [
    lambda x, n: x * n, lambda x, n: n - x, lambda x, n: x**n, lambda x, n: n <= x, lambda x, n: gg.maximum(x, n),
    lambda x, n: gg.where(x > 1, x, n), lambda x, n: gg.clip(x, 0, n), lambda x, n: gg.full_like(x, n),
    lambda x, n: gg.full(2, n, device=x.device), lambda x, n: gg.pad(x, (n, 1), constant_values=n),
    lambda x, n: gg.tensor([n, n], device=x.device), lambda x, n: numpy.add(x, n), lambda x, n: gg.arange(n),
])  # fmt: skip
def test_the_size_counts_as_a_number_everywhere(call, device):
    """It is of a subclass of int, which CuPy's functions refuse."""
    x = gg.tensor([1.0, 2.0, 3.0], device=device)
    got, expected = call(x, x.size), call(x, 3)
    assert (got.dtype, got.tolist()) == (expected.dtype, expected.tolist())
