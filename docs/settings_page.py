"""Write docs/settings.md from damagediff/settings.py: ``python docs/settings_page.py``."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from damagediff import settings

PAGE = Path(__file__).with_name("settings.md")

INTRODUCTION = """# Settings

Written by `python docs/settings_page.py` from `damagediff/settings.py`; do not edit.

Every number that can be set, with its default. `damagediff settings` prints them as a TOML file; a changed
copy goes in by `--settings FILE`, a single one by `--set align.window_px=96`. What is not named keeps its
default. Each run writes the settings that it used into `results.json`.
"""


def fields(kind: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and reason of each field, as they stand in the source."""
    for field, below in zip(kind.body, [*kind.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and field.value is not None:
            documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            reason = " ".join(str(below.value.value).split()) if documented else ""
            yield ast.unparse(field.target), ast.unparse(field.annotation), ast.unparse(field.value), reason


def row(key: str, kind: str, default: str, reason: str) -> str:
    """One line of the table of a stage."""
    named = kind.partition("Literal[")[2].removesuffix("]").replace("'", "") or kind
    limits = named
    if key in settings.RANGE:
        limits = "{:,.10g} to {:,.10g}".format(*settings.RANGE[key])
        limits += f", or {named}" if "Literal[" in kind else ""
    shown = "not set" if default == "None" else "`" + default.strip("'") + "`"
    return f"| `{key}` | {shown} | {limits} | {reason} |"


def page() -> str:
    """The whole of docs/settings.md."""
    module = ast.parse(inspect.getsource(settings))
    kinds = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    stages = {kind: name for name, kind, _, _ in fields(kinds["Settings"]) if kind in kinds}
    lines = [INTRODUCTION]
    for kind in ["Settings", *stages]:
        prefix = f"{stages[kind]}." if kind in stages else ""
        title = f"`[{stages[kind]}]`" if kind in stages else "All stages"
        lines += [f"## {title}", "", str(ast.get_docstring(kinds[kind])), ""]
        lines += ["| setting | default | accepted | what and why |", "|---|---|---|---|"]
        lines += [row(prefix + name, *rest) for name, *rest in fields(kinds[kind]) if rest[0] not in kinds]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
