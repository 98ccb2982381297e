"""Formulas of the site: LaTeX between dollars becomes MathML when the site is built.

Browsers draw MathML and screen readers read it, without a script; GitHub draws the same Markdown's formulas as well. A
hook of mkdocs (``hooks`` in mkdocs.yml); pymdownx.arithmatex has found them before.
"""

from __future__ import annotations

import html
import logging
import re
from typing import Any
from xml.etree.ElementTree import Element, tostring

log = logging.getLogger("mkdocs.hooks.formulas")  # a warning of mkdocs' is an error of a strict build

FOUND = re.compile(
    r"""<span class="arithmatex">\\\((?P<inline>.*?)\\\)</span>(?P<after>[.,;:!?)]*)"""
    r"""|<div class="arithmatex">\\\[(?P<block>.*?)\\\]</div>""",
    re.DOTALL,
)
BRACE = re.compile(r"\\\\|\\[{}]|[{}]")
PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
"""How many elements these must have; a browser shows an error, or nothing, where they have less."""
PRIMES = ("′", "″", "‴")


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    r"""Put MathML in the place of each formula of a page; one that cannot be read stays, and is warned of.

    Formulas side by side, with ``\qquad`` between them, are elements of their own, below each other on a telephone.
    """

    def drawn(match: re.Match[str]) -> str:
        block = match["inline"] is None
        latex = " ".join(html.unescape(match["block"] if block else match["inline"]).split())
        try:
            parts = [mathml(part.strip(), block) for part in (latex.split(r"\qquad") if block else [latex])]
        except ValueError as error:
            log.warning("%s: the formula $%s$ cannot be read: %s", page.file.src_uri, latex, error)
            return f"<code>{html.escape(latex)}</code>{match['after'] or ''}"
        if not block:  # the next line does not begin with a comma
            return f'<span class="formula-end">{parts[0]}{match["after"]}</span>' if match["after"] else parts[0]
        return f'<div class="formula">{"".join(f"<div data-search-exclude>{part}</div>" for part in parts)}</div>'

    return FOUND.sub(drawn, content)


def mathml(latex: str, block: bool = False) -> str:
    """A formula as MathML.

    latex2mathml passes on much of what it does not know, as text: this is looked for.

    Raises:
        ValueError: not LaTeX, or not of the part of it that is understood.
    """
    try:
        from latex2mathml.commands import MATRICES
        from latex2mathml.converter import convert_to_element
    except ModuleNotFoundError as error:
        raise ImportError("formulas need latex2mathml: pip install 'gpugrad[docs]'") from error
    depth = 0
    for brace in BRACE.findall(latex):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            raise ValueError("} without {")
    if depth:
        raise ValueError("{ without }")
    for name in re.findall(r"\\begin\{(.*?)\}", latex):
        if f"\\{name}" not in MATRICES:
            raise ValueError(f"no environment {name} is known")
    try:
        tree = convert_to_element(latex, display="block" if block else "inline")
    except Exception as error:  # its exceptions have no base of their own, and some say nothing but their name
        raise ValueError(f"{type(error).__name__} {error}".strip()) from error
    del tree.attrib["xmlns"]  # HTML has it by itself
    for element in tree.iter():
        mend(element)
    return tostring(tree, encoding="unicode")


def mend(element: Element) -> None:
    """Make an element what browsers expect."""
    written = element.text or ""
    element.text = text = html.unescape(written)
    if element.tag != "mtext" and (text.startswith("\\") or text == "&"):
        raise ValueError(f"{text} is not known here")
    if len(element) < PARTS.get(element.tag, 0):
        raise ValueError(f"a part is missing: {element.tag} needs {PARTS[element.tag]}, has {len(element)}")
    if element.tag == "mi" and written != text and re.fullmatch("[A-Za-z]", text):
        element.set("mathvariant", "normal")  # \mathrm{d}; a letter alone would be slanted
    if element.tag == "mo" and text.isalpha():  # max, softmax: a name, and no space before its parenthesis
        element.attrib |= {"lspace": "0", "rspace": "0"}
    if text in ("|", "‖") and "form" not in element.attrib:  # no taller than a letter, where no \left stands before it
        element.attrib |= {"lspace": "0", "rspace": "0", "stretchy": "false"}
    if element.tag == "mo" and text == "/":
        element.attrib |= {"lspace": "0", "rspace": "0"}
    if (
        element.tag == "msup" and html.unescape(element[1].text or "") in PRIMES
    ):  # fonts have them small and high already
        element.tag, element[1].tag = "mrow", "mo"
    children = [] if element.tag in PARTS else list(element)
    for i in range(len(children) - 1, 0, -1):
        before, after = first(children[i - 1]), first(children[i])
        if (is_name(after) and before.tag != "mo") or (is_name(before) and after.tag != "mo"):
            element.insert(i, Element("mspace", width="0.167em"))


def first(element: Element) -> Element:
    """What an index or exponent is at."""
    while element.tag in PARTS and element.tag != "mfrac" and len(element):
        element = element[0]
    return element


def is_name(element: Element) -> bool:
    """Whether an element is ``max``, ``cos`` or the like, which have a little space beside them."""
    return element.tag in ("mi", "mo") and len(element.text or "") > 1 and (element.text or "").isalpha()
