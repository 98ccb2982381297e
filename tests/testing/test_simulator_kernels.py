"""Raw kernels on the simulator: they compute what CUDA would, and what CUDA would not say is an error."""

from __future__ import annotations

import os
import stat

import numpy
import pytest

from gpugrad.testing import cuda_simulator
from gpugrad.testing.cuda_simulator import KernelError, compiler
from gpugrad.testing.cuda_simulator.kernels import CUDADriverError

SEEDS = [0, 1, 2, 3]
seeds = pytest.mark.parametrize("seed", SEEDS)


def kernel(cp, name, parameters, body, head=""):
    return cp.RawKernel(f'{head}\nextern "C" __global__ void {name}({parameters}) {{\n{body}\n}}\n', name)


@pytest.fixture
def x(cp, rng):
    return cp.asarray(rng.standard_normal(1000).astype(numpy.float32))


@seeds
def test_vector_add(cp, x, seed):
    add = kernel(
        cp,
        "add",
        "const float* __restrict__ a, const float* __restrict__ b, float* out, long long n",
        """
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < n) out[i] = a[i] + b[i];""",
    )
    y = cp.empty_like(x)
    with cuda_simulator.thread_order(seed), cuda_simulator.count() as seen:
        add((4,), (256,), (x, x, y, numpy.int64(1000)))
    assert (y == 2 * x).all()
    assert seen.kernels == {"add": 1}


BLOCK_SUM = """
__shared__ float part[256];
float v = 0;
for (int i = threadIdx.x; i < n; i += blockDim.x) v += a[i];
part[threadIdx.x] = v;
__syncthreads();
for (int k = blockDim.x / 2; k; k /= 2) {
    if (threadIdx.x < k) part[threadIdx.x] += part[threadIdx.x + k];
    __syncthreads();
}
if (threadIdx.x == 0) out[0] = part[0];
"""
WARP_SUM = """
float v = 0;
for (int i = threadIdx.x; i < n; i += 32) v += a[i];
for (int k = 16; k; k /= 2) v += __shfl_down_sync(0xffffffff, v, k);
if (threadIdx.x == 0) out[0] = v;
"""
DYNAMIC_SUM = BLOCK_SUM.replace("__shared__ float part[256]", "extern __shared__ float part[]")


@seeds
@pytest.mark.parametrize(
    ("body", "threads", "shared"),
    [(BLOCK_SUM, 256, 0), (WARP_SUM, 32, 0), (DYNAMIC_SUM, 256, 1024)],
    ids=["shared memory", "shuffles", "dynamic shared memory"],
)
def test_reductions(cp, x, body, threads, shared, seed):
    total, out = kernel(cp, "total", "const float* a, float* out, int n", body), cp.zeros(1, cp.float32)
    with cuda_simulator.thread_order(seed):
        total((1,), (threads,), (x, out, 1000), shared_mem=shared)
    numpy.testing.assert_allclose(out.get(), x.get().sum(), rtol=1e-4)


@seeds
def test_shuffles_and_votes(cp, seed):
    body = """
    int i = threadIdx.x;
    out[i] = __shfl_sync(0xffffffff, i * 10, 5);
    out[i + 32] = __shfl_up_sync(0xffffffff, i, 1);
    out[i + 64] = __shfl_xor_sync(0xffffffff, i, 3);
    out[i + 96] = __shfl_down_sync(0xffffffff, i, 4, 8);
    out[i + 128] = __popc(__ballot_sync(0xffffffff, i % 3 == 0));
    out[i + 160] = __any_sync(0xffffffff, i == 7) + 2 * __all_sync(0xffffffff, i < 31);
    out[i + 192] = __syncthreads_count(i < 5);
    out[i + 224] = i < 16 ? __reduce_add_sync(0x0000ffff, i) : __reduce_add_sync(0xffff0000, i);
    """
    out = cp.zeros((8, 32), cp.int32)
    with cuda_simulator.thread_order(seed):
        kernel(cp, "votes", "int* out", body)((1,), (32,), (out,))
    i = numpy.arange(32)
    down = numpy.where(i % 8 < 4, i + 4, i)
    expected = [
        0 * i + 50,
        numpy.maximum(i - 1, 0),
        i ^ 3,
        down,
        0 * i + 11,
        0 * i + 1,
        0 * i + 5,
        numpy.where(i < 16, 120, 376),
    ]
    numpy.testing.assert_array_equal(out.get(), expected)


@seeds
@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint64", "float32", "float64"])
def test_atomics(cp, dtype, seed, rng):
    bins, c = (
        rng.integers(0, 10, 500),
        {"int32": "int", "uint32": "unsigned", "uint64": "unsigned long long", "float32": "float", "float64": "double"}[
            dtype
        ],
    )
    histogram = kernel(
        cp,
        "histogram",
        f"const int* a, {c}* out, {c}* most, int n",
        """
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) { atomicAdd(&out[a[i]], 1); atomicMax(most, a[i]); }""",
    )
    out, most = cp.zeros(10, dtype), cp.zeros(1, dtype)
    with cuda_simulator.thread_order(seed):
        histogram((4,), (128,), (cp.asarray(bins.astype("i4")), out, most, 500))
    assert out.tolist() == numpy.bincount(bins, minlength=10).tolist()
    assert most.item() == bins.max()


def test_compare_and_swap_and_the_other_atomics(cp):
    out = cp.asarray(numpy.array([5, 5, 6, 3, 9], numpy.int32))
    kernel(
        cp,
        "swap",
        "int* a",
        """
    atomicCAS(&a[0], 5, 1); atomicCAS(&a[1], 4, 1); atomicExch(&a[2], 8); atomicOr(&a[3], 4); atomicSub(&a[4], 2);
    """,
    )((1,), (1,), (out,))
    assert out.tolist() == [1, 5, 8, 7, 7]


SHORT = {
    "cuda_fp16.h": ("__half", "__half2float", "__float2half", numpy.float16),
    "cuda_bf16.h": ("__nv_bfloat16", "__bfloat162float", "__float2bfloat16", None),
}


@pytest.mark.parametrize("header", SHORT)
def test_short_floats(cp, header, rng):
    name, up, down, dtype = SHORT[header]
    if dtype is None:
        dtype = pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 comes from ml_dtypes").bfloat16
    special = [
        0.0,
        -0.0,
        1e-8,
        -6e-8,
        3e-5,
        65519,
        65520,
        1e30,
        numpy.inf,
        -numpy.inf,
        numpy.nan,
        2049,
        2051,
        1.00390625,
    ]
    values = numpy.concatenate([special, rng.standard_normal(1000) * 100]).astype(numpy.float32)
    convert = kernel(
        cp,
        "convert",
        f"const float* a, {name}* out, float* back, {name} two, int n",
        f"""
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {{ out[i] = {down}(a[i]); back[i] = {up}(out[i] * two); }}""",
        f"#include <{header}>",
    )
    out, back = cp.empty(values.size, numpy.uint16), cp.empty(values.size, numpy.float32)
    convert((4,), (256,), (cp.asarray(values), out, back, dtype(2), values.size))
    with numpy.errstate(all="ignore"):
        expected = values.astype(dtype)
        numpy.testing.assert_array_equal(out.get().view(dtype).astype("f4"), expected.astype("f4"))
        numpy.testing.assert_array_equal(back.get(), (expected * dtype(2)).astype("f4"))


def test_vectors_and_mathematics(cp, x):
    body = """
    int i = threadIdx.x;
    float4 v = reinterpret_cast<const float4*>(a)[i];
    v = make_float4(__expf(v.x), rsqrtf(fabsf(v.y)), tanhf(v.z), fmaxf(erff(v.w), 0.5f));
    reinterpret_cast<float4*>(out)[i] = v;
    if (!i) out[32] = __int_as_float(__float_as_int(1.5f)) + __clz(1) + __umulhi(1u << 31, 6u) + min(2, 3) + exp(0.0f);
    """
    out = cp.zeros(33, cp.float32)
    kernel(cp, "maths", "const float* a, float* out", body)((1,), (8,), (x, out))
    a = x.get()[:32].reshape(8, 4)
    got = out.get()
    numpy.testing.assert_allclose(got[:32].reshape(8, 4)[:, 0], numpy.exp(a[:, 0]), rtol=1e-5)
    numpy.testing.assert_allclose(got[:32].reshape(8, 4)[:, 1], abs(a[:, 1]) ** -0.5, rtol=1e-5)
    assert got[32] == 1.5 + 31 + 3 + 2 + 1


def test_grids_and_blocks_of_three_axes(cp):
    body = """
    int b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[b * blockDim.x * blockDim.y * blockDim.z + t] = b * 100 + t;"""
    out = cp.zeros((24, 30), cp.int32)
    with cuda_simulator.thread_order(3):
        kernel(cp, "where", "int* out", body)((2, 3, 4), (5, 3, 2), (out,))
    assert (out.get() == numpy.arange(24)[:, None] * 100 + numpy.arange(30)).all()


# What is found -------------------------------------------------------------------------------------------------------


def test_a_race_shows_in_the_order_of_threads(cp, x):
    def sums(body):
        total, out = kernel(cp, "total", "const float* a, float* out, int n", body), cp.zeros(1, cp.float32)
        found = set()
        for seed in SEEDS[:3]:
            with cuda_simulator.thread_order(seed):
                total((1,), (256,), (x, out, 1000))
            found.add(out.get().tobytes())
        return len(found)

    assert sums(BLOCK_SUM) == 1
    head, inner = BLOCK_SUM.rsplit("    __syncthreads();\n", 1)
    assert sums(head + inner) > 1


def test_shared_memory_starts_without_a_value(cp):
    out = cp.zeros(2, cp.float32)
    fresh = kernel(cp, "fresh", "float* out", "__shared__ float s[4]; out[blockIdx.x] = s[1]; s[1] = 3;")
    fresh((2,), (1,), (out,))
    assert cp.isnan(out).all()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (1000, "past its end, 0 byte"),
        (1010, "past its end, 40 byte"),
        (-1, "before its start, 1 byte"),
        (1 << 40, "touched memory"),
    ],
)
def test_a_write_out_of_bounds(cp, x, place, text):
    stray = kernel(cp, "stray", "const float* a, float* out, long long i", "out[i] = a[0];")
    with pytest.raises(KernelError, match=text) as caught:
        stray((1,), (1,), (x, cp.zeros(1000, cp.float32), place))
    assert "kernel stray" in str(caught.value)
    assert "of argument" in str(caught.value)
    assert isinstance(caught.value, cp.cuda.runtime.CUDARuntimeError)
    stray((1,), (1,), (x, cp.zeros(1000, cp.float32), 999))


def test_a_guarded_array_may_not_even_be_read_out_of_bounds(cp):
    peek = kernel(cp, "peek", "const float* a, float* out, int i", "out[0] = a[i];")
    with cuda_simulator.guarded():
        x = cp.zeros(1000, cp.float32)
    out = cp.zeros(1, cp.float32)
    peek((1,), (1,), (x, out, 999))
    with pytest.raises(
        KernelError, match=r"thread 0 touched memory that is not its own: .* 2000 bytes past the end of argu"
    ):
        peek((1,), (1,), (x, out, 1500))


def test_a_write_past_dynamic_shared_memory(cp):
    over = kernel(cp, "over", "int n", "extern __shared__ float s[];\ns[n] = 1;")
    over((1,), (1,), (7,), shared_mem=32)
    with pytest.raises(KernelError, match="past its 32 bytes of dynamic shared memory"):
        over((1,), (1,), (8,), shared_mem=32)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "if (threadIdx.x < 16) __syncthreads();\nelse\n__syncthreads();",
            "part at a barrier.*thread 16 waits in line",
        ),
        ("if (threadIdx.x > 3) return;\n__syncthreads();", "part at a barrier.*has ended"),
        ("if (threadIdx.x < 16) __shfl_sync(0xffffffff, 1, 0);\nelse\n__syncthreads();", "never come"),
        ("if (threadIdx.x < 16) __shfl_sync(0xffffffff, 1, 0);\nelse\n__syncwarp();", "part at a barrier"),
        ("if (threadIdx.x < 16) __syncwarp(0xffff0000);", "not in the mask"),
        (
            "__shared__ int flag;\nflag = 0; __syncthreads();\n"
            "if (threadIdx.x == 0) while (!atomicAdd(&flag, 0)) {}\nelse atomicAdd(&flag, 1);",
            "need not run at the same time",
        ),
        ("int zero = threadIdx.x - 5; __shared__ volatile int s; s = 7 / zero;", "divided an integer by zero"),
        ("if (threadIdx.x == 3) __trap();", "stopped itself"),
    ],
    ids=["two barriers", "ended", "warp and barrier", "two warp functions", "mask", "spin", "division", "trap"],
)
def test_threads_that_part(cp, body, text):
    with pytest.raises(KernelError, match=f"(?s)kernel parted.*{text}|{text}"):
        kernel(cp, "parted", "", body)((1,), (32,), ())


def test_arguments_are_checked(cp, x):
    take = kernel(cp, "take_all", "float* a, int n, float f, bool b, long long l", "")
    good = (x, numpy.int32(1), numpy.float32(2), True, 3)
    take((1,), (1,), good)
    take((1,), (1,), (x, 1, numpy.float32(2), numpy.True_, numpy.int64(3)))
    take((1,), (1,), (None, 1, numpy.float32(2), False, 3))
    for place, wrong in [
        (0, 1.0),
        (1, 1.0),
        (1, numpy.int8(1)),
        (1, 2**33),
        (2, 2.0),
        (2, 2),
        (4, numpy.int32(3)),
        (4, x),
    ]:
        with pytest.raises(TypeError, match=f"argument {place}"):
            take((1,), (1,), (*good[:place], wrong, *good[place + 1 :]))
    with pytest.raises(TypeError, match="takes 5 arguments, 4 were given"):
        take((1,), (1,), good[:-1])
    with pytest.raises(TypeError, match="Unsupported type"):
        take((1,), (1,), (numpy.zeros(3), *good[1:]))
    with cp.cuda.Device(1), pytest.raises(ValueError, match="device 0 while current = 1"):
        take((1,), (1,), good)


def test_launches_that_no_gpu_takes(cp):
    nothing = kernel(cp, "nothing", "", "")
    for grid, block, shared in [((1,), (1025,), 0), ((1, 65536), (1,), 0), ((1,), (1, 1, 65), 0), ((1,), (1,), 49153)]:
        with pytest.raises(CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
            nothing(grid, block, (), shared_mem=shared)
    nothing.max_dynamic_shared_size_bytes = 100_000
    nothing((1,), (1,), (), shared_mem=100_000)


def test_sources_that_do_not_compile(cp):
    with pytest.raises(cp.cuda.compiler.CompileException, match=r"kernel.cu:3.*undeclared_thing"):
        kernel(cp, "broken", "", "undeclared_thing();").compile()
    with pytest.raises(CUDADriverError, match='no extern "C" kernel plain'):
        cp.RawKernel("__global__ void plain() {}", "plain").compile()
    with pytest.raises(CUDADriverError, match="named symbol not found"):
        cp.RawModule(code='extern "C" __global__ void f() {}').get_function("g")


def test_modules_and_templates(cp):
    code = """
    __device__ int calls;
    template <class T, int N> __global__ void scale(T* a) { a[threadIdx.x] *= N; }
    extern "C" __global__ void __launch_bounds__(64) step() { calls++; }
    extern "C" __global__ void calls_so_far(int* out) { *out = calls; }
    // __global__ void in_a_comment() {}
    """
    module = cp.RawModule(code=code, options=("-DX=1",), name_expressions=["scale<float, 2>", "scale<double, 3>"])
    for name, dtype, factor in (("scale<float, 2>", "f4", 2), ("scale<double, 3>", "f8", 3)):
        a = cp.ones(4, dtype)
        module.get_function(name)((1,), (4,), (a,))
        assert a.tolist() == [factor] * 4
    out = cp.zeros(1, cp.int32)
    module.get_function("calls_so_far")((1,), (1,), (out,))
    before = out.item()
    module.get_function("step")((1,), (1,), ())
    module.get_function("calls_so_far")((1,), (1,), (out,))
    assert out.item() == before + 1


def test_options_reach_the_compiler(cp):
    value = cp.RawKernel(
        'extern "C" __global__ void value(int* out) { *out = VALUE; }', "value", ("-DVALUE=42", "-lineinfo")
    )
    out = cp.zeros(1, cp.int32)
    value((1,), (1,), (out,))
    assert out.item() == 42


def test_a_home_that_cannot_be_written_to(monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "gpugrad").write_text("a file where the folder should be")
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    compiler.cache_folder.cache_clear()
    try:
        folder = compiler.cache_folder()
        assert not str(folder).startswith(str(home))
        assert os.access(folder, os.W_OK)
    finally:
        compiler.cache_folder.cache_clear()


def test_a_damaged_library_is_compiled_again(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.cache_folder.cache_clear()
    source = 'extern "C" __global__ void damaged_once(int* out) { *out = 1; }'
    try:
        first = compiler._compiled(source, (), ("damaged_once",))
        right = first.read_bytes()
        for wrong in (right[: len(right) // 2], right[:-1] + b"?"):
            first.write_bytes(wrong)
            compiler._entries.cache_clear()
            assert compiler._compiled(source, (), ("damaged_once",)) == first
            assert first.read_bytes() == right
        assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    finally:
        compiler.cache_folder.cache_clear()
        compiler._entries.cache_clear()


def test_gpugrads_own_kernels_run_as_kernels(cp):
    import gpugrad as gg

    with cuda_simulator.count() as seen:
        gg.relu(gg.ones((3, 4), device="cuda"))
    assert any(name.startswith("relu") for name in seen.kernels)
