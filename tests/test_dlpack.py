"""Tensors among other libraries: DLPack, the CUDA array interface, and the array standard's questions."""

import numpy
import pytest

import gpugrad as gg

VALUES = numpy.arange(6.0).reshape(2, 3)


@pytest.fixture
def host(device):
    if not device.is_host:
        pytest.skip("memory of the CPU")


@pytest.fixture
def torch(host):
    return pytest.importorskip("torch")


# ---------------------------------------------------------------- out


@pytest.mark.usefixtures("host")
def test_numpy_shares_a_constant_and_may_not_write():
    x = gg.tensor(VALUES)
    a = numpy.from_dlpack(x)
    assert numpy.shares_memory(a, x.data)
    assert not a.flags.writeable
    assert x.data.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 1.0
    x += 1  # a new value, elsewhere
    assert (a == VALUES).all()


@pytest.mark.usefixtures("host")
def test_a_copy_where_it_is_asked_for():
    x = gg.tensor(VALUES)
    assert not numpy.shares_memory(numpy.from_dlpack(x, copy=True), x.data)
    assert numpy.shares_memory(numpy.from_dlpack(x, copy=False), x.data)


class Old:
    """A consumer of before DLPack 1.0, which knows no read-only memory."""

    def __init__(self, tensor, **options):
        self.tensor, self.options = tensor, options

    def __dlpack__(self, **_):
        return self.tensor.__dlpack__(**self.options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


@pytest.mark.usefixtures("host")
def test_a_consumer_that_cannot_be_told_gets_a_copy():
    x = gg.tensor(VALUES)
    a = numpy.from_dlpack(Old(x))
    assert not numpy.shares_memory(a, x.data)
    assert (a == VALUES).all()
    with pytest.raises(BufferError, match=r"shared from DLPack 1\.0 on; got copy=False"):
        numpy.from_dlpack(Old(x, copy=False))


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint16", "float16", "float32", "float64", "complex64"])
def test_to_pytorch_and_back(dtype, torch):
    x = gg.tensor((VALUES[:, ::2] > 0).astype(dtype))
    t = torch.from_dlpack(x)
    assert t.tolist() == x.tolist()
    assert t.data_ptr() == x.data.ctypes.data
    back = gg.from_dlpack(t)
    assert (back.dtype, back.shape) == (x.dtype, x.shape)
    assert numpy.shares_memory(back.data, x.data)
    assert back.tolist() == x.tolist()


def test_views_empty_arrays_and_scalars(torch):
    for x in (gg.tensor(VALUES).T[::2], gg.zeros((0, 3)), gg.tensor(2.5)):
        assert torch.from_dlpack(x).tolist() == x.tolist()
        assert gg.from_dlpack(torch.from_dlpack(x)).tolist() == x.tolist()


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 2], ids=["leaf", "result"])
def test_a_tensor_that_needs_a_gradient_is_refused(make, device):
    x = make(gg.tensor(VALUES, requires_grad=True))
    text = r"needs a gradient is not handed to another library: use x\.detach\(\)"
    with pytest.raises(gg.GradientError, match=text):
        x.__dlpack__()
    with pytest.raises(gg.GradientError, match=text):
        gg.from_dlpack(x)
    assert not hasattr(x, "__cuda_array_interface__")


def test_what_goes_out_of_a_leaf_is_a_copy(torch):
    w = gg.tensor(VALUES, requires_grad=True)
    t = torch.from_dlpack(w.detach())
    with gg.no_grad():
        w -= 1
    assert t.tolist() == VALUES.tolist()


# ---------------------------------------------------------------- in


def test_pytorchs_memory_is_shared(torch):
    t = torch.arange(3.0)
    x = gg.from_dlpack(t)
    t[0] = 5
    assert x.tolist() == [5.0, 1.0, 2.0]
    assert not x.requires_grad
    y = gg.from_dlpack(t, copy=True)
    t[0] = 6
    assert y.tolist() == [5.0, 1.0, 2.0]


def test_pytorchs_tensors_are_no_operands(torch):
    with pytest.raises(TypeError, match=r"multiply: .* got torch\.Tensor \(gg\.from_dlpack makes a tensor of it\)"):
        gg.ones(2) * torch.ones(2)


def test_pytorch_keeps_its_own_gradients(torch):
    with pytest.raises(BufferError, match=r"requires? grad"):
        gg.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="expected memory of the CPU or of a CUDA GPU, got DLPack's device 1"):
        gg.from_dlpack(Elsewhere())


class Elsewhere:
    def __dlpack__(self, **options):
        raise AssertionError

    def __dlpack_device__(self):
        return 10, 0  # ROCm


def test_a_gradient_through_borrowed_memory(torch):
    x = gg.from_dlpack(torch.arange(3.0)).requires_grad_()
    (x * x).sum().backward()
    assert torch.from_dlpack(x.grad).tolist() == [0.0, 2.0, 4.0]


@pytest.mark.usefixtures("host")
def test_from_dlpack_by_device_and_copy():
    a = VALUES.copy()
    assert numpy.shares_memory(gg.from_dlpack(a, device="cpu").data, a)
    assert not numpy.shares_memory(gg.from_dlpack(a, copy=True).data, a)
    assert numpy.shares_memory(gg.from_dlpack(gg.asarray(a), copy=False).data, a)
    with pytest.raises(TypeError, match="from_dlpack: expected an object with __dlpack__, got list"):
        gg.from_dlpack([1.0])


def test_arrays_of_a_gpu(device):
    x = gg.tensor(VALUES)
    kind = 1 if device.is_host else 2
    assert x.__dlpack_device__() == (kind, device.index)
    assert gg.from_dlpack(x).device == device
    assert gg.from_dlpack(x, device="cpu").tolist() == x.tolist()
    if device.is_host:
        with pytest.raises(AttributeError, match="a tensor on the CPU has no __cuda_array_interface__"):
            x.__cuda_array_interface__
        return
    assert x.__cuda_array_interface__["shape"] == (2, 3)
    assert x.__cuda_array_interface__["data"][0] == x.data.data.ptr
    with pytest.raises(ValueError, match="needs a copy"):
        gg.from_dlpack(x, device="cpu", copy=False)
    with pytest.raises(AttributeError, match=r"that needs a gradient has no __cuda_array_interface__: use x\.detach"):
        x.requires_grad_().__cuda_array_interface__


# ---------------------------------------------------------------- the standard's questions


def test_the_namespace():
    x = gg.ones(2)
    assert x.__array_namespace__() is gg
    assert x.__array_namespace__(api_version=gg.__array_api_version__) is gg
    assert gg.nn.Parameter(x).__array_namespace__() is gg
    with pytest.raises(ValueError, match=r"expected a version .* got '1999.12'"):
        x.__array_namespace__(api_version="1999.12")


def test_libraries_find_the_namespace():
    compat = pytest.importorskip("array_api_compat")
    x = gg.ones(2).requires_grad_()
    assert compat.is_array_api_obj(x)
    assert compat.array_namespace(x, gg.zeros(2), 1.0, None) is gg
    assert compat.device(x) == x.device
    assert compat.to_device(x, x.device) is x
    with pytest.raises(TypeError, match="Multiple namespaces"):
        compat.array_namespace(x, numpy.ones(2))


def test_what_the_namespace_can_do(device):
    info = gg.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.capabilities()["data-dependent shapes"] is True
    assert gg.ones((1,) * info.capabilities()["max dimensions"]).ndim == 64
    assert info.default_device() == device
    assert gg.device("cpu") in info.devices()
    assert device in info.devices()


def test_dtypes_of_the_namespace():
    info = gg.__array_namespace_info__()
    assert info.default_dtypes() == {
        "real floating": gg.float32, "complex floating": gg.complex64, "integral": gg.int64, "indexing": gg.int64
    }  # fmt: skip
    with gg.default_dtype(gg.float64):
        assert info.default_dtypes(device="cpu")["complex floating"] == gg.complex128
    assert info.dtypes(kind="bool") == {"bool": gg.bool}
    assert info.dtypes(kind=("bool", "real floating")) == {
        "bool": gg.bool,
        "float32": gg.float32,
        "float64": gg.float64,
    }
    assert len(info.dtypes()) == 13
    assert all(getattr(gg, name) == dtype for name, dtype in info.dtypes().items())
    with pytest.raises(ValueError, match=r"expected kinds of dtypes in .* got \['real'\]"):
        info.dtypes(kind="real")


def test_to_device(device):
    x = gg.tensor(VALUES, requires_grad=True)
    assert x.to_device(device) is x
    there = x.to_device("cpu")
    assert there.device == "cpu"
    there.sum().backward()
    assert x.grad.device == device
    with pytest.raises(ValueError, match="copies go on the current stream, got stream=7"):
        x.to_device(device, stream=7)


def test_a_copy_on_a_gpu(device):
    """CuPy's own ``__dlpack__(copy=True)`` copies to the CPU alone."""
    if device.is_host:
        pytest.skip("memory of a GPU")
    import cupy

    x = gg.tensor(VALUES)
    if not hasattr(cupy, "from_dlpack"):
        with pytest.raises(BufferError, match="in no memory that another library could reach"):
            x.__dlpack__(copy=True)
        return
    beside = cupy.cuda.Stream(non_blocking=True)
    for stream in (None, 1, -1, beside.ptr):
        for options in ({}, {"max_version": (1, 0)}, {"dl_device": (2, 0)}):
            copy = cupy.from_dlpack(Old(x, stream=stream, copy=True, **options))
            beside.synchronize()
            copy += 1
            assert (copy.get() == VALUES + 1).all()
            assert (x.numpy() == VALUES).all()
    assert cupy.from_dlpack(x, copy=False).data.ptr == x.data.data.ptr
