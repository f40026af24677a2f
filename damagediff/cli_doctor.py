"""``damagediff doctor``: whether everything that a run needs is there and works."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict

import click

from . import cli_terminal, doctor, wording
from .errors import DamagediffError

COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}
WIDTH = 100
INDENT = 28


def tell(as_json: bool) -> None:
    """Print what was found, and raise when something that is needed is missing."""
    found = list(doctor.examine())
    problems = [finding for finding in found if finding.state == "problem"]
    if as_json:
        told = {"format": 1, "sound": not problems, "findings": [asdict(finding) for finding in found]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        coloured = cli_terminal.colours(sys.stdout)
        for finding in found:
            click.echo(_line(finding, coloured), color=coloured)
    if problems:
        first = problems[0]
        told_first = wording.plain(f"{first.what}: {first.words}. {first.advice}")
        raise DamagediffError(f"{wording.count(len(problems), 'problem')}; first {told_first}")


def _line(finding: doctor.Finding, coloured: bool) -> str:
    """State, what, words and advice, broken into lines."""
    advice = f" -> {finding.advice}" if finding.advice else ""
    text = wording.plain(finding.words + advice, 2000)
    lines = textwrap.wrap(text, WIDTH - INDENT) or [""]
    state = f"{finding.state:8}"
    head = (click.style(state, fg=COLOURS[finding.state]) if coloured else state) + f"{finding.what:20}"
    return head + ("\n" + " " * INDENT).join(lines)
