"""Write docs/cli.md from the commands of damagediff: ``python docs/cli_page.py``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from damagediff import cli, errors

PAGE = Path(__file__).with_name("cli.md")

INTRODUCTION = """# Command line

Written by `python docs/cli_page.py` from the commands themselves; do not edit.

`--help` behind a command says the same in a terminal. `damagediff --version` prints the version. Options
may stand before or after the files. What they are good for, with one command each: [Task by task](tasks.md).
"""

EXIT_CODES = """## Exit codes

| code | what |
|---|---|
| 0 | Done. After `compare` read the verdict: a pair may have been aligned and still be *not comparable*. |
"""


def sentences(command: click.Command) -> list[str]:
    """The paragraphs of a command's help, its examples left out."""
    text = (command.help or "").partition("\f")[0]
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n") if "\b" not in part)
    return [code(part) for part in paragraphs if part]


def code(text: str) -> str:
    """Text of help as Markdown: options in code, signs of tables and markup as they are."""
    text = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
    return re.sub(r"(?<![\w`-])(--?[a-z][a-z0-9-]*)", r"`\1`", text)


def accepted(option: click.Option) -> str:
    """What may stand behind an option."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    kinds = {
        "path": "FILE",
        "filename": "FILE",
        "text": "TEXT",
        "integer": "NUMBER",
        "integer range": "NUMBER",
    }
    return f"`{option.metavar or kinds.get(option.type.name, option.type.name.upper())}`"


def rows(command: click.Command) -> Iterator[str]:
    """One line a table for each option."""
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        more = " Repeatable." if option.multiple and "Repeatable" not in (option.help or "") else ""
        more += " Required." if option.required else ""
        if option.show_default and option.default is not None:
            more += f" Default: `{Path(str(option.default)).as_posix()}`."
        yield f"| {names} | {accepted(option)} | {code(option.help or '')}{more} |"


def of_command(name: str, command: click.Command) -> str:
    """The section of one command."""
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    words = [param.make_metavar(click.Context(command)) for param in arguments]
    lines = [f"## {name}", "", "```text", " ".join(["damagediff", name, *words, "[OPTIONS]"]), "```", ""]
    for part in sentences(command):
        lines += [part, ""]
    table = list(rows(command))
    lines += ["| option | takes | what |", "|---|---|---|", *table, ""] if table else []
    return "\n".join(lines)


def exit_codes() -> str:
    """The table of exit codes."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    named = {kind.exit_code: str(kind.__doc__).strip() for kind in kinds}  # type: ignore[attr-defined]
    named[errors.DamagediffError.exit_code] = "Another announced failure."
    lines = [f"| {number} | {what} |" for number, what in sorted(named.items())]
    stopped = "| 130, 143, 129 | Stopped by Ctrl-C, SIGTERM, SIGHUP. What was begun is removed. |"
    return EXIT_CODES + "\n".join([*lines, stopped, ""])


def page() -> str:
    """The whole of docs/cli.md."""
    commands = cli.main.commands
    listed = [
        f"| [`{name}`](#{name}) | {code(commands[name].get_short_help_str(200))} |" for name in commands
    ]
    index = "\n".join(["| command | what it does |", "|---|---|", *listed, ""])
    sections = (of_command(name, command) for name, command in commands.items())
    return "\n".join([INTRODUCTION, index, *sections, exit_codes()])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
