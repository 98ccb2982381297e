"""Write the packages of the images, with their versions and hashes, to ``docker/locks/``.

    python tools/lock.py [NAME ...]

Each file is what pip would choose now for Python 3.12 on Linux, for x86_64 and aarch64. It has versions and hashes and
not where they came from: an image is built from any index, and gets the same files. Nothing is installed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "docker" / "locks"
PYTHON = "3.12"
MACHINES = ("x86_64", "aarch64")
GLIBC = range(17, 37)
"""Minor versions of the glibc 2 that wheels may need: those up to that of the images' Debian 12."""
OWN = re.compile(r"gpugrad\[(.*)\]")
IMAGES = {"cpu": ["cli", "examples", "train", "gcs"]}
IMAGES |= {cuda: [*IMAGES["cpu"], cuda] for cuda in ("cuda12", "cuda13")}
"""The extras of ``pyproject.toml`` that an image has."""


def wanted(name: str) -> list[str]:
    """The requirements that a lock is made from: the project's own, and those of the extras of an image."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)
    if name == "build":
        return list(settings["build-system"]["requires"])
    project, extras = settings["project"], [*IMAGES[name]]
    found = [*project["dependencies"]]
    for extra in extras:  # which may name others of the project
        for requirement in project["optional-dependencies"][extra]:
            own = OWN.fullmatch(requirement)
            if own is None:
                found.append(requirement)
            else:
                extras += [e.strip() for e in own[1].split(",") if e.strip() not in extras]
    return sorted(set(found))


def chosen(requirements: list[str], machine: str) -> dict[str, tuple[str, str]]:
    """Version and hash of each wheel that pip chooses, by the name of its package."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)] + [f"manylinux2014_{machine}"]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--only-binary",
            ":all:", "--python-version", PYTHON, *(word for tag in tags for word in ("--platform", tag)),
            "--target", folder, "--report", str(Path(folder) / "report.json"), *requirements,
        ]  # fmt: skip
        # No wheels of this machine: only what everyone can get has a hash that everyone finds.
        variables = {key: value for key, value in os.environ.items() if key != "PIP_FIND_LINKS"}
        subprocess.run(command, check=True, env={**variables, "PIP_CONFIG_FILE": os.devnull})
        report: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text())
    return {
        entry["metadata"]["name"].lower().replace("_", "-").replace(".", "-"): (
            entry["metadata"]["version"], entry["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for entry in report["install"]
    }  # fmt: skip


def lock(name: str) -> str:
    """The text of a lock.

    Raises:
        ValueError: the machines do not have one version of a package in common.
    """
    found = {machine: chosen(wanted(name), machine) for machine in MACHINES}
    lines = [f"# Made by tools/lock.py: Python {PYTHON}, Linux, {' and '.join(MACHINES)}. Versions and hashes only."]
    for package in sorted({package for packages in found.values() for package in packages}):
        entries = {machine: packages[package] for machine, packages in found.items() if package in packages}
        versions = {version for version, _ in entries.values()}
        if len(versions) > 1:
            raise ValueError(f"lock {name}: {package} has {', '.join(sorted(versions))}: ask for one that both have")
        only = "" if len(entries) == len(MACHINES) else f' ; platform_machine == "{next(iter(entries))}"'
        hashes = sorted({digest for _, digest in entries.values()})
        lines.append(" \\\n".join([f"{package}=={versions.pop()}{only}", *(f"    --hash=sha256:{h}" for h in hashes)]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for each in sys.argv[1:] or ["build", *IMAGES]:
        (LOCKS / f"{each}.txt").write_text(lock(each), encoding="utf-8")
        print(LOCKS / f"{each}.txt")
