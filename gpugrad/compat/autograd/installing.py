"""Putting this interface in the place of the package ``autograd``, for programs that import it by that name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

HERE = __package__
NAME = "autograd"


class Stand(MetaPathFinder, Loader):
    """Finds ``autograd`` and its modules: the modules of this package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == NAME or fullname.startswith(NAME + "."):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        name = HERE + spec.name.removeprefix(NAME)
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ModuleNotFoundError(
                f"gpugrad has no module for {spec.name}: see the guide on coming from autograd", name=spec.name
            ) from error

    def exec_module(self, module: ModuleType) -> None:
        """It ran when it was imported under its own name."""


def install() -> None:
    """Let ``import autograd`` and ``from autograd... import ...`` mean this package, in the whole process.

    Modules that already imported the real package keep it, so call this first.

    Raises:
        RuntimeError: the real package is imported already.

    >>> from gpugrad.compat.autograd import install
    >>> install()
    >>> import autograd.numpy as np
    >>> from autograd import grad
    >>> grad(np.sin)(0.0)
    np.float64(1.0)
    """
    loaded = sys.modules.get(NAME)
    if loaded is not None and loaded is not sys.modules[HERE]:
        raise RuntimeError(
            "autograd is imported already: call gpugrad.compat.autograd.install() before anything imports it"
        )
    if not any(isinstance(finder, Stand) for finder in sys.meta_path):
        sys.meta_path.insert(0, Stand())
