"""Writes docs/damagediff.1, the manual page, from the command line itself.

python docs/man_page.py

The wheel puts it into share/man/man1. Its date is that of nothing: the page has the version instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

import damagediff
from damagediff import cli, errors

PAGE = Path(__file__).parent / "damagediff.1"
VARIABLES = {
    "NO_COLOR, CLICOLOR=0": "No colours.",
    "FORCE_COLOR, CLICOLOR_FORCE": "Colours also where the output is no terminal.",
    "TERM=dumb": "No line of progress that is written again; see --verbose.",
    "SOURCE_DATE_EPOCH": "When a run is said to have been made, in seconds since 1970.",
}


def page() -> str:
    """The page as roff for man(7)."""
    lines = [
        f'.TH DAMAGEDIFF 1 "" "damagediff {damagediff.__version__}" "User Commands"',
        ".SH NAME",
        r"damagediff \- compare images of one place before and after an event",
        ".SH SYNOPSIS",
        ".B damagediff",
        r"\fICOMMAND\fR [\fIOPTIONS\fR] \fIARGUMENTS\fR",
        ".SH DESCRIPTION",
        *text(
            "Takes two images of one place: satellite, aerial, or screenshots. Lays the after image on the "
            "before image, measures where built structure looks different, and writes a report that somebody "
            "else can check and reproduce, with the doubt measured beside the finding. It says visible "
            "change between two dates, and no cause."
        ),
        ".SH COMMANDS",
    ]
    for name, command in cli.main.commands.items():
        lines += section(name, command)
    lines += [".SH EXIT STATUS", *exit_codes(), ".SH ENVIRONMENT"]
    for name, words in VARIABLES.items():
        lines += [".TP", rf"\fB{escaped(name)}\fR", *text(words)]
    lines += [".SH EXAMPLES", ".nf", ".RS"]
    lines += [escaped(line.strip()) for line in cli.EXAMPLES.splitlines() if line.startswith("  ")]
    return "\n".join([*lines, ".RE", ".fi", ""])


def section(name: str, command: click.Command) -> Iterator[str]:
    """One command: what it takes, what it does, its options."""
    context = click.Context(command, info_name=name)
    arguments = [argument(p) for p in command.params if isinstance(p, click.Argument)]
    yield f".SS {escaped(name)}"
    yield ".PP"
    yield rf"\fBdamagediff {escaped(name)}\fR [\fIOPTIONS\fR] " + " ".join(
        rf"\fI{escaped(a)}\fR" for a in arguments
    )
    for paragraph in re.split(r"\n\s*\n", command.help or ""):
        yield ".PP"
        yield from text(paragraph)
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            yield ".TP"
            yield rf"\fB{escaped(record[0])}\fR"
            yield from text(record[1])


def argument(parameter: click.Argument) -> str:
    """``BEFORE``, ``[AFTER]`` or ``IMAGES...``."""
    name = str(parameter.name).upper() + ("..." if parameter.nargs < 0 else "")
    return name if parameter.required else f"[{name}]"


def exit_codes() -> Iterator[str]:
    """What each code means, as the errors say it."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    told = {0: "Done."} | {kind.exit_code: str(kind.__doc__).split("\n")[0] for kind in kinds}  # type: ignore[attr-defined]
    told[1] = "Another announced failure; the line on standard error says what."
    told[130] = "Stopped by Ctrl-C; what was begun is removed. By another signal: 128 and its number."
    for code, words in sorted(told.items()):
        yield ".TP"
        yield rf"\fB{code}\fR"
        yield from text(words)


def text(words: str) -> Iterator[str]:
    """A paragraph, a sentence a line as roff wants it."""
    plain = " ".join(words.replace("\b", "").split())
    yield from (escaped(sentence) for sentence in re.split(r"(?<=[a-z)]\.) (?=[A-Z])", plain) if sentence)


def escaped(words: str) -> str:
    """Text in which nothing is a request or an escape of roff."""
    found = words.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("²", r"\(S2")
    return r"\&" + found if found.startswith((".", "'")) else found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
