"""Hashes of files, of the manifest itself, and the text of SHA256SUMS."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import crate, custody, folders

SUMS = "SHA256SUMS"
BESIDE = (folders.MANIFEST, SUMS, crate.FILE, custody.LOG)
"""Files of a run that the manifest does not list: itself, and what is made from it."""
OWN_DIGEST = "manifest_sha256"
CRATE_DIGEST = "ro_crate_sha256"
"""In a manifest: hash of the description for archives, which is made from the rest of it."""
NO_DIGEST = "0" * 64
"""Stands in for the manifest's own hash while it is computed."""


def sealed(text: str) -> str:
    """A manifest's text with its own hash in the place that was kept for it."""
    return text.replace(f'"{OWN_DIGEST}": "{NO_DIGEST}"', f'"{OWN_DIGEST}": "{own_digest(text)}"')


def own_digest(text: str) -> str:
    """SHA-256 of a manifest's text with its own hash taken out."""
    blank = re.sub(rf'"{OWN_DIGEST}": "[0-9a-f]{{64}}"', f'"{OWN_DIGEST}": "{NO_DIGEST}"', text)
    return hashlib.sha256(blank.encode("utf-8", "replace")).hexdigest()


def of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sums(listed: Iterable[dict[str, Any]]) -> str:
    """Text of SHA256SUMS: ``sha256sum -c SHA256SUMS`` checks every output by it."""
    return "".join(f"{item['sha256']}  {item['name']}\n" for item in listed)


def entry(path: Path) -> dict[str, Any]:
    """Name, hash and size of one file.

    SHA-256 only: fast enough to hash everything, and what courts and other tools expect.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "sha256": digest, "bytes": path.stat().st_size}


def entry_of(name: str, data: bytes) -> dict[str, Any]:
    """The same of a file that is still in memory."""
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
