"""The kernel cache: what fills it is what a launch finds, wherever it can or cannot be kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from gpugrad import cli
from gpugrad.backend import compiler
from gpugrad.kernels import all_sources

SOURCE = 'extern "C" __global__ void twice(float* x) {{ x[threadIdx.x] *= {}.0f; }}'


@pytest.fixture(autouse=True)
def _forget():
    cached = (compiler.folder, compiler.entries, compiler.compiler_version, compiler.nvrtc, compiler.target)
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """A compiler that only counts; the cache is in ``tmp_path``."""
    calls = []

    def compile_source(source, name, architecture):
        calls.append((name, architecture))
        if "mistake" in source:
            raise compiler.CompileError(f"{name} for {architecture}: {name}.cu(1): error: mistake is undefined")
        return b"code for " + architecture.encode()

    use(monkeypatch, tmp_path)
    monkeypatch.setattr(compiler, "compile_source", compile_source)
    monkeypatch.setattr(compiler, "compiler_version", lambda: "13.0")
    known = frozenset(f"sm_{number}" for number in (75, 80, 86, 87, 89, 90, 110, 120))
    monkeypatch.setattr(compiler, "known_architectures", lambda: known)
    compiler.target.cache_clear()
    return calls


def use(monkeypatch, folder):
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(folder))
    compiler.folder.cache_clear()


def read_only(monkeypatch):
    """A folder that cannot be written to, also for root."""
    monkeypatch.setattr(compiler, "writable", lambda path: False)

    def refuse(*args, **kwargs):
        raise PermissionError("read-only file system")

    monkeypatch.setattr(compiler.tempfile, "NamedTemporaryFile", refuse)


@pytest.fixture
def nvrtc():
    try:
        compiler.compiler_version()
    except RuntimeError as error:
        pytest.skip(f"CUDA sources are not compiled: {error}")


def test_kept_and_found(compiled, tmp_path):
    path = compiler.cached("source", "k", "sm_90")
    assert path.read_bytes() == b"code for sm_90"
    assert path.parent == tmp_path
    assert compiler.cached("source", "k", "sm_90") == path
    assert compiled == [("k", "sm_90")]
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "no temporary file is left"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_everything_that_matters_is_in_the_name(compiled, monkeypatch):
    paths = {compiler.cached(source, name, arch) for source in "ab" for name in "kl" for arch in ("sm_75", "sm_90")}
    assert len(paths) == 8
    monkeypatch.setattr(compiler, "compiler_version", lambda: "13.1")
    assert compiler.cached("a", "k", "sm_90") not in paths
    monkeypatch.setattr(compiler, "OPTIONS", ("--std=c++20",))
    assert compiler.cached("a", "k", "sm_90") not in paths
    assert len(compiled) == 10


def test_what_precompile_fills_is_what_a_launch_finds(compiled, capsys):
    assert cli.main(["precompile", "--arch", "sm_80", "--arch", "sm_90"]) == 0
    sources = list(all_sources())
    assert len(compiled) == 2 * len(sources)
    compiled.clear()
    for name, _, source in sources:
        for architecture in ("sm_80", "sm_90"):
            assert compiler.cached(source, name, architecture).read_bytes() == f"code for {architecture}".encode()
    for name, _, source in sources[::25]:  # each looks through the whole folder
        assert compiler.cached(source, name, "sm_86").read_bytes() == b"code for sm_80", "it runs there too"
    assert compiled == []
    assert cli.main(["precompile", "--arch", "sm_90"]) == 0
    assert compiled == [], "what is there stays"
    out = capsys.readouterr().out
    assert f"{len(sources)} CUDA sources x sm_80, sm_90" in out


@pytest.mark.parametrize(
    ("architecture", "compiled_for"),
    [
        ("sm_89", "sm_89"),
        ("sm_130", "compute_120"),  # newer than NVRTC: PTX of the newest, for the driver to compile
        ("sm_123", "compute_120"),
        ("sm_95", "compute_90"),
    ],
)
def test_a_gpu_that_nvrtc_does_not_know(compiled, architecture, compiled_for):
    code = compiler.cached("source", "k", architecture).read_bytes()
    assert code == b"code for " + compiled_for.encode()
    assert compiler.cached("source", "k", architecture).read_bytes() == code
    assert compiled == [("k", compiled_for)]


def test_a_gpu_that_nvrtc_no_longer_knows(compiled):
    with pytest.raises(RuntimeError, match=r"compute capability 7.5 and later, this one is sm_70: .*gpugrad\[cuda12\]"):
        compiler.cached("source", "k", "sm_70")


def test_an_integrated_gpu_runs_its_own_code_alone(compiled):
    compiler.keep("source", "k", "sm_80")
    assert compiler.cached("source", "k", "sm_87", integrated=True).read_bytes() == b"code for sm_87"
    assert compiler.cached("source", "k", "sm_86").read_bytes() == b"code for sm_80"


def test_ptx(nvrtc):
    source = SOURCE.format(2)
    newest = compiler.target("sm_999")
    assert f"sm_{newest[8:]}" in compiler.known_architectures()
    assert f".target sm_{newest[8:]}".encode() in compiler.compile_source(source, "twice", newest)


def test_what_is_launched_was_enumerated(device):
    """A training step on the simulator asks for no source that is not compiled in advance."""
    if not device.is_host:
        pytest.skip("installs its own simulator")
    import gpugrad as gg
    from gpugrad import backend, nn
    from gpugrad.testing import cuda_simulator

    with cuda_simulator.installed(), gg.default_device("cuda"):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3), nn.Sigmoid())
        optimizer = gg.optim.Adam(model.parameters(), 0.1)
        table = gg.random.Generator(0).standard_normal((5, 4)).requires_grad_()
        x = table[gg.tensor([1, 2])]
        y = nn.functional.softmax(model(gg.relu(x[:, ::-1])), 1)
        y = y + gg.sigmoid(gg.permute_dims(gg.ones((2, 3, 4, 5)), (3, 1, 0, 2))).sum()
        nn.functional.cross_entropy(y, gg.tensor([0, 2])).backward()
        optimizer.step()
        launched = {key if isinstance(key, str) else key[0] for key in backend.load_cuda()._functions}
    assert len(launched) > 8
    assert launched <= {source for _, _, source in all_sources()}


def test_sources_are_listed_once():
    rows = list(all_sources())
    assert len({source for _, _, source in rows}) == len(rows)
    assert len({(name, variant) for name, variant, _ in rows}) == len(rows)


def test_a_folder_that_is_only_read(compiled, monkeypatch, tmp_path):
    filled = compiler.cached("source", "k", "sm_90")
    compiler.folder.cache_clear()
    compiler.entries.cache_clear()
    read_only(monkeypatch)
    assert compiler.folder() == tmp_path
    assert compiler.cached("source", "k", "sm_90") == filled
    assert len(compiled) == 1
    assert compiler.cached("other", "k", "sm_90") == b"code for sm_90"


def test_a_disk_that_is_full_leaves_nothing_behind(compiled, monkeypatch, tmp_path):
    def full(self, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert compiler.cached("source", "k", "sm_90") == b"code for sm_90"
    assert list(tmp_path.iterdir()) == []


def test_without_a_home(compiled, monkeypatch, caplog):
    monkeypatch.delenv("GPUGRAD_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def no_home(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    compiler.folder.cache_clear()
    with caplog.at_level("INFO", logger="gpugrad"):
        path = compiler.cached("source", "k", "sm_90")
    assert path.read_bytes() == b"code for sm_90"
    assert path == compiler.cached("source", "k", "sm_90")
    assert "kernels are compiled again in each process: no home" in caplog.text


def test_a_home_that_is_a_file(compiled, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    use(monkeypatch, tmp_path / "file" / "kernels")
    assert compiler.cached("source", "k", "sm_90").read_bytes() == b"code for sm_90"
    assert tmp_path not in compiler.folder().parents


def test_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("GPUGRAD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.folder.cache_clear()
    assert compiler.folder() == tmp_path / "gpugrad" / "kernels"
    assert compiler.folder().is_dir()


def test_two_processes_fill_at_once(nvrtc, tmp_path):
    code = (
        "from gpugrad.backend import compiler\n"
        f"for k in range(6): assert compiler.cached({SOURCE!r}.format(k), 'twice', 'sm_90').stat().st_size > 1000\n"
    )
    env = {**os.environ, "GPUGRAD_CACHE_DIR": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], env=env) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 6
    assert all(path.read_bytes()[:4] == b"\x7fELF" for path in tmp_path.iterdir())


def damaged(content, way):
    at = way * 7919 % len(content)
    return (content[:at], content[:at] + bytes([content[at] ^ (1 << way % 8)]) + content[at + 1 :], b"")[way % 3]


def test_a_damaged_entry_is_compiled_again(compiled, tmp_path, caplog):
    right = compiler.cached("source", "k", "sm_90").read_bytes()
    for way in range(100):
        path = compiler.cached("source", "k", "sm_90")
        path.write_bytes(damaged(right, way))
        compiler.entries.cache_clear()
        assert compiler.cached("source", "k", "sm_90").read_bytes() == right
    assert len(compiled) == 101
    assert len(list(tmp_path.iterdir())) == 1
    assert "is not what was written" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_code_of_another_user_is_not_loaded(compiled, monkeypatch, tmp_path, caplog):
    path = compiler.cached("source", "k", "sm_90")
    os.chown(path, 12345, 12345)
    compiler.entries.cache_clear()
    assert compiler.cached("source", "k", "sm_90").stat().st_uid == 0
    assert "belongs to user 12345" in caplog.text
    os.chown(tmp_path, 12345, 12345)
    compiler.folder.cache_clear()
    assert compiler.folder() != tmp_path
    assert len(compiled) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs owners of files")
def test_a_folder_that_others_can_write_to_and_links_are_not_used(compiled, monkeypatch, tmp_path, caplog):
    path = compiler.cached("source", "k", "sm_90")
    other = tmp_path / "other"
    path.rename(other)
    path.symlink_to(other)
    compiler.entries.cache_clear()
    assert not compiler.cached("source", "k", "sm_90").is_symlink()
    assert "is a link" in caplog.text
    tmp_path.chmod(0o777)
    compiler.folder.cache_clear()
    assert compiler.folder() != tmp_path
    assert "can be written to by other users (mode 0777)" in caplog.text


def test_folders_are_made_for_their_user_alone(monkeypatch, tmp_path):
    monkeypatch.delenv("GPUGRAD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.folder.cache_clear()
    assert stat.S_IMODE(compiler.folder().stat().st_mode) == 0o700


# -------------------------------------------------------------------- the compiler


def test_an_error_names_kernel_and_line(nvrtc):
    with pytest.raises(compiler.CompileError, match=r"(?s)broken for sm_90: broken.cu\(2\): error: .*undefined_thing"):
        compiler.compile_source('extern "C" __global__ void broken() {\n  undefined_thing();\n}', "broken", "sm_90")


def test_without_nvrtc_the_message_says_what_to_install(monkeypatch):
    def missing():
        raise RuntimeError("libnvrtc.so.13: cannot open shared object file")

    fake = SimpleNamespace(cuda=SimpleNamespace(nvrtc=SimpleNamespace(getVersion=missing)))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setitem(sys.modules, "cupy.cuda", fake.cuda)
    monkeypatch.setattr(compiler, "cupy_package", lambda: "cupy-cuda12x")
    compiler.nvrtc.cache_clear()
    with pytest.raises(RuntimeError, match=r"libnvrtc.so.13.*: pip install 'cupy-cuda12x\[ctk\]'"):
        compiler.nvrtc()


def test_without_cupy_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setitem(sys.modules, "cupy.cuda", None)
    monkeypatch.setattr(compiler, "cupy_package", lambda: None)
    compiler.nvrtc.cache_clear()
    with pytest.raises(RuntimeError, match=r"pip install 'gpugrad\[cuda13\]'"):
        compiler.nvrtc()


def test_the_name_of_cupys_package(monkeypatch):
    def version(name):
        if name != "cupy-cuda12x":
            raise metadata.PackageNotFoundError
        return "14.0.0"

    monkeypatch.setattr(metadata, "version", version)
    assert compiler.cupy_package() == "cupy-cuda12x"
    assert compiler.installation() == "pip install 'cupy-cuda12x[ctk]'"
    monkeypatch.setattr(metadata, "version", lambda name: version(""))
    assert compiler.cupy_package() is None
