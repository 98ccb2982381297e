"""Every public name has a docstring with an example, and the examples of all docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad.core import OPERATIONS, modes

FLAGS = doctest.NORMALIZE_WHITESPACE
PARSER = doctest.DocTestParser()
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?")


class Checker(doctest.OutputChecker):
    """The last digit of a floating-point number may be another on another processor."""

    def check_output(self, want, got, optionflags):
        wanted, came = NUMBER.findall(want), NUMBER.findall(got)
        if len(wanted) == len(came) and numpy.allclose(
            [*map(float, wanted)], [*map(float, came)], rtol=1e-5, atol=1e-9
        ):
            want, got = NUMBER.sub("#", want), NUMBER.sub("#", got)
            want, got = (re.sub(r"#\s+", "# ", re.sub(r"\s+#", " #", text)).replace(" ", "") for text in (want, got))
        return super().check_output(want, got, optionflags)


SUBMODULES = [
    name for name in ("data", "nn", "optim", "random", "linalg", "fft", "special", "training") if hasattr(gg, name)
]
NOT_ON_EVERY_MACHINE = (
    "gpugrad.backend.cuda", "gpugrad.testing", "gpugrad.__main__", "gpugrad.interop.torch", "gpugrad.interop.jax",
)  # fmt: skip


@pytest.fixture(autouse=True)
def short_paths(monkeypatch):
    """Examples of ``debug()`` make every later operation take the careful path."""
    monkeypatch.setattr(modes.careful, "on", modes.careful.on)


WITHOUT_EXAMPLE = {
    "gpugrad.KernelMismatchError",  # raised by what elementwise_kernel shows
    "gpugrad.Launch",  # what raw_kernel gives to its function, shown there
    "gpugrad.data.Dataset",  # the interface of those that are shown
    "gpugrad.data.mnist",  # downloads
    "gpugrad.data.read_idx",  # reads what mnist downloads
}


def public():
    """``(name, object)`` of all that users are to find: in ``gpugrad``, and in its public submodules."""
    for name in gg.__all__:
        value = getattr(gg, name)
        if inspect.ismodule(value) or not callable(value) or isinstance(value, numpy.dtype):
            continue
        yield f"gpugrad.{name}", value
    for module in SUBMODULES:
        namespace = getattr(gg, module)
        for name in getattr(namespace, "__all__", ()):
            value = getattr(namespace, name)
            if callable(value) and not inspect.ismodule(value):
                yield f"gpugrad.{module}.{name}", value


PUBLIC = dict(public())


def modules():
    for info in pkgutil.walk_packages(gg.__path__, "gpugrad."):
        if not info.name.startswith(NOT_ON_EVERY_MACHINE):
            yield info.name


def documented():
    """Everything that has a docstring with an example, each once: modules, functions, classes, methods, operations."""
    seen = set()
    for module_name in ["gpugrad", *modules()]:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue  # an extra that is not installed
        places = [(module_name, module)]
        for name, value in vars(module).items():
            if module_name.startswith("gpugrad.numpy") and hasattr(value, "__wrapped__"):
                continue  # the documentation is NumPy's
            if getattr(value, "__module__", None) == module_name and callable(value):
                places.append((f"{module_name}.{name}", value))
                if inspect.isclass(value):
                    places += [
                        (
                            f"{module_name}.{name}.{key}",
                            getattr(member, "fget", None) or getattr(member, "__func__", member),
                        )
                        for key, member in vars(value).items()
                        if getattr(getattr(member, "fget", member), "__module__", module_name) == module_name
                    ]
        for name, value in places:
            doc = value.__doc__ if isinstance(getattr(value, "__doc__", None), str) else ""
            if ">>>" in doc and id(value) not in seen:
                seen.add(id(value))
                yield name, doc, vars(module)


DOCUMENTED = list(documented())


def test_public_names_are_exported_once_and_exist():
    assert len(gg.__all__) == len(set(gg.__all__))
    assert [name for name in gg.__all__ if not hasattr(gg, name)] == []
    leaked = [
        name
        for name, value in vars(gg).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in gg.__all__ and name != "annotations"
    ]
    assert leaked == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_with_an_example(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert doc, "no docstring"
    assert ">>>" in doc or name in WITHOUT_EXAMPLE, "no example"
    assert len(doc.splitlines()[0]) <= 120


@pytest.mark.parametrize(("name", "doc", "names"), DOCUMENTED, ids=[name for name, _, _ in DOCUMENTED])
def test_examples_run(name, doc, names, device):
    if not device.is_host:
        pytest.skip("examples show the output of the CPU")
    test = PARSER.get_doctest(doc, dict(names), name, None, 0)
    text = []
    before = gg.get_default_dtype(), gg.get_default_device()
    with numpy.errstate(all="ignore"):
        result = doctest.DocTestRunner(Checker(), optionflags=FLAGS, verbose=False).run(test, out=text.append)
    assert result.failed == 0, "".join(text)
    assert result.attempted > 0
    assert (gg.get_default_dtype(), gg.get_default_device()) == before


def test_examples_of_all_operations_are_among_them():
    """Operations are made by a decorator, where doctest's own search does not find them."""
    found = {name for name, _, _ in DOCUMENTED}
    missing = {
        name
        for name, op in OPERATIONS.items()
        if name.startswith("gpugrad.") and "<locals>" not in name and ">>>" in (op.__doc__ or "")
    } - found
    assert missing == set()
    assert {"gpugrad.ops.arithmetic.multiply", "gpugrad", "gpugrad.core.tensor.Tensor"} <= found


def test_every_module_has_a_docstring():
    for name in modules():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        assert module.__doc__, name


def test_methods_and_properties_of_the_tensor_have_docstrings():
    bare = []
    for name, member in vars(gg.Tensor).items():
        if name.startswith("_") or name in ("data", "node"):
            continue
        doc = (member.fget if isinstance(member, property) else member).__doc__
        if not doc:
            bare.append(name)
    assert bare == []


def test_docstrings_name_parameters_that_are_there():
    """``Args:`` sections against the signatures."""
    for name, value in PUBLIC.items():
        doc = inspect.getdoc(value) or ""
        match = re.search(r"^Args:\n((?:[ ]+.*\n|\n)+)", doc, re.M)
        if match is None:
            continue
        target = value.__init__ if inspect.isclass(value) else value
        parameters = inspect.signature(target).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            continue
        for line in re.findall(r"^ {4}(\w[\w, *]*):", match.group(1), re.M):
            for parameter in line.replace("*", "").split(", "):
                assert parameter in parameters, f"{name} documents {parameter!r}"


def test_the_readme_of_the_package_runs():
    assert ">>>" in sys.modules["gpugrad"].__doc__
