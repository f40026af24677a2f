"""Write docs/case-file.md from the tables of `case_file`: ``python docs/case_page.py``."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from damagediff import case_file, case_template, cli

PAGE = Path(__file__).with_name("case-file.md")

INTRODUCTION = """# Case file

Written by `python docs/case_page.py` from `damagediff/case_file.py`; do not edit.

`case.toml` holds one comparison: the images, where they come from, what others say of the place, and the
settings. So nothing hangs on a command line that nobody kept.

```sh
damagediff init cases/mine              # writes cases/mine/case.toml, with every key explained
damagediff compare cases/mine/case.toml
damagediff batch cases/*/case.toml -o runs/all
```

Files are named from the folder of the case and must lie inside it: the folder can be passed on as it is. A
key that is unknown, a value of the wrong type or a path that leads out ends with exit code 2 and one line
that names the key. Programs can use the JSON Schema, [case.schema.json](case.schema.json).
"""

TITLES = {
    "CaseTable": "The file itself",
    "ImageTable": "`[before]` and `[after]`",
    "BaselineTable": "`[[baseline]]`, any number",
    "ClaimTable": "`[[claim]]`, any number",
}
OWN = {
    "before": "The table of the before image, or of the one picture that holds both.",
    "title": "What is compared, for the report.",
    "claim.text": "The words, as they were said. They are set apart in the report.",
    "claim.source": "Who said it, and where.",
    "baseline.date": "When it was taken.",
    "file": "The file, from the folder of the case.",
    "baseline": "Further, older images of the place, each a table of its own.",
    "claim": "What others say, each a table of its own.",
    "panels": "Where both panels of one picture are, in its pixels as shown; before first.",
}
"""Words for keys that are described nowhere else."""


def rows(kind: ast.ClassDef, prefix: str) -> Iterator[str]:
    """One line of the table for each key."""
    for field, below in zip(kind.body, [*kind.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign):
            continue
        key, wanted = ast.unparse(field.target), ast.unparse(field.annotation).removesuffix(" | None")
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        said = " ".join(str(below.value.value).split()) if documented else option_help(key)  # type: ignore[union-attr]
        said = OWN.get(prefix + key, OWN.get(key, said))
        assert said, f"{prefix}{key}: nothing says what it is"
        needed = " **Needed.**" if field.value is None else ""
        yield f"| `{key}` | {type_words(wanted)} | {said}{needed} |"


def option_help(key: str) -> str:
    """What the command line says of the option of that name."""
    helps = {name: getattr(param, "help", "") for param in cli.compare.params for name in param.opts}
    name = key.replace("_", "-")
    return str(helps.get(f"--before-{name}") or helps.get(f"--{name}") or "").replace("before image", "image")


def type_words(wanted: str) -> str:
    """A type of Python in words of TOML."""
    known = {"str": "text", "float": "number", "dict[str, Any]": "table", "tuple[str, str]": "two texts"}
    if wanted.startswith("Literal["):
        return wanted[8:-1].replace("'", "`")
    return known.get(wanted, "tables" if wanted.startswith("tuple[") else "table")


def page() -> str:
    """The whole of docs/case-file.md."""
    module = ast.parse(inspect.getsource(case_file))
    kinds = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    lines = [INTRODUCTION]
    for name, title in TITLES.items():
        prefix = {"BaselineTable": "baseline.", "ClaimTable": "claim."}.get(name, "")
        lines += [f"## {title}", "", str(ast.get_docstring(kinds[name])), ""]
        lines += ["| key | value | what |", "|---|---|---|", *rows(kinds[name], prefix), ""]
    template = case_template.TEMPLATE.format(case=case_template.CASE, **case_template.BLANK)
    lines += ["## What `damagediff init` writes", "", "```toml", template.rstrip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
