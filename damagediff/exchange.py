"""Two folders change places: in one step where the system can, so that a kill leaves both whole and named."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux, ``renameat2``."""
RENAME_SWAP = 2
"""Of macOS, ``renamex_np``."""
CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""A system or file system that does not know the call."""


def folders(one: Path, other: Path) -> None:
    """Exchange two folders that lie side by side.

    Where the system has no call for it, three renames do it: a kill between them leaves `other` without its
    name, whole, as a hidden folder beside it.

    Raises
    ------
    OSError
        The disk refuses; both folders then have their names.
    """
    if _at_once(one, other):
        return
    aside = other.with_name(f".{other.name}.replaced-{os.getpid()}-{secrets.token_hex(4)}")
    os.rename(other, aside)
    try:
        os.rename(one, other)
    finally:
        os.rename(aside, one if other.exists() else other)


def _at_once(one: Path, other: Path) -> bool:
    """Whether the system did it."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "linux":
            call = ctypes.CDLL(None, use_errno=True).renameat2
            failed = call(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
        elif sys.platform == "darwin":
            failed = ctypes.CDLL(None, use_errno=True).renamex_np(*names, RENAME_SWAP)
        else:
            return False
    except AttributeError:
        return False  # an older library
    number = ctypes.get_errno()
    if failed and number not in CANNOT:
        raise OSError(number, os.strerror(number), str(other))
    return not failed
