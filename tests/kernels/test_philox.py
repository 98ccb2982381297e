"""Philox: the known answers, and each sampler's CUDA source against its reference."""

import host_cuda
import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.backend import llvm
from gpugrad.kernels import compiled_philox, philox

# kat_vectors of Random123, "philox4x32 10": counter (4 words), key (2 words), answer (4 words)
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize("count", [3, 67])
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer, count):
    c, k = ([int(word, 16) for word in text.split()] for text in (counter, key))
    words = philox.philox(
        numpy, k[0] | k[1] << 32, numpy.array([c[0] | c[1] << 32] * count, dtype=numpy.uint64), attempt=c[2], tag=c[3]
    )
    assert words.dtype == numpy.uint32
    for row in words:
        assert " ".join(f"{word:08x}" for word in row.tolist()) == answer


@pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0")
def test_machine_code_has_the_bits_of_numpy(rng, monkeypatch):
    monkeypatch.setattr(compiled_philox, "LEAST", 1)
    monkeypatch.setattr(compiled_philox, "LIGHT_STEP", 16 * 40)
    compiled_philox.code.cache_clear()
    threads = gg.get_num_threads()
    gg.set_num_threads(3)
    try:
        for size in (1, 7, 8, 9, 200):
            counters = rng.integers(0, 2**64, size, dtype=numpy.uint64)
            for seed, attempt, tag in ((0, 0, 0), (2**64 - 5, 3, 2**32 - 1)):
                got = compiled_philox.philox(philox.MULTIPLIERS, philox._keys(seed), counters, attempt, tag)
                with monkeypatch.context() as patch:
                    patch.setattr(compiled_philox, "LEAST", size + 1)
                    numpy.testing.assert_array_equal(got, philox.philox(numpy, seed, counters, attempt, tag))
    finally:
        gg.set_num_threads(threads)
        compiled_philox.code.cache_clear()
    for odd in (counters[::2], counters[:0], counters.astype(">u8"), counters.astype("int64")):
        assert compiled_philox.philox(philox.MULTIPLIERS, philox._keys(0), odd, 0, 0) is NotImplemented


SCALARS = {
    "philox_below32": [(10, 6), (3 << 30, 2**32 % (3 << 30)), (2**32, 0), (1, 0)],
    "philox_below64": [(0, 2**64 - 1), (3 << 62, (3 << 62) - 1), (2**40 + 1, 2**64 - 2**64 % (2**40 + 1) - 1)],
}
ROWS = [(name, scalars) for name in philox.SAMPLERS for scalars in SCALARS.get(name, [()])]


class Compiling(backend.cpu.CPUBackend):
    """The CPU, but through the CUDA sources."""

    compiles = True
    launch = staticmethod(host_cuda.launch)


@pytest.mark.parametrize(("name", "scalars"), ROWS)
@pytest.mark.parametrize(("size", "counter"), [(0, 0), (1, 5), (1003, 2**32 - 7), (4 * philox.CHUNK + 1, 2**64 - 100)])
def test_cuda_source_agrees(name, scalars, size, counter):
    made = philox.SAMPLERS[name]
    expected = made.fill(backend.cpu.backend, (size,), 2**63 + 12345, counter, *scalars)
    got = made.fill(Compiling(), (size,), 2**63 + 12345, counter, *scalars)
    assert got.dtype == expected.dtype
    if "normal" in name:
        numpy.testing.assert_allclose(got, expected, rtol=3e-6 if got.dtype == numpy.float32 else 1e-12, atol=1e-6)
    else:
        numpy.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("architecture", host_cuda.ARCHITECTURES)
@pytest.mark.parametrize("name", philox.SAMPLERS)
def test_cuda_source_compiles(name, architecture):
    assert host_cuda.compile_with_nvrtc(philox.SAMPLERS[name].source(), architecture)


def test_chunks_make_no_difference(monkeypatch):
    whole = philox.random32.fill(backend.cpu.backend, (1001,), 1, 0)
    monkeypatch.setattr(philox, "CHUNK", 7)
    numpy.testing.assert_array_equal(philox.random32.fill(backend.cpu.backend, (1001,), 1, 0), whole)


@pytest.mark.parametrize(
    ("name", "scalars"), [("philox_below32", (3 << 30, 1 << 30)), ("philox_below64", (3 << 62, (3 << 62) - 1))]
)
def test_rejected_words_are_drawn_anew(name, scalars):
    """A range of three quarters of the words: one in four is rejected; accepted ones stay where they were."""
    values = philox.SAMPLERS[name].fill(backend.cpu.backend, (40000,), 1, 0, *scalars)
    counts = numpy.bincount((values // (scalars[0] // 3)).astype(int), minlength=3)
    assert counts.size == 3
    assert ((counts - 40000 / 3) ** 2 / (40000 / 3)).sum() < 20
