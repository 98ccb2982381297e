"""What the site is made with: docstrings as Markdown, signatures, links, and the look at what came out."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import pytest

import gpugrad as gg

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(scope="module", autouse=True)
def tools():
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def docstrings(tools):
    return importlib.import_module("docstrings")


@pytest.fixture(scope="module")
def reference(tools):
    return importlib.import_module("reference")


@pytest.fixture(scope="module")
def check_site(tools):
    return importlib.import_module("check_site")


DOC = """``2 x``, or :func:`twice`; see :class:`~gg.Unknown`.

    A paragraph with *stars*, a_name_, <tags> and [brackets].

    Args:
        x: any number, of
            two lines.
        *others: ignored.

            even a paragraph of its own

    Raises (when called):
        ValueError: it is ``None``.

    - one
    - two

    Source: somebody. It goes on.

    >>> twice(2)
    4
    >>> for i in range(2):
    ...     pass

    Afterwards.
    """

MARKDOWN = """\
``2 x``, or [`twice`](page.md#twice); see `gg.Unknown`.

A paragraph with \\*stars\\*, a\\_name\\_, \\<tags> and \\[brackets\\].

**Args**

- `x`: any number, of two lines.
- `*others`: ignored.  even a paragraph of its own

**Raises (when called)**

- `ValueError`: it is ``None``.

- one
- two

**Source:** somebody. It goes on.

```pycon
>>> twice(2)
4
>>> for i in range(2):
...     pass
```

Afterwards."""


def test_a_docstring_as_markdown(docstrings):
    assert docstrings.markdown(inspect.cleandoc(DOC), {"twice": "page.md#twice"}.get) == MARKDOWN


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("One line.", "One line."),
        ("Text::\n\n    indented", "Text::\n\n```text\nindented\n```"),
        ("Text\n\n    >>> 1 + 1\n    2", "Text\n\n```pycon\n>>> 1 + 1\n2\n```"),
        ("To do it:\n\n1. first;\n2. second.", "To do it:\n\n1. first;\n2. second."),
        ("Returns:\n    The shape.", "**Returns**\n\nThe shape."),
        ("``a *b*`` and * c", "``a *b*`` and \\* c"),
        ("State: ``a``.\nSource: b.", "**State:** ``a``.\n\n**Source:** b."),
    ],
)
def test_pieces_of_docstrings(docstrings, doc, expected):
    assert docstrings.markdown(doc) == expected


def f(x, /, y: int = 2, *rest: float, z: str = "a", **options: bool) -> tuple[int, str]: ...


def g(x: gg.Tensor, *, key: object = None): ...


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f, "name(x, /, y: int = 2, *rest: float, z: str = 'a', **options: bool) -> tuple[int, str]"),
        (g, "name(x: gg.Tensor, *, key: object = None)"),
        (gg.exp, "name(x: Array, /) -> Array"),
        (gg.nn.Softmax, "name(dim: int = -1)"),
        (gg.Tensor.shape, ""),
    ],
)
def test_signatures(reference, value, expected):
    assert reference.signature("name", value) == expected


def test_a_long_signature_takes_a_line_for_each_parameter(reference):
    lines = reference.signature("gg.optim.Adam", gg.optim.Adam).splitlines()
    assert lines[0] == "gg.optim.Adam("
    assert "    lr: float = 0.001," in lines
    assert lines[-1] == ")"


@pytest.fixture(scope="module")
def made(reference):
    pages = reference.pages()
    return pages, reference.Index(pages)


def test_every_public_name_has_a_place(reference, made):
    pages, index = made
    for name, module in reference.namespaces():
        for entry in reference.entries(name, module):
            assert entry.anchor in index.places, entry.anchor
    assert len({page.path for page in pages}) == len(pages)
    assert sum(len(page.entries) for page in pages) > 600


def test_names_in_docstrings_are_found(reference, made):
    pages, index = made
    page = next(page for page in pages if page.path == "reference/gg.optim.md")
    find = index.find
    assert find("AdamW", page, gg.optim.Adam) == "#gpugrad.optim.AdamW"
    assert find("gpugrad.nn.Module", page, gg.optim.Adam) == "gg.nn/modules_and_containers.md#gpugrad.nn.Module"
    assert find("step", page, gg.optim.Optimizer) == "#gpugrad.optim.Optimizer.step"
    assert find("no_such_name", page, gg.optim.Adam) is None


@pytest.mark.parametrize(
    ("place", "start", "expected"),
    [
        ("a/b.md#c", "a/b.md", "#c"),
        ("a/b.md#c", "a/d.md", "b.md#c"),
        ("a/b.md", "a/e/d.md", "../b.md"),
        ("a/e/b.md", "a/d.md", "e/b.md"),
        ("coverage.md", "reference/gg/tensor.md", "../../coverage.md"),
    ],
)
def test_addresses(reference, place, start, expected):
    assert reference.relative(place, start) == expected


def test_a_page_of_the_reference(reference, made):
    pages, index = made
    text = reference.text(next(page for page in pages if page.path == "reference/gg/gradients.md"), index)
    assert "## `gg.vmap` { #gpugrad.vmap }" in text
    assert "```python { .signature }\ngg.grad(" in text
    assert ":func:`" not in text
    assert ":class:`" not in text


def site(folder, **pages):
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(f"<html><body>{body}</body></html>")
    return folder


def test_a_site_without_faults(check_site, tmp_path):
    folder = site(tmp_path, index='<h1 id="top"></h1><a href="other.html#here">x</a><a href="#top">y</a>',
                  other='<b id="here"></b><a href="https://example.org">elsewhere, when asked</a>')  # fmt: skip
    (folder / "style.css").write_text("body { background: url(data:image/png;base64,) }")
    assert check_site.faults(folder) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="gone.html">x</a>', "gone.html is not there"),
        ('<img src="gone.png">', "gone.png is not there"),
        ('<a href="#gone">x</a>', "#gone has no such place"),
        ('<a href="index.html#gone">x</a>', "index.html#gone has no such place"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
    ],
)
def test_faults_of_a_site(check_site, tmp_path, body, fault):
    assert check_site.faults(site(tmp_path, index=body)) == [f"index.html: {fault}"]


def test_a_style_sheet_that_loads(check_site, tmp_path):
    (site(tmp_path, index="") / "style.css").write_text("@import 'x.css';")
    assert check_site.faults(tmp_path) == ["style.css: loads from elsewhere"]


def test_no_site_at_all(check_site, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["check_site.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"has no index\.html"):
        check_site.main()
