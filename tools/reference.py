"""The pages of the reference: every public name, from its docstring, as it is when the site is built.

Pages are made of the modules where things are defined, by ``FAMILIES``; what is in none of them is on a page of its
own, so that a new function is never missing. ``tools/site_pages.py`` hands them to mkdocs.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from docstrings import inline, markdown

import gpugrad as gg

FAMILIES = {
    "gpugrad": {
        "Tensor": "core.tensor",
        "Gradients": "transforms core.errors nn.inspect.diagnose",
        "Making tensors": "ops.creation ops.exchange",
        "Arithmetic and elementary functions": (
            "ops.arithmetic ops.functions ops.trigonometry ops.rounding ops.ufuncs ops.activation ops.softmax "
            "ops.powers"
        ),
        "Comparing and asking": "ops.comparison ops.conditions ops.inspection",
        "Sums, means and other reductions": (
            "ops.reduction ops.statistics ops.quantiles ops.covariance ops.counting ops.scans"
        ),
        "Products and matrices": "ops.linear ops.products ops.diagonals ops.shorthand",
        "Shapes, joining, splitting": "ops.shaping ops.stacking ops.editing ops.padding",
        "Choosing, sorting, indices": "ops.selection ops.indexing",
        "Interpolation and signals": "ops.interpolation ops.signal",
        "Graphs as pictures": "drawing draw",
        "Functions as programs": "tracing",
        "Operations and kernels of your own": "core.operation custom",
        "Devices, dtypes, modes, memory": "core.modes backend",
    },
    "gpugrad.nn": {
        "Modules and containers": "module container parameter parameter_container summary state hooks",
        "Linear layers, embeddings": "linear embedding unflatten",
        "Convolution and pooling": "convolution pooling unpooling folding padding sampling",
        "Recurrent layers": "recurrent cells",
        "Attention and transformers": "attention transformer",
        "Activation functions": "activation",
        "Normalization and dropout": "normalization dropout",
        "Losses": "loss ranking regression adaptive",
        "Layers that find their sizes": "lazy",
    },
}
REST = "Others"
INTRO = """\
`import gpugrad as gg`. Every public name, from the docstrings; the examples of all of them run as tests. What each
function can do (derivatives, complex numbers, `vmap`), and which of NumPy's are missing, is in
[Coverage](../coverage.md)."""
LONG = 40
"""A class with more methods than this has those in a table that are functions of gpugrad too."""


BESIDE = ("drawing", "testing.cuda_simulator")
"""Modules for users that ``gpugrad`` does not list in ``__all__``: what is told of them is not told of elsewhere."""


class Entry(NamedTuple):
    """One public name."""

    namespace: str
    name: str
    value: Any

    @property
    def anchor(self) -> str:
        """Its place on its page."""
        return f"{self.namespace}.{self.name}"

    @property
    def shown(self) -> str:
        """As it is written in a program."""
        return self.anchor.replace("gpugrad", "gg", 1)


class Page(NamedTuple):
    """A page of the reference, and what it tells of."""

    path: str
    title: str
    intro: str
    entries: list[Entry]


def namespaces(module: ModuleType = gg, name: str = "gpugrad") -> Iterator[tuple[str, ModuleType]]:
    """The public modules: gpugrad, those that it names, and those that they name."""
    yield name, module
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.ismodule(value):
            yield from namespaces(value, f"{name}.{public}")


def entries(name: str, module: ModuleType) -> list[Entry]:
    """What a module makes public, without modules."""
    own = [n for n, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    names = getattr(module, "__all__", None) or own
    values = ((n, getattr(module, n)) for n in names)
    return [Entry(name, n, v) for n, v in values if n[0] != "_" and not inspect.ismodule(v)]


def slug(text: str) -> str:
    """A title as part of an address."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")


def family(entry: Entry) -> str:
    """The title of the page within its namespace that an entry belongs to."""
    where = getattr(entry.value, "__module__", None)
    if not isinstance(where, str) or not callable(entry.value):
        return "Devices, dtypes, modes, memory" if entry.namespace == "gpugrad" else REST
    for title, modules in FAMILIES[entry.namespace].items():
        for module in modules.split():
            if where == (full := f"{'gpugrad' if entry.namespace == 'gpugrad' else entry.namespace}.{module}"):
                return title
            if where.startswith(full + "."):
                return title
    return REST


def pages() -> list[Page]:
    """All pages but the first, in the order of the navigation."""
    found: list[Page] = []
    beside = [(f"gpugrad.{name}", importlib.import_module(f"gpugrad.{name}")) for name in BESIDE]
    for name, module in [*namespaces(), *beside]:
        folder, intro = name.replace("gpugrad", "gg", 1), inspect.getdoc(module) or ""
        seen = {id(entry.value) for page in found for entry in page.entries}
        told = [entry for entry in entries(name, module) if (name, module) not in beside or id(entry.value) not in seen]
        if name not in FAMILIES:
            found.append(Page(f"reference/{folder}.md", folder, intro, told))
            continue
        for title in [*FAMILIES[name], REST]:
            part = [entry for entry in told if family(entry) == title]
            if part:
                found.append(Page(f"reference/{folder}/{slug(title)}.md", title, "", part))
    return found


class Index:
    """Where everything is told of: by the object itself, and by its name."""

    def __init__(self, made: list[Page]) -> None:
        self.places: dict[str, str] = {}
        self.objects: dict[int, str] = {}
        for page in made:
            for entry in page.entries:
                place = f"{page.path}#{entry.anchor}"
                self.places[entry.anchor] = place
                if callable(entry.value):
                    self.objects.setdefault(id(entry.value), place)
                if inspect.isclass(entry.value):
                    for member, _ in members(entry.value):
                        self.places.setdefault(f"{entry.anchor}.{member}", f"{place}.{member}")

    def find(self, name: str, page: Page, owner: Any) -> str | None:
        """The address of ``name`` as it is meant in the docstring of ``owner``, relative to ``page``."""
        place = next((self.places[n] for n in self.candidates(name, page, owner) if n in self.places), None)
        if place is None:
            value = vars(inspect.getmodule(owner) or gg).get(name.partition(".")[0])
            place = self.objects.get(id(value)) if value is not None and "." not in name else None
        return None if place is None else relative(place, page.path)

    @staticmethod
    def candidates(name: str, page: Page, owner: Any) -> list[str]:
        """Full names that a short one may stand for, the nearest first."""
        spaces = [page.entries[0].namespace] if page.entries else []
        spaces += ["gpugrad", "gpugrad.nn", "gpugrad.nn.functional", "gpugrad.optim"]
        own = [f"{space}.{owner.__name__}" for space in spaces if inspect.isclass(owner)]
        return [name, re.sub(r"^gg\b", "gpugrad", name), *(f"{space}.{name}" for space in [*own, *spaces])]


def relative(place: str, start: str) -> str:
    """An address within the site, as a link from the page ``start`` says it."""
    page, _, anchor = place.partition("#")
    if page == start:
        return f"#{anchor}"
    there, here = page.split("/"), start.split("/")[:-1]
    while here and there[0] == here[0]:
        there, here = there[1:], here[1:]
    return "/".join([".."] * len(here) + there) + (f"#{anchor}" if anchor else "")


def members(cls: type) -> list[tuple[str, Any]]:
    """The methods and properties of a class that have a docstring of their own.

    Functions that were not written in it are left out, such as those that layers call; a Tensor's are its methods.
    """
    found, borrowed = [], []
    for name, member in vars(cls).items():
        value = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if name.startswith("_") or name == "extra_repr" or not hasattr(value, "__qualname__"):  # a name of PyTorch's
            continue
        if not inspect.isroutine(value) or not value.__doc__:
            continue
        found.append((name, member))
        if cls.__name__ not in value.__qualname__:
            borrowed.append((name, member))
    return found if len(borrowed) > LONG else [member for member in found if member not in borrowed]


def signature(name: str, value: Any) -> str:
    """A call as it is written, over several lines where it is long; a property has its name alone."""
    if isinstance(value, property):
        return ""
    try:
        form = inspect.signature(getattr(value, "__func__", value))
    except (TypeError, ValueError):
        return f"{name}(...)"
    parameters = [p for p in form.parameters.values() if p.name not in ("self", "cls")]
    told = [str(p.replace(annotation=shown(p.annotation))).replace("'", "", 2 * isinstance(p.annotation, str))
            for p in parameters]  # fmt: skip
    kinds = [p.kind for p in parameters]
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        told.insert(kinds.count(inspect.Parameter.POSITIONAL_ONLY), "/")
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        told.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY) + ("/" in told), "*")
    result = "" if inspect.isclass(value) else plain(form.return_annotation)
    end = f" -> {result}" if result else ""
    line = f"{name}({', '.join(told)}){end}"
    return line if len(line) <= 88 else f"{name}(\n    " + ",\n    ".join(told) + f",\n){end}"


def shown(annotation: Any) -> Any:
    """An annotation, unless it says nothing."""
    return inspect.Parameter.empty if plain(annotation) in ("Any", "") else annotation


def plain(annotation: Any) -> str:
    """An annotation as text, as it is written in the source."""
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")


def first_line(value: Any) -> str:
    """What a docstring begins with; its first sentence."""
    paragraph = (inspect.getdoc(value) or "").split("\n\n")[0].split("\n")
    return " ".join(line.strip() for line in paragraph)


def told(entry: Entry, page: Page, index: Index) -> str:
    """All about one name."""
    value = entry.value
    head = f"## `{entry.shown}` {{ #{entry.anchor} }}"

    def link(name: str) -> str | None:
        return index.find(name, page, value)

    kind = "class " if inspect.isclass(value) else ""
    lines = [head, f"```python {{ .signature }}\n{kind}{signature(entry.shown, value)}\n```"]
    if inspect.isclass(value):
        bases = [index.objects[id(base)] for base in value.__mro__[1:] if id(base) in index.objects][:1]
        lines += [f"A kind of [`{base.partition('#')[2].replace('gpugrad', 'gg', 1)}`]({relative(base, page.path)})."
                  for base in bases]  # fmt: skip
    lines.append(markdown(inspect.getdoc(value) or "", link))
    if inspect.isclass(value):
        lines.append(methods(entry, page, index))
    where = getattr(value, "__module__", None)
    if isinstance(where, str) and where.startswith("gpugrad"):
        lines.append(f"<small>defined in `{where}`</small>")
    return "\n\n".join(line for line in lines if line)


def methods(entry: Entry, page: Page, index: Index) -> str:
    """The methods of a class; those that functions of the same name tell of, in a table."""
    found = members(entry.value)
    lines, table = [], []
    for name, member in found:
        value = getattr(member, "fget", None) or getattr(member, "__func__", member)
        place = index.places.get(f"gpugrad.{name}") if len(found) > LONG else None
        if place:
            line = inline(first_line(value), lambda n: index.find(n, page, entry.value))
            table.append(f"| [`{name}`]({relative(place, page.path)}){{ #{entry.anchor}.{name} }} | {line} |")
            continue
        call = signature(f"{entry.name}.{name}" if isinstance(member, classmethod | staticmethod) else name, member)
        lines.append(f"### `{name}` {{ #{entry.anchor}.{name} }}")
        lines += [f"```python {{ .signature }}\n{call}\n```"] if call else []
        lines.append(markdown(inspect.getdoc(value) or "", lambda n: index.find(n, page, entry.value)))
    if table:
        lines.append("### Functions that are methods too { data-toc-label='Functions as methods' }")
        lines.append("\n".join(["| method | what the function does |", "|---|---|", *table]))
    return "\n\n".join(lines)


def text(page: Page, index: Index) -> str:
    """A page as Markdown."""
    top = f"# {'`' + page.title + '`' if page.title.startswith('gg') else page.title}"
    intro = markdown(page.intro, lambda n: index.find(n, page, gg)) if page.intro else ""
    parts = [told(entry, page, index) for entry in page.entries if callable(entry.value)]
    return "\n\n".join(part for part in (top, intro, *parts, constants(page)) if part)


def constants(page: Page) -> str:
    """What is no function and no class: numbers, dtypes, in a table."""
    values = [entry for entry in page.entries if not callable(entry.value)]
    rows = [f"| `{e.shown}`{{ #{e.anchor} }} | `{e.value!r}` |" for e in values]
    return "\n".join(["## Constants", "", "| name | value |", "|---|---|", *rows]) if rows else ""


def overview(made: list[Page], start: str = "reference/index.md") -> str:
    """The first page: every name, and a line about it."""
    lines = ["# Reference", INTRO]
    group = None
    for page in made:
        parent = page.path.split("/")[1].removesuffix(".md")
        if parent != group:
            lines.append(f"## `{parent}`")
            group = parent
        names = ", ".join(
            f"[`{entry.name}`]({relative(f'{page.path}#{entry.anchor}', start)})" for entry in page.entries
        )
        title = page.title if "/" in page.path.removeprefix("reference/") else "All of it"
        lines.append(f"**[{title}]({relative(page.path, start)})**: {names}")
    return "\n\n".join(lines)
