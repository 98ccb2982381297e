"""Docstrings as Markdown: their sections, examples, and the names of others, which become links.

The docstrings are written to be read in a terminal: double backticks, ``Args:`` and its kin, ``>>>`` examples, and
``:func:`name``` where another function is named. Nothing else of reStructuredText is used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

ROLE = re.compile(r":(?:func|class|mod|meth|attr|data):`~?([^`]+)`")
CODE = re.compile(r"(``.+?``|`[^`\n]+`)", re.DOTALL)
SECTION = re.compile(r"^([A-Z][\w ]*(?:\([^)]*\))?):$")
LABEL = re.compile(r"^(Sources?|Source of the convention|Shapes?|State|Returns|Raises): ", re.MULTILINE)
ITEM = re.compile(r"^((?:\*{0,2}\w[\w.]*)(?:, \*{0,2}\w[\w.]*)*(?: \([^)]*\))?): ?(.*)$")
LISTED = re.compile(r"^(?:- |\d+\. )")

Link = Callable[[str], "str | None"]
"""The address of what a name stands for, if it has a place in the reference."""


def escaped(text: str) -> str:
    """Text in which nothing but code is markup."""
    return re.sub(r"([*_<\[\]#|])", r"\\\1", text)


def inline(text: str, link: Link) -> str:
    """A run of text: roles become links, what is no code is escaped."""
    found = []

    def role(match: re.Match[str]) -> str:
        name, address = match.group(1), link(match.group(1))
        found.append(f"[`{name}`]({address})" if address else f"`{name}`")
        return f"`\0{len(found) - 1}`"

    parts = CODE.split(ROLE.sub(role, text))
    whole = "".join(part if i % 2 else escaped(part) for i, part in enumerate(parts))
    return re.sub("`\0(\\d+)`", lambda match: found[int(match.group(1))], whole)


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """The paragraphs; what is indented below a section's name, or is an indented example, stays with itself."""
    block: list[str] = []
    for i, line in enumerate(lines):
        in_section = block and SECTION.match(block[0]) and len(block) > 1
        if not line.strip():
            following = next((later for later in lines[i + 1 :] if later.strip()), "")
            if in_section and following.startswith(" "):
                block.append("")
                continue
            if block:
                yield block
            block = []
        elif block and in_section and not line.startswith(" "):
            yield block
            block = [line]
        else:
            block.append(line)
    if block:
        yield block


def fenced(lines: list[str]) -> str:
    """An example, as code."""
    text = re.sub(r" *# doctest:.*", "", inspect.cleandoc("\n".join(lines)))
    return f"```{'pycon' if text.startswith('>>>') else 'text'}\n{text}\n```"


def section(name: str, lines: list[str], link: Link) -> str:
    """``Args:`` and its kin as a list of what they name; text, where nothing is named."""
    items: list[list[str]] = []
    for line in inspect.cleandoc("\n".join(lines)).splitlines():
        match = None if line.startswith(" ") else ITEM.match(line)
        if match:
            items.append([match.group(1), match.group(2)])
        elif items:
            items[-1][1] += " " + line.strip()
        else:
            items.append(["", line])
    told = [f"- `{key}`: {inline(text.strip(), link)}" if key else inline(text, link) for key, text in items]
    return f"**{name}**\n\n" + "\n".join(told)


def markdown(doc: str, link: Link = lambda _: None) -> str:
    """A docstring, as ``inspect.getdoc`` gives it, as Markdown; ``link`` knows where names are told of."""
    told = []
    for block in blocks(doc.splitlines()):
        head = SECTION.match(block[0])
        example = next((i for i, line in enumerate(block) if line.lstrip().startswith(">>>")), None)
        if head and len(block) > 1 and block[1].startswith(" "):
            told.append(section(head.group(1), block[1:], link))
        elif example is not None:
            if example:
                told.append(inline("\n".join(block[:example]), link))
            told.append(fenced(block[example:]))
        elif all(line.startswith("    ") for line in block):
            told.append(fenced(block))
        elif any(LISTED.match(line) for line in block):
            first = next(i for i, line in enumerate(block) if LISTED.match(line))
            parts = ["\n".join(block[:first]), "\n".join(block[first:])]
            told += [inline(part, link) for part in parts if part]
        else:
            text = inline("\n".join(block), link)
            told.append(LABEL.sub(lambda match: f"\n**{match.group(1)}:** ", text).strip())
    return "\n\n".join(told)
