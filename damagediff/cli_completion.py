"""Scripts by which shells complete commands, options and file names: click's own."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "damagediff"


def script(group: click.Group, shell: str) -> str:
    """What a shell is to read once; it then asks the program itself what may follow."""
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(group, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source() + "\n"
