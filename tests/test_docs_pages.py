"""Every block of Python in the README and in docs/ runs: top to bottom, the blocks of a page in one namespace.

A block that must not run says so, and why: ```` ```python { .no-run data-reason="needs two machines" } ````. The
commands of ```` ```console { .runs } ```` run in their place among the blocks of Python.
"""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
from test_docs import FLAGS, PARSER, Checker

import gpugrad as gg
from gpugrad import cli
from gpugrad.core import modes

ROOT = Path(__file__).parents[1]
SCRIPTS = [ROOT / "examples" / "lectures", ROOT / "examples"]
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+|~~~+) *(?P<language>[\w+-]*)(?P<options>.*)$")
REASON = re.compile(r'data-reason="([^"]+)"')
RUNS = {"python", "py", "pycon"}
MISSING = {"torch", "sklearn", "matplotlib", "rich", "graphviz", "safetensors", "tensorboardX", "fsspec", "PIL", "onnx",
           "onnxruntime", "jax"}  # fmt: skip
"""What a page may need beside gpugrad: without it, the rest of the page is skipped."""
AT_MOST = 6
"""Blocks that do not run, on all pages together."""


class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    language: str
    options: str
    text: str

    @property
    def runs(self):
        return (self.language in RUNS and ".no-run" not in self.options) or self.commands

    @property
    def commands(self):
        return self.language == "console" and ".runs" in self.options


def blocks(text):
    """All fenced blocks; those within lists and tabs are indented."""
    found, fence, lines, start = [], None, [], 0
    for number, line in enumerate(text.splitlines(), start=1):
        if fence is None:
            if fence := FENCE.match(line):
                lines, start = [], number + 1
        elif line.strip() == fence["ticks"]:
            body = textwrap.dedent("\n".join(lines)) + "\n"
            found.append(Block(start, fence["language"], fence["options"], body))
            fence = None
        else:
            lines.append(line)
    if fence is not None:
        raise ValueError(f"the block that begins before line {start} has no end")
    return found


def run(block, names, page):
    """Run a block in a namespace; what it shows is compared."""
    if block.commands:
        for line in block.text.splitlines():
            if line.startswith("$ "):
                program, *arguments = shlex.split(line[2:], comments=True)
                assert (program, cli.main(arguments)) == ("gpugrad", 0), line
        return
    if ">>>" not in block.text:
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
        return
    test = PARSER.get_doctest(block.text, {}, page, page, block.line - 1)
    test.globs = names  # not a copy: the next block goes on from here
    text = []
    runner = doctest.DocTestRunner(Checker(), optionflags=FLAGS | doctest.FAIL_FAST, verbose=False)
    result = runner.run(test, out=text.append, clear_globs=False)
    for name in re.findall(r"^ *ModuleNotFoundError: No module named '([\w.]+)'", "".join(text), re.MULTILINE):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    assert result.failed == 0, "".join(text)


def page_of(path):
    return str(path.relative_to(ROOT))


PAGES = {page_of(path): path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]}
WITH_CODE = [name for name, path in PAGES.items() if any(block.runs for block in blocks(path.read_text("utf-8")))]


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A page runs in a folder of its own, finds the examples, and leaves nothing behind."""
    monkeypatch.setattr(modes.careful, "on", modes.careful.on)
    monkeypatch.chdir(tmp_path)
    for folder in reversed(SCRIPTS):
        monkeypatch.syspath_prepend(folder)
    path, before, state = list(sys.path), set(sys.modules), gg.random.default_generator.state
    device = gg.get_default_device()
    yield
    gg.random.default_generator.state = state
    gg.set_default_device(device)
    sys.path[:] = path
    files = [file for folder in (*SCRIPTS, tmp_path) for file in folder.rglob("*.py")]
    for name in {file.stem for file in files} & (set(sys.modules) - before):
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.parametrize("page", WITH_CODE)
def test_a_page_runs(page, device, alone, capsys):
    if not device.is_host:
        pytest.skip("pages show what comes out on the CPU")
    names = {"__name__": "page"}
    try:
        with numpy.printoptions():
            for block in blocks(PAGES[page].read_text("utf-8")):
                if block.runs:
                    run(block, names, page)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in MISSING:
            raise
        pytest.skip(f"the page needs {error.name}, which is not installed")


def test_blocks_that_do_not_run_are_few_and_say_why():
    left_out = [
        (name, block)
        for name, path in PAGES.items()
        for block in blocks(path.read_text("utf-8"))
        if block.language in RUNS and not block.runs
    ]
    assert [f"{name}:{block.line}" for name, block in left_out if not REASON.search(block.options)] == []
    assert len(left_out) <= AT_MOST


def test_python_is_called_python():
    """A block in another spelling would be shown, and not run."""
    odd = [
        f"{name}:{block.line}"
        for name, path in PAGES.items()
        for block in blocks(path.read_text("utf-8"))
        if block.language.lower() in ("python3", "ipython", "doctest")
        or (block.language == "" and re.search(r"^>>> |^import \w+", block.text, re.MULTILINE))
    ]
    assert odd == []


PAGE = """\
Text.

```python
x = 2
```

- in a list:

    ```python
    y = x + 1
    if y:
        z = y
    ```

```console
$ not python
```

```python { .no-run data-reason="shows an error" }
1 / 0
```

```python
>>> z * x
6

```
"""


def test_blocks_of_a_page():
    found = blocks(PAGE)
    assert [block.runs for block in found] == [True, True, False, False, True]
    assert found[1].text == "y = x + 1\nif y:\n    z = y\n"
    assert [block.line for block in found] == [4, 10, 16, 20, 24]
    names = {}
    for block in found:
        if block.runs:
            run(block, names, "page")
    assert names["z"] == 3


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1 / 0\n", ZeroDivisionError),
        (">>> 1 + 1\n3\n", AssertionError),
        (">>> 1 / 0\n", AssertionError),
        (">>> import no_such_module\n", ModuleNotFoundError),
    ],
)
def test_a_block_that_is_wrong_fails(text, error):
    with pytest.raises(error):
        run(Block(7, "python", "", text), {}, "page")


def test_an_error_names_the_line_of_the_page():
    with pytest.raises(ZeroDivisionError) as caught:
        run(Block(7, "python", "", "x = 1\ny = x / 0\n"), {}, "page.md")
    last = caught.traceback[-1]
    assert (str(last.path).endswith("page.md"), last.lineno + 1) == (True, 8)


def test_a_block_without_an_end_is_noticed():
    with pytest.raises(ValueError, match="begins before line 2 has no end"):
        blocks("```python\nx = 1\n")
