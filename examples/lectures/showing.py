"""What the lectures' scripts share: their command line, rows of numbers, pictures, drawn graphs."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import reporting
except ImportError:  # a script finds what lies beside it; this lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import reporting

import gpugrad as gg

BLUE, RED, GREY, LIGHT = reporting.BLUE, reporting.RED, reporting.GREY, reporting.LIGHT
GREEN, ORANGE, VIOLET = "#059669", "#d97706", "#7c3aed"
figure, tidy, written_whole = reporting.figure, reporting.tidy, reporting.written_whole


def command_line(script: str, description: str) -> argparse.ArgumentParser:
    """A parser with ``--device`` and ``--out``; a script adds what else it needs.

    Args:
        script: its ``__file__``: ``--out`` is ``runs/lectures/`` and its name.
        description: what it shows; of a docstring the first line.
    """
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    out = Path("runs/lectures") / Path(script).stem
    parser.add_argument("--out", type=Path, default=out, help="folder for pictures (%(default)s)")
    return parser


def rows(lines: Iterable[tuple[Any, ...]], digits: int = 2) -> str:
    """Lines of names and numbers, in columns."""
    cells = [[f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in cells
    )


def save(drawing: Any, path: Path, dpi: int = 110) -> None:
    """Write a figure as PNG, and say so; None, where matplotlib is missing, is nothing to write."""
    if drawing is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            drawing.savefig(file, format="png", dpi=dpi)
        print(f"picture: {path}")


def save_graph(graph: Any, path: Path) -> None:
    """Write what ``gg.draw`` gave as a page to step through and, where Graphviz is installed, as SVG; and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [graph.save(path.with_suffix(".html"))]
    try:
        written.append(graph.save(path.with_suffix(".svg")))
    except ImportError as missing:
        print(f"no {path.stem}.svg: {missing}")
    print(f"graph: {', '.join(map(str, written))}")


def variables(**values: Any) -> dict[str, gg.Tensor]:
    """Leaves in float64, as exact as the lectures' arithmetic; each is called what it is called here."""
    return {name: gg.tensor(value, dtype=gg.float64, requires_grad=True) for name, value in values.items()}
