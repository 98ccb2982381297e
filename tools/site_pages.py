"""What the site has beside the files of ``docs/``: the reference, the examples, the changelog, graphs to step through.

A hook of mkdocs (``hooks`` in mkdocs.yml): pages are made when the site is built, and written nowhere else.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import graphs
import reference
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
CHAPTER = re.compile(r"\]\((\w+\.md)\)")


def on_config(config: Any) -> Any:
    """Fill in the parts of the navigation that follow from what is there."""
    made = reference.pages()
    named = re.findall(r"[\w/]+\.md", repr(config.nav))
    config.nav = [filled(entry, made, named) for entry in config.nav]
    return config


def filled(entry: Any, made: list[reference.Page], named: list[str]) -> Any:
    """An entry of the navigation; ``Tutorial: tutorial/`` stands for the pages of that folder.

    Pages beside the folders that the navigation does not name are guides.
    """
    if isinstance(entry, dict):
        title, value = next(iter(entry.items()))
        if value == "reference/":
            return {title: ["reference/index.md", *reference_entries(made)]}
        if value == "examples/":
            lectures = ["examples/lectures.md", *script_pages("lectures")]
            ported = {"Written for PyTorch": script_pages("pytorch")}
            return {
                title: ["examples/index.md", {"Scripts": script_pages("examples")}, ported, {"The lectures": lectures}]
            }
        if isinstance(value, str) and value.endswith("/"):
            beside = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in named)
            return {title: chapters(value) + (beside if value == "guides/" else [])}
    return entry


def reference_entries(made: list[reference.Page]) -> list[Any]:
    """Pages of the reference; a namespace with several has them under its name."""
    found: list[Any] = []
    for page in made:
        parts = page.path.split("/")
        if len(parts) == 2:
            found.append({page.title: page.path})
            continue
        if not found or parts[1] not in found[-1]:
            found.append({parts[1]: []})
        found[-1][parts[1]].append({page.title: page.path})
    return found


def chapters(folder: str) -> list[str]:
    """The pages of a folder: its index, what that links to in this order, then the others."""
    path = ROOT / "docs" / folder
    there = sorted(file.name for file in path.glob("*.md") if file.name != "index.md")
    index = path / "index.md"
    linked = CHAPTER.findall(index.read_text(encoding="utf-8")) if index.exists() else []
    order = [name for name in dict.fromkeys(linked) if name in there]
    return [f"{folder}{name}" for name in (["index.md"] * index.exists() + order + sorted({*there} - {*order}))]


def script_pages(folder: str) -> list[str]:
    """The pages of the scripts of a folder."""
    return [f"examples/{path.stem}.md" for path in scripts() if path.parent.name == folder]


def scripts() -> list[Path]:
    """The example scripts, those of the lectures last."""
    folder = ROOT / "examples"
    ported = [path for path in sorted((folder / "pytorch").glob("*.py")) if path.stem != "made"]
    return [*sorted(folder.glob("*.py")), *ported, *sorted((folder / "lectures").glob("*.py"))]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    made = reference.pages()
    index = reference.Index(made)
    pages = {page.path: f"---\nsearch:\n  boost: 3\n---\n\n{reference.text(page, index)}" for page in made}
    pages["reference/index.md"] = reference.overview(made)
    pages["examples/index.md"] = examples_page(ROOT / "examples")
    pages["examples/lectures.md"] = examples_page(ROOT / "examples" / "lectures")
    pages |= {f"examples/{path.stem}.md": script_page(path) for path in scripts()}
    pages["changelog.md"] = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    pages["contributing.md"] = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("](docs/", "](")
    for path, content in [*pages.items(), *graphs.pages()]:
        files.append(File.generated(config, path, content=content))
    return files


def examples_page(folder: Path) -> str:
    """The README of a folder of examples, with links that fit where it stands here."""
    content = (folder / "README.md").read_text(encoding="utf-8").replace("../docs/", "../")
    content = content.replace("(lectures/README.md)", "(lectures.md)").replace(
        "[pytorch/](pytorch/)", "`examples/pytorch`"
    )
    known = {path.name for path in scripts()}

    def link(match: re.Match[str]) -> str:
        return f"[`{match[1]}`]({match[2]}.md)" if f"{match[2]}.py" in known else match[0]

    return re.sub(r"(?<!\[)`((?:lectures/)?(\w+)\.py)`", link, content)


def script_page(path: Path) -> str:
    """A script as a page: its docstring, then its lines."""
    source = path.read_text(encoding="utf-8")
    first, _, rest = (ast.get_docstring(ast.parse(source)) or path.stem).partition("\n")
    code = f'```python {{ title="{path.relative_to(ROOT)}" linenums="1" }}\n{source}```'
    return "\n\n".join(["---\nsearch:\n  boost: 0.5\n---", f"# {path.stem}", f"{first}\n{rest}", code, ""])
