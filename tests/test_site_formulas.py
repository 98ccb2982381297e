"""Formulas of the site: LaTeX to MathML, and a build that fails where one cannot be read."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.any_device


@pytest.fixture
def mathml(monkeypatch):
    pytest.importorskip("latex2mathml", reason="formulas need latex2mathml, of the extra docs")
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("formulas").mathml


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("x", "<mi>x</mi>"),
        ("4a^3", "<mn>4</mn><msup><mi>a</mi><mn>3</mn></msup>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"W^\top", "<msup><mi>W</mi><mo>⊤</mo></msup>"),
        (r"\frac{1}{\sigma}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>σ</mi></mrow></mfrac>"),
        ("f''(x)", '<mrow><mi>f</mi><mo>″</mo></mrow><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo>'),
        ("a / b", '<mi>a</mi><mo lspace="0" rspace="0">/</mo><mi>b</mi>'),
        (r"\mathrm{d}x", '<mi mathvariant="normal">d</mi><mi>x</mi>'),
        (r"\operatorname{softmax} s", '<mo lspace="0" rspace="0">softmax</mo><mspace width="0.167em" /><mi>s</mi>'),
        (
            r"\beta\cos(x)",
            '<mi>β</mi><mspace width="0.167em" /><mi>cos</mi>'
            '<mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo>',
        ),
        (
            r"a = \max_i b",
            '<mi>a</mi><mo>=</mo><msub><mo lspace="0" rspace="0">max</mo><mi>i</mi></msub>'
            '<mspace width="0.167em" /><mi>b</mi>',
        ),
        (
            r"\lVert x \rVert",
            '<mo lspace="0" rspace="0" stretchy="false">‖</mo><mi>x</mi>'
            '<mo lspace="0" rspace="0" stretchy="false">‖</mo>',
        ),
        (r"\{x\}", '<mo stretchy="false">{</mo><mi>x</mi><mo stretchy="false">}</mo>'),
        (r"\text{if }x", "<mtext>if\xa0</mtext><mi>x</mi>"),
    ],
)
def test_a_formula_as_mathml(mathml, latex, expected):
    assert mathml(latex) == f'<math display="inline"><mrow>{expected}</mrow></math>'


def test_a_formula_of_its_own(mathml):
    formula = '<math display="block"><mrow><munder><mo>∑</mo><mi>i</mi></munder><mi>x</mi></mrow></math>'
    assert mathml(r"\sum_i x", block=True) == formula


def test_cases(mathml):
    table = mathml(r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}")
    assert table.count("<mtr>") == 2
    assert table.count("<mtd") == 4


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        ("", "NoAvailableTokensError"),
        ("a^", "MissingSuperScriptOrSubscriptError"),
        ("x^2^3", "DoubleSuperscriptsError"),
        (r"\left( x", "ExtraLeftOrMissingRightError"),
        (r"\frac{a", "{ without }"),
        ("a}b{", "} without {"),
        (r"\frac{a}", "a part is missing: mfrac needs 2, has 1"),
        (r"\partail x", r"\\partail is not known here"),
        ("a & b", "& is not known here"),
        (r"\begin{aligned}a\end{aligned}", "no environment aligned is known"),
    ],
)
def test_a_formula_that_cannot_be_read(mathml, latex, message):
    with pytest.raises(ValueError, match=message):
        mathml(latex)


def built(folder, text):
    """Build a site of one page, with the formulas of mkdocs.yml."""
    import yaml

    extensions = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["markdown_extensions"]
    wanted = [each for each in extensions if "pymdownx.arithmatex" in each]
    config = {
        "site_name": "formulas",
        "strict": True,
        "theme": {"name": None, "custom_dir": "theme"},
        "plugins": [],
        "hooks": [str(ROOT / "tools" / "formulas.py")],
        "markdown_extensions": wanted,
    }
    for name, content in {"docs/index.md": text, "theme/main.html": "{{ page.content }}"}.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(content, "utf-8")
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=folder,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    page = folder / "site" / "index.html"
    return done, page.read_text("utf-8") if page.exists() else ""


@pytest.fixture
def mkdocs(mathml):
    for name in ("mkdocs", "pymdownx"):
        pytest.importorskip(name, reason=f"a site needs {name}, of the extra docs")


PAGE = r"""It costs $2.00, or $5.00; `$x$` is code, and \[this\] is text.

Of $q = W x$ the square is ($q < 1$):

$$
f = \lVert q \rVert^2
\qquad \frac{\partial f}{\partial q} = 2 q
$$
"""


def test_a_page_with_formulas(mkdocs, mathml, tmp_path):
    done, page = built(tmp_path, PAGE)
    assert done.returncode == 0, done.stderr
    assert "It costs $2.00, or $5.00; <code>$x$</code> is code, and [this] is text." in page
    assert f"Of {mathml('q = W x')} the square is (" in page
    assert f'(<span class="formula-end">{mathml("q < 1")}):</span>' in page
    parts = [mathml(part, block=True) for part in (r"f = \lVert q \rVert^2", r"\frac{\partial f}{\partial q} = 2 q")]
    divs = [f"<div data-search-exclude>{part}</div>" for part in parts]
    assert f'<div class="formula">{"".join(divs)}</div>' in page


def test_a_strict_build_fails_and_names_page_and_formula(mkdocs, tmp_path):
    done, _ = built(tmp_path, "A slope, $\\frac{a}{b$, and $\\foo$.\n")
    assert done.returncode != 0
    assert "index.md: the formula $\\frac{a}{b$ cannot be read: { without }" in done.stderr
    assert "index.md: the formula $\\foo$ cannot be read: \\foo is not known here" in done.stderr
