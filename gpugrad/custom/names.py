"""What users may call their kernels and the values in them: it must be a name in Python and in C++."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any

Function = Callable[..., Any]

_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false
float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
protected public register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
while xor xor_eq
"""
KEYWORDS = frozenset(_WORDS.split())
"""The words of C++ that no value can be called."""


def names_of(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Names from ``"x y"``, ``"x, y"`` or a tuple."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else tuple(text)


def check_names(kernel: str, names: tuple[str, ...], taken: frozenset[str] = frozenset()) -> None:
    """Raise ValueError unless each is a name in both languages, and none is there twice or ``taken``."""
    for name in names:
        if not name.isidentifier() or not name.isascii():
            raise ValueError(f"{kernel}: expected an identifier, got {name!r}")
        if name in KEYWORDS or keyword.iskeyword(name):
            raise ValueError(f"{kernel}: {name!r} is a word of C++ or Python, choose another name")
        if name in taken or name.startswith(("gg_", "__")):
            raise ValueError(f"{kernel}: {name!r} has a meaning of its own in a kernel, choose another name")
    if len(set(names)) < len(names):
        raise ValueError(f"{kernel}: each name once, got {names}")


def with_signature(function: Function, *groups: tuple[tuple[str, ...], Any]) -> Function:
    """``function`` with a signature of these names, as the declaration of operations reads it."""
    parameters = [inspect.Parameter(name, kind) for names, kind in groups for name in names]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def needs_of(rule: Function) -> tuple[str, ...]:
    """The values that a gradient function ``f(xp, g, ...)`` names."""
    return tuple(inspect.signature(rule).parameters)[2:]


def inner_names(takes: tuple[str, ...]) -> Mapping[str, str]:
    """What the inputs are called in the operation behind: their names, but ``y``, which is the output's there."""
    free = "y_"
    while free in takes:
        free += "_"
    return {name: free if name == "y" else name for name in takes}
