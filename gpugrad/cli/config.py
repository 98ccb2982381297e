"""A configuration in TOML, and errors that point at its lines.

A table with the key ``use`` is a call: ``use`` names a class or a function, the other keys are its arguments.

    [optimizer]
    use = "Adam"                   # one of the package's own
    lr = 0.004

    [model]
    use = "models.py:Classifier"   # of a file beside the configuration
    hidden = 256

A configuration can call functions, so it is code. To keep a foreign one from calling just anything, ``use`` takes the
public names of the package and those of files in the folder of the configuration; other modules and files must be
allowed by whoever runs it (``--allow``).
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack, get_args, get_origin, get_type_hints

PATIENCE = 1_000_000
"""Characters that are read to find the line of a key."""

READABLE = 40
"""Names that a message lists."""

Values = dict[str, Any]


class ConfigError(Exception):
    """What is wrong with a configuration, and where: ``train.toml:7: ...``."""


class Config:
    r"""The values of a configuration, and where in the text each stands.

    Args:
        text: TOML.
        file: where it came from.
        changes: ``table.key=value`` each, the value in TOML too, or a plain word: they replace what the text says.
        allow: the modules and files elsewhere that ``use`` may name.

    Raises:
        ConfigError: the text, or a change, is no TOML.

    >>> config = Config('[optimizer]\nuse = "Adam"\nlr = 0.1\n', Path("train.toml"), ["optimizer.lr=0.2"])
    >>> config.values["optimizer"], config.where("optimizer", "use")
    ({'use': 'Adam', 'lr': 0.2}, 'train.toml:2')
    """

    def __init__(self, text: str, file: Path, changes: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        self.text, self.file, self.allow = text, file, tuple(allow)
        try:
            self.values: Values = tomllib.loads(text)
        except RecursionError:
            raise ConfigError(f"{file}: nested too deeply") from None
        except ValueError as error:  # TOMLDecodeError, and what comes of an integer of too many digits
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            raise ConfigError(f"{file}:{line}: no TOML: {error}") from None
        self.changed: dict[tuple[str, ...], str] = {}
        for change in changes:
            path, value = parsed(change)
            table = self.values
            for key in path[:-1]:
                table = table.setdefault(key, {})
                if not isinstance(table, dict):
                    raise ConfigError(f"--set {change}: {key} is no table")
            table[path[-1]] = value
            self.changed[path] = change

    def where(self, *path: str) -> str:
        """The place of a key, as ``file:line``; of a table that is not there, the file."""
        if path in self.changed:
            return f"--set {self.changed[path]}"
        lines = self.text.splitlines(keepends=True)
        begin = next((number for number, line in enumerate(lines, 1) if path and path[-1] in line), 1)
        left = PATIENCE
        for number in range(begin, len(lines) + 1):
            before = "".join(lines[:number])
            left -= len(before)
            if left < 0:
                break
            try:
                seen: Any = tomllib.loads(before)
            except tomllib.TOMLDecodeError:
                continue  # inside a value of several lines
            for key in path:
                seen = seen.get(key) if isinstance(seen, dict) else None
            if seen is not None:
                return f"{self.file}:{begin}"
            begin = number + 1
        return str(self.file)

    def error(self, text: str, *path: str) -> ConfigError:
        """An error at a key."""
        return ConfigError(f"{self.where(*path)}: {text}")

    def only(self, known: Iterable[str], *path: str) -> Values:
        """The table at ``path`` (the whole, without one), which may have these keys and no others.

        Raises:
            ConfigError: it has another key, or is no table.
        """
        table = self.table(*path)
        for key in table:
            if key not in (names := list(known)):
                raise self.error(f"there is no setting {key!r}{meant(key, names, 'There are')}", *path, key)
        return table

    def table(self, *path: str) -> Values:
        """The table at ``path``; empty if there is none."""
        found: Any = self.values
        for key in path:
            found = found.get(key, {})
        if not isinstance(found, dict):
            raise self.error(f"expected a table [{'.'.join(path)}], got {found!r}", *path)
        return found

    def value(self, key: str, kind: type | tuple[type, ...], default: Any) -> Any:
        """A value outside the tables, of one of the given types.

        Raises:
            ConfigError: it has another type.
        """
        found = self.values.get(key, default)
        if found is default or (isinstance(found, kind) and not isinstance(found, bool)):
            return found
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise self.error(f"expected {key} as {' or '.join(k.__name__ for k in kinds)}, got {found!r}", key)

    def make(
        self, *path: str, among: Iterable[ModuleType], given: Values | None = None, first: tuple[Any, ...] = ()
    ) -> Any:
        """Call what the table at ``path`` names: see :meth:`called` and :meth:`call`."""
        function, _ = self.called(*path, among=among)
        return self.call(function, *path, given=given, first=first)

    def call(
        self, function: Callable[..., Any], *path: str, first: tuple[Any, ...] = (), given: Values | None = None,
        defaults: Values | None = None,
    ) -> Any:  # fmt: skip
        """Call a function with the arguments of the table at ``path``.

        Args:
            function: what is called.
            path: the table.
            first: positional arguments.
            given: further ones by name, as far as the function takes them, which the table must not say.
            defaults: further ones that the table may say otherwise.

        Raises:
            ConfigError: the function takes other arguments, or it raises ValueError or TypeError; of the package's own
                functions, any error but that of a connection.
        """
        given = given or {}
        arguments = {key: value for key, value in self.table(*path).items() if key != "use"}
        self.check(function, arguments, *path, taken=given, first=len(first))
        known = _parameters(function)
        given = {name: value for name, value in given.items() if known is None or name in known}
        arguments = {**(defaults or {}), **given, **arguments}
        try:
            inspect.signature(function).bind(*first, **arguments)
        except TypeError as error:
            raise self.error(f"{_title(function)}: {error}", *path, "use") from None
        try:
            return function(*first, **arguments)
        except Exception as error:
            own = str(getattr(function, "__module__", "")).partition(".")[0] == "gpugrad"
            expected = own and not isinstance(error, ConfigError | ConnectionError | ImportError)
            if not expected and not isinstance(error, ValueError | TypeError):
                raise
            said, title = str(error) or type(error).__name__, _title(function)
            raise self.error(said if said.startswith(title) else f"{title}: {said}", *path) from error

    def check(
        self, function: Callable[..., Any], arguments: Values, *path: str, taken: Iterable[str] = (), first: int = 0
    ) -> None:  # fmt: skip
        """Raise ConfigError at the first argument that is not the function's to take, or not of the type that it names.

        Args:
            function: what is called.
            arguments: by name.
            path: the table.
            taken: arguments that it is given elsewhere.
            first: how many of its first arguments are given, too.
        """
        known = _parameters(function)
        for key in arguments:
            if key in taken or (known is not None and key not in known):
                names = [name for name in (known or [])[first:] if name not in taken]
                raise self.error(f"{_title(function)} takes no {key!r}{meant(key, names, 'It takes')}", *path, key)
            kinds = _kinds(function, key)
            if kinds and not _fits(arguments[key], kinds):
                wanted = " or ".join(KINDS[kind] for kind in kinds if kind != "None")
                raise self.error(f"{_title(function)}: expected {key} as {wanted}, got {arguments[key]!r}", *path, key)

    def called(self, *path: str, among: Iterable[ModuleType]) -> tuple[Callable[..., Any], Values]:
        """What the table at ``path`` names, and its arguments."""
        table = self.table(*path)
        use = table.get("use")
        if not isinstance(use, str):
            raise self.error(f'[{".".join(path)}] has to say what it is: use = "Name" or "file.py:name"', *path)
        try:
            function = named(use, among, self.file.parent, self.allow)
        except LookupError as error:
            raise self.error(error.args[0], *path, "use") from None
        return function, {key: value for key, value in table.items() if key != "use"}


KINDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "None": "nothing"}
"""What a configuration says is told by these names of types."""


def parsed(change: str) -> tuple[tuple[str, ...], Any]:
    """The path and the value of ``table.key=value``.

    Raises:
        ConfigError: there is no ``=``, or no name before it.

    >>> parsed("optimizer.lr=0.1"), parsed("model.use=Linear")
    ((('optimizer', 'lr'), 0.1), (('model', 'use'), 'Linear'))
    """
    name, equals, text = change.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    if not equals or not all(path):
        raise ConfigError(f"--set {change}: expected table.key=value")
    try:
        return path, tomllib.loads(f"x = {text}")["x"]
    except (ValueError, RecursionError):
        return path, text


def named(use: str, among: Iterable[ModuleType], folder: Path, allow: Iterable[str] | None = ()) -> Callable[..., Any]:
    """The class or function of a name: a public one of the modules, ``file.py:name``, or ``package.module:name``.

    Args:
        use: the name.
        among: where plain names are looked up.
        folder: where files are looked for.
        allow: modules, with all that is in them, and files outside of ``folder`` that may be used; None: all.

    Raises:
        LookupError: there is none, or it is not allowed.
    """
    place, colon, name = use.rpartition(":")
    modules = [loaded(place, folder, allow)] if colon else list(among)
    for module in modules:
        own = module.__name__.partition(".")[0] == "gpugrad"
        public = name in getattr(module, "__all__", ()) if own else bool(colon)
        found: Any = getattr(module, name, None) if public else None
        if callable(found):
            return found  # type: ignore[no-any-return]
    names = [n for module in modules for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")]
    names = [n for n in names if any(callable(getattr(module, n, None)) for module in modules)]
    where = " or ".join(module.__name__ for module in modules)
    raise LookupError(f"there is no {name!r} in {where}{meant(name, names, 'There are')}")


def loaded(place: str, folder: Path, allow: Iterable[str] | None = ()) -> ModuleType:
    """The module of a file ``name.py`` in ``folder``, or of a dotted name; see :func:`named`.

    A file is imported by its name, so that processes that load data can import it too.

    Raises:
        LookupError: there is no such file or module, it is not allowed, or another module has the file's name.
    """
    path = (folder / place).resolve()
    name = place
    if place.endswith(".py"):
        if not path.is_file():
            raise LookupError(f"there is no file {path}")
        inside = path.is_relative_to(folder.resolve())
        if not inside and allow is not None and path not in {Path(a).resolve() for a in allow}:
            raise LookupError(f"{path} is not in the folder of the configuration: --allow {path} lets it be used")
        folder, name = path.parent, path.stem
    elif not all(part.isidentifier() for part in place.split(".")):
        raise LookupError(f"expected a name, file.py:name or package.module:name, got {place + ':...'!r}")
    elif allow is not None and not any(f"{place}.".startswith(f"{module}.") for module in ("gpugrad", *allow)):
        raise LookupError(
            f"a configuration may use gpugrad's own names and those of files beside it; {place} is neither: "
            f"--allow {place.partition('.')[0]} lets it be used"
        )
    search = str(folder.resolve())
    if search not in sys.path:
        sys.path.insert(0, search)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] and error.name != name:
            raise
        raise LookupError(f"there is no module {name!r}") from None
    if place.endswith(".py") and Path(module.__file__ or "").resolve() != path:
        raise LookupError(f"{path} has the name of another module, {module.__file__}: give it a name of its own")
    return module


def meant(word: str, known: Iterable[str], begin: str) -> str:
    """The names that are alike, and all that there are if they are few enough to be read; for the end of a sentence.

    >>> meant("momentun", ["lr", "momentum"], "It takes")
    '; did you mean momentum? It takes lr, momentum'
    """
    names = {name.lower(): name for name in known}
    alike = [names[name] for name in difflib.get_close_matches(word.lower(), names, n=3)]
    hint = f"; did you mean {' or '.join(alike)}?" if alike else "." if 0 < len(names) <= READABLE else ""
    return hint + (f" {begin} {', '.join(names.values())}" if 0 < len(names) <= READABLE else "")


def _parameters(function: Callable[..., Any]) -> list[str] | None:
    """The names that can be given; None if any can."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            named = _further(function, p.name)
            if named is None:
                return None
            names += named
    return names


def _further(function: Callable[..., Any], name: str) -> list[str] | None:
    """The names that ``**name: Unpack[...]`` takes; None if it takes any."""
    typed = inspect.unwrap(function.__init__ if isinstance(function, type) else function)  # type: ignore[misc]
    try:
        hint = get_type_hints(typed).get(name)
    except (NameError, TypeError):
        return None
    return list(get_args(hint)[0].__annotations__) if get_origin(hint) is Unpack else None


def _kinds(function: Callable[..., Any], name: str) -> list[str]:
    """The types that a signature names for an argument; none where they are not only the plain ones of TOML."""
    parameter = inspect.signature(function).parameters.get(name)
    annotation = None if parameter is None else parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    kinds = [part.strip() for part in text.split("|")]
    return kinds if all(kind in KINDS for kind in kinds) else []


def _fits(value: Any, kinds: Iterable[str]) -> bool:
    """Whether a value of a configuration is of one of these types; a whole number is a number too."""
    kind = type(value).__name__
    return kind in kinds or (kind == "int" and "float" in kinds)


def _title(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
