"""An image that another process opens again, by its path: only when it is the file that was let in."""

from __future__ import annotations

import hashlib
import os

from . import door
from .errors import InputError
from .types import Image

Stamp = tuple[int, int, int]
"""Inode, bytes, and time of the last change in ns: the same file, seen through one file system."""


def stamp(image: Image) -> Stamp | None:
    """What the file system says of the file here; None when it says nothing any more."""
    try:
        found = os.stat(image.path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def check(image: Image, theirs: Stamp | None) -> None:
    """Refuse another file, and none, at the path of an image: `theirs` is the stamp where it was let in.

    With the same stamp it is the same file; with another one it may be a copy, and is hashed.

    Raises
    ------
    InputError
        There is no such file here, or it is not the one that was let in; or it is filled from an address,
        which only the process that let it in can do.
    """
    if image.address is not None:  # nor is it hashed: it may claim a terabyte of holes
        raise InputError(
            f"{image.name}: what is read from an address is not passed on to other processes. Run without "
            "--dask, or download it, then give the file"
        )
    mine = stamp(image)
    if mine is None:
        raise InputError(
            f"{image.name}: no such file there. Give a path under which this machine and all workers see it"
        )
    if mine == theirs:
        return
    with door.input_errors(image.name), image.path.open("rb") as file:
        same = mine[1] == image.size_bytes and hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    if not same:
        raise InputError(
            f"{image.name}: another file lies there under its path. Give a path under which all workers see "
            "the same file"
        )
