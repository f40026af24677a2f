"""Write docs/api_reference.md from the docstrings of every public name: ``python docs/api_page.py``."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import damagediff  # noqa: E402
from damagediff import settings, types  # noqa: E402

ROOMS = (types, settings)

INTRODUCTION = """# Python reference

Written by `python docs/api_page.py` from the docstrings of the code; do not edit. How to use these:
[api.md](api.md). All of it is `damagediff.NAME`; what a field holds may be another noun of
`damagediff.types`, described in its own docstring.

Everywhere: `valid` is True where usable; `..._rc` are (row, col), the centre of the first pixel is (0, 0);
`..._xy` are (x, y); images are (bands, rows, cols), all else (rows, cols); units are in the names; None is
not known, NaN not valid here, an empty tuple looked and found nothing.
"""
GROUPS = {
    "Functions": ("compare", "open_run"),
    "What goes in": ("Raster", "Source", "Case", "About", "Settings", "Grid"),
    "What comes out": (
        "Comparison",
        "Trust",
        "Check",
        "Region",
        "Building",
        "ChangeMap",
        "Alignment",
        "Pair",
        "Image",
        "Pictures",
    ),
    "Errors": (
        "DamagediffError",
        "SettingsError",
        "InputError",
        "AlignmentRefused",
        "EvidenceError",
        "OutputError",
    ),
}
PLAIN = {
    "path": "Of the file.",
    "sha256": "Of the file: 64 hex digits.",
    "size_bytes": "Of the file.",
    "shape": "Rows and columns.",
    "id": "Counts from 1.",
    "centroid_rc": "(row, col) of its middle on the working grid.",
    "world_file_sha256": "Of the world file, where one was used.",
    "settings": "As they were used, by stage and name.",
    "versions": "Of this package and of the libraries that bear on the result, by name.",
}
"""Fields whose names say it, for those who do not read the code."""
NOT_LISTED = {"__version__", "errors", "types"}
"""The version, and the rooms that hold the names above."""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for group, names in GROUPS.items():
        parts.append(f"## {group}\n")
        parts += [_described(name, getattr(damagediff, name)) for name in names]
    return "\n".join(parts)


def _described(name: str, value: Any) -> str:
    if inspect.isfunction(value):
        return f"### {name}\n\n```python\n{_signature(name, value)}\n```\n\n{_text(value)}\n"
    head = f"### {name}\n\n{_text(value)}\n"
    if issubclass(value, Exception):
        return head + f"\nExit code of the command line: {value.exit_code}.\n"
    rows = [f"| `{field}` | {_cell(kind)} | {words} |" for field, kind, words in _fields(value)]
    table = "\n| field | kind | what |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return head + table + "".join(_methods(name, value))


def _methods(name: str, kind: type) -> Iterator[str]:
    """Own public methods and properties; a dataclass of settings or a noun may have none."""
    for method, value in vars(kind).items():
        if method.startswith("_") or method in getattr(kind, "__dataclass_fields__", {}):
            continue
        if isinstance(value, property):
            yield f"\n#### {name}.{method}\n\n{_text(value)}\n"
        elif inspect.isfunction(value) or isinstance(value, classmethod):
            function = getattr(kind, method)
            called = f"```python\n{_signature(method, function)}\n```"
            yield f"\n#### {name}.{method}\n\n{called}\n\n{_text(function)}\n"


def _signature(name: str, function: Any) -> str:
    """One parameter a line, as it is written in the code."""
    given = inspect.signature(function)
    lines = []
    starred = False
    for parameter in given.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("*")
            starred = True
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        lines.append(f"{stars}{parameter.name}: {parameter.annotation}{default}")
    inner = "".join(f"    {line},\n" for line in lines)
    return (
        f"{name}(\n{inner}) -> {given.return_annotation}"
        if lines
        else f"{name}() -> {given.return_annotation}"
    )


def _default(value: Any) -> str:
    return value.__name__ if callable(value) else repr(value)


def _text(value: Any) -> str:
    """A docstring as Markdown: the heads of its sections in bold, its parameters as lists."""
    words = inspect.getdoc(value) or ""
    words = re.sub(r"^(\w[\w ]*)\n-{3,}$", r"**\1**\n", words, flags=re.MULTILINE)
    words = re.sub(r"``([^`]+)``", r"`\1`", words)
    words = re.sub(r"^(>>>.*(?:\n(?!\n).*)*)", r"```python\n\1\n```", words, flags=re.MULTILINE)
    words = re.sub(r"  # doctest:.*", "", words)
    return re.sub(r"^(\S[^\n]*)\n {4}(?=\S)((?:.*(?:\n {4}.*)*))", _item, words, flags=re.MULTILINE)


def _item(found: re.Match[str]) -> str:
    """``name : kind`` and the indented words below it as one line of a list."""
    return f"- `{found[1]}`: {' '.join(found[2].split())}"


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """(name, type, the string that stands below it in the code) of each field, also of inherited ones."""
    for part in reversed(kind.__mro__):
        if part.__module__.startswith("damagediff") and (
            dataclasses.is_dataclass(part) or typing.is_typeddict(part)
        ):
            yield from _own_fields(part)


def _own_fields(kind: type) -> Iterator[tuple[str, str, str]]:
    (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    below = [*tree.body[1:], None]
    for node, after in zip(tree.body, below, strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            annotation = ast.unparse(node.annotation)
            words = str(after.value.value) if told else PLAIN.get(node.target.id) or _of_noun(annotation)  # type: ignore[union-attr]
            yield node.target.id, annotation, _cell(" ".join(words.replace("``", "`").split()), "")


def _of_noun(annotation: str) -> str:
    """What the field's own kind says of itself, for a field that says no more."""
    names = [name for name in re.findall(r"\w+", annotation) if name not in ("tuple", "None")]
    kind = next((getattr(room, names[0]) for room in ROOMS if hasattr(room, names[0])), None)
    told = inspect.getdoc(kind) if dataclasses.is_dataclass(kind) else None
    return (told or "").partition("\n")[0]


def _cell(text: str, mark: str = "`") -> str:
    return f"{mark}{text}{mark}".replace("|", "\\|")


if __name__ == "__main__":
    (ROOT / "docs" / "api_reference.md").write_text(page(), encoding="utf-8", newline="\n")
