"""Configurations in TOML: what they make, and errors that point at the line."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path

import pytest

from gpugrad import optim
from gpugrad.cli.config import Config, ConfigError, loaded, named, parsed

pytestmark = pytest.mark.any_device

TEXT = """\
# a comment
epochs = 3

[optimizer]
use = "SGD"
lr = 0.1
sizes = [
    1,
    2,
]
late = 5

[deep.er]
key = 'value'
"""


def config(text=TEXT, *changes, folder=Path()):
    return Config(text, folder / "train.toml", changes)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("epochs",), 2), (("optimizer",), 4), (("optimizer", "use"), 5), (("optimizer", "sizes"), 7),
        (("optimizer", "late"), 11), (("deep",), 13), (("deep", "er", "key"), 14),
    ],
)  # fmt: skip
def test_every_key_has_a_line(path, line):
    assert config().where(*path) == f"train.toml:{line}"


def test_a_key_that_is_not_there_is_somewhere_in_the_file():
    assert config().where("model") == "train.toml"


def test_a_change_replaces_a_value_and_is_named_in_errors():
    changed = config(TEXT, "optimizer.lr=0.5", "new.table.name=word", "epochs=[1, 2]")
    assert changed.values["optimizer"]["lr"] == 0.5
    assert changed.values["new"] == {"table": {"name": "word"}}
    assert changed.values["epochs"] == [1, 2]
    assert changed.where("optimizer", "lr") == "--set optimizer.lr=0.5"
    assert changed.where("optimizer", "use") == "train.toml:5"


@pytest.mark.parametrize(
    ("change", "value"),
    [("a=1", 1), ("a=true", True), ('a="1"', "1"), ("a=word", "word"), ("a=x y=z", "x y=z"), ("a=", "")],
)
def test_values_of_changes_are_toml_or_words(change, value):
    assert parsed(change) == (("a",), value)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("a = 1\nb = = 2\n", (), r"train\.toml:2: no TOML: "),
        ("a = 1\na = 2\n", (), r"train\.toml:2: no TOML: "),
        ("a = 1\nb = [1,\n", (), r"train\.toml:\d: no TOML: "),
        (TEXT, ("lr",), r"--set lr: expected table\.key=value"),
        (TEXT, ("=3",), r"--set =3: expected table\.key=value"),
        (TEXT, ("epochs.more=3",), r"--set epochs\.more=3: epochs is no table"),
    ],
)
def test_what_is_no_configuration(text, changes, message):
    with pytest.raises(ConfigError, match=message):
        config(text, *changes)


def test_only_the_settings_that_there_are():
    assert config().only(["epochs", "optimizer", "deep"]).keys() == {"epochs", "optimizer", "deep"}
    with pytest.raises(ConfigError, match=r"train\.toml:2: there is no setting 'epochs'; did you mean epoch\?"):
        config().only(["epoch", "optimizer", "deep"])
    with pytest.raises(ConfigError, match=r"train\.toml:2: expected a table \[epochs\], got 3"):
        config().table("epochs")


@pytest.mark.parametrize("found", ["'x'", "true", "1.5"])
def test_a_value_of_another_type(found):
    with pytest.raises(ConfigError, match=r"train\.toml:1: expected epochs as int, got "):
        config(f"epochs = {found}").value("epochs", int, 30)
    assert config("").value("epochs", int, 30) == 30


def made(text, *changes, params=(), folder=Path(), **given):
    return config(text, *changes, folder=folder).make("optimizer", among=[optim], given=given, first=params)


def test_a_call_is_made(parameter):
    group = made('[optimizer]\nuse = "SGD"\nlr = 0.25\n', params=([parameter],)).param_groups[0]
    assert group["lr"] == 0.25


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('use = "SDG"\nlr = 0.1', r"train\.toml:2: there is no 'SDG' in gpugrad\.optim; did you mean SGD"),
        ('use = "SGD"\nlearn = 0.1\nlr = 0.1', r"train\.toml:3: SGD takes no 'learn'"),
        ('use = "SGD"\nlr = 0.1\nmomentun = 0.9', r"train\.toml:4: SGD takes no 'momentun'; did you mean momentum\?"),
        ('use = "SGD"\nlr = -1.0', r"train\.toml:1: SGD: expected lr from 0 on, got -1\.0"),
        ('use = "SGD"\nparams = []', r"train\.toml:2: SGD: multiple values for argument 'params'"),
        ("lr = 0.1", r'train\.toml:1: \[optimizer\] has to say what it is: use = "Name" or "file\.py:name"'),
        ("use = 3", r"train\.toml:1: \[optimizer\] has to say what it is"),
        ('use = "nowhere:SGD"', r"train\.toml:2: .* nowhere is neither: --allow nowhere lets it be used"),
        ('use = ":"', r"train\.toml:2: expected a name, file\.py:name or package\.module:name"),
        ('use = "os:system"\ncommand = "x"', r"train\.toml:2: .* os is neither: --allow os lets it be used"),
        ('use = "/etc/x.py:f"', r"train\.toml:2: there is no file /etc/x\.py"),
        ('use = "gpugrad.cli.config:loaded"', r"train\.toml:2: there is no 'loaded' in gpugrad\.cli\.config"),
        ('use = "gpugrad.optim.sgd:Optimizer"', r"train\.toml:2: there is no 'Optimizer' in gpugrad\.optim\.sgd"),
        ('use = "nowhere.py:SGD"', r"train\.toml:2: there is no file .*nowhere\.py"),
        ('use = "gpugrad.optim:Sgd"', r"train\.toml:2: there is no 'Sgd' in gpugrad\.optim; did you mean SGD"),
    ],
)
def test_what_cannot_be_called(table, message, parameter):
    with pytest.raises(ConfigError, match=message):
        made(f"[optimizer]\n{table}\n", params=([parameter],))


def test_a_call_without_what_it_needs(tmp_path, parameter, own_module):
    own_module("def make(size, *, seed=0):\n    return size, seed\n")
    text = '[optimizer]\nuse = "ours_for_tests.py:make"\n'
    with pytest.raises(ConfigError, match=r"train\.toml:2: make: missing a required argument: 'size'"):
        made(text, folder=tmp_path)
    assert made(text + "size = 3\n", folder=tmp_path, seed=5, other=6) == (3, 5)
    with pytest.raises(ConfigError, match=r"train\.toml:4: make takes no 'seed'"):
        made(text + "size = 3\nseed = 1\n", folder=tmp_path, seed=5)


def test_an_error_inside_a_call_is_no_error_of_the_configuration(tmp_path, own_module):
    own_module("def make():\n    return {}['missing']\n")
    with pytest.raises(KeyError, match="missing"):
        made('[optimizer]\nuse = "ours_for_tests.py:make"\n', folder=tmp_path)


def test_a_module_that_lacks_one_of_its_own_says_which(tmp_path, own_module):
    own_module("import not_there_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        loaded("ours_for_tests.py", tmp_path)


def test_a_file_with_the_name_of_another_module(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "argparse.py").write_text("x = 1\n")
    with pytest.raises(LookupError, match=r"argparse\.py has the name of another module, .*: give it a name"):
        loaded("argparse.py", tmp_path)


def test_names_of_packages(tmp_path, own_module):
    assert named("gpugrad.optim:SGD", [], Path()) is optim.SGD
    assert named("SGD", [sys, optim], Path()) is optim.SGD
    assert named("math:sqrt", [], Path(), ["math"]) is math.sqrt
    with pytest.raises(LookupError, match="there is no module 'nowhere'"):
        named("nowhere:f", [], tmp_path, ["nowhere"])
    own_module("def make():\n    return 1\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(LookupError, match="is not in the folder of the configuration: --allow"):
        named("../ours_for_tests.py:make", [], inside)
    assert named("../ours_for_tests.py:make", [], inside, [str(tmp_path / "ours_for_tests.py")])() == 1


@pytest.fixture
def parameter():
    import gpugrad as gg

    return gg.ones(2).requires_grad_()


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of the test's own, forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "ours_for_tests", raising=False)

    def write(text):
        (tmp_path / "ours_for_tests.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    sys.modules.pop("ours_for_tests", None)


def network(hidden: int, slope: float = 0.1, name: str | None = None, bias: bool = True, sizes: tuple[int, ...] = ()):
    return hidden, slope, name, bias, sizes


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("hidden = 2.5", "network: expected hidden as a whole number, got 2.5"),
        ("hidden = true", "expected hidden as a whole number, got True"),
        ("hidden = 8\nslope = 'steep'", "expected slope as a number, got 'steep'"),
        ("hidden = 8\nname = 3", "expected name as text, got 3"),
        ("hidden = 8\nbias = 'no'", "expected bias as true or false, got 'no'"),
        ("hidden = 8\nslope = 1\nname = 'a'\nbias = false\nsizes = [1, 2]", None),
    ],
)
def test_values_are_of_the_types_that_a_function_names(said, message):
    made = config(f"[model]\n{said}\n")
    if message is None:
        assert made.call(network, "model") == (8, 1, "a", False, [1, 2])
        return
    with pytest.raises(ConfigError, match=message):
        made.call(network, "model")
