"""Every CUDA source of the library compiles; here for one architecture, the rest is `gpugrad precompile --check`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpugrad.backend import compiler
from gpugrad.kernels import REGISTRY, launched_attention, launched_windows
from gpugrad.kernels.elementwise import Elementwise
from gpugrad.kernels.philox import SAMPLERS

ARCHITECTURE = "sm_90"


@pytest.fixture(scope="module", autouse=True)
def _nvrtc():
    try:
        compiler.compiler_version()
    except RuntimeError as error:
        pytest.skip(f"CUDA sources are not compiled: {error}")


def errors_of(sources):
    """What the compiler says against ``(kernel, variant, source)``: one text for each that does not compile."""

    def attempt(row):
        name, variant, source = row
        try:
            assert compiler.compile_source(source, name, ARCHITECTURE)
        except compiler.CompileError as error:
            return f"{name}, {variant}: {error}"
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [text for text in pool.map(attempt, sources) if text]


def main_variants(kernel):
    """Every float32 variant, and one for each other dtype."""
    seen = set()
    for variant, source in kernel.sources():
        dtype = variant.split()[1]
        if dtype == "float32" or dtype not in seen:
            seen.add(dtype)
            yield kernel.name, variant, source


def test_main_variants_compile():
    rows = [row for kernel in REGISTRY.values() for row in main_variants(kernel)]
    rows += [(name, "", sampler.source()) for name, sampler in SAMPLERS.items()]
    assert {name for name, _, _ in rows} == {*REGISTRY, *SAMPLERS}
    rows += [row for row in launched_windows.sources() if row[1].startswith("float32") or row[1].endswith("6 int32")]
    rows += [row for row in launched_attention.sources() if row[1] in ("float32 32", "float16 64", "float64 128")]
    floating = [source for name, _, source in rows if name != "labels_of_row"]  # whose arrays are always integers
    assert len({*floating}) == len(floating)
    failures = errors_of(rows)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("kernel", REGISTRY.values(), ids=lambda k: k.name)
def test_variants_are_named(kernel):
    """The list of sources says what each is for, and has every dtype."""
    variants = [variant for variant, _ in kernel.sources()]
    assert len(variants) == len(set(variants))
    assert {v.split()[1] for v in variants} == {"float16", "bfloat16", "float32", "float64"}
    assert all(kernel.name in source for _, source in kernel.sources())


def test_a_planted_error_is_reported_with_kernel_and_line():
    kernel = Elementwise(lambda xp, x, /: x, "out = unknown_function(x);", name="planted")
    failures = errors_of(main_variants(kernel))
    assert len(failures) == sum(1 for _ in main_variants(kernel))
    for text in failures:
        assert "planted" in text
        assert "unknown_function" in text
        assert "planted.cu(" in text, "the line of the source"
    assert not errors_of(main_variants(REGISTRY["relu_forward"]))


def test_a_type_error_is_reported_too():
    kernel = Elementwise(lambda xp, x, /: x, 'out = "text";', name="planted")
    assert errors_of(main_variants(kernel))


def test_short_floats_are_read_and_written_16_bytes_at_a_time():
    """The point of the packed variant: one vector access for each array, in every dtype."""
    binding = compiler.nvrtc()
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        program = binding.createProgram(REGISTRY["relu_backward"].packed(dtype), "kernel.cu", (), ())
        binding.compileProgram(program, ("--gpu-architecture=compute_90", *compiler.OPTIONS))
        text = binding.getPTX(program)
        text = text.decode() if isinstance(text, bytes) else text
        binding.destroyProgram(program)
        vector = ".v2.f64" if dtype == "float64" else ".v4."
        assert sum("ld.global" in line and vector in line for line in text.splitlines()) == 2
        assert sum("st.global" in line and vector in line for line in text.splitlines()) == 1
