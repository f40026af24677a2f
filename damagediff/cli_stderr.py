"""Only our own lines on stderr: what libraries in C write there is kept back while a command runs."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import DamagediffError, OutputError

MOST_BYTES = 65_536
"""What is kept of it: what a pipe holds."""
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def ours_alone() -> Iterator[None]:
    """Keep back what is not written through `sys.stderr`: libtiff has words of its own for a full disk.

    When the block ends well or in a bug it is shown; not when it ends in a failure that is announced in one
    line, as `DamagediffError`, too little memory and a stop are. On Windows nothing is kept back.
    """
    ours = sys.stderr
    if os.name == "nt" or not _is_plain():
        yield
        return
    ours.flush()
    terminal, (reading, writing) = os.dup(2), os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)  # whoever writes too much is not held up
    os.dup2(writing, 2)
    os.close(writing)
    shown = True
    try:
        with open(terminal, "w", buffering=1, encoding=ours.encoding, errors=ours.errors) as sys.stderr:
            try:
                yield
            except (DamagediffError, MemoryError, KeyboardInterrupt):
                shown = False
                raise
            finally:
                sys.stderr.flush()
                os.dup2(terminal, 2)
    finally:
        sys.stderr = ours
        with suppress(OSError):
            said = os.read(reading, MOST_BYTES)
            if shown:
                os.write(2, said)
        os.close(reading)


@contextmanager
def surroundings_told() -> Iterator[None]:
    """A full disk below stdout, and a working folder that was removed, are failures that are announced.

    A pipe that was closed is for click to end quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise OutputError(
                f"cannot be written: {error.strerror}. Free some space, or print elsewhere"
            ) from error
        try:
            os.getcwd()
        except FileNotFoundError:
            raise OutputError(
                "the folder that you are in was removed. Change to one that is there: cd ~"
            ) from error
        raise


def _is_plain() -> bool:
    """Whether `sys.stderr` is the process's own."""
    try:
        return sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False
