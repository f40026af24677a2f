"""Signatures and time stamps beside a manifest: reported, and checked where their tool is installed.

The tool signs nothing itself: docs/evidence.md has recipes with tools that people trust.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import folders

NAMESPACE = "damagediff"
"""What ``ssh-keygen -Y sign -n`` must be given: a signature for one purpose must not serve another."""
KINDS = {
    ".sig": "SSH signature",
    ".minisig": "minisign signature",
    ".tsr": "RFC 3161 time stamp",
    ".ots": "OpenTimestamps proof",
}
SECONDS = 20


@dataclass(frozen=True)
class State:
    """What is known of one signature."""

    good: bool
    """False: it does not belong to this manifest."""
    words: str


def names(manifest: str = folders.MANIFEST) -> tuple[str, ...]:
    """Names that a signature of a manifest of this name may have."""
    return tuple(manifest + ending for ending in KINDS)


def look(folder: Path, manifest: str = folders.MANIFEST) -> Iterator[tuple[str, State]]:
    """(name, state) of each signature beside the manifest of this name."""
    checks = {".sig": _ssh, ".tsr": _time_stamp, ".ots": _proof}
    for ending, kind in KINDS.items():
        path = folder / (manifest + ending)
        if path.is_file() and not path.is_symlink():
            check = checks.get(ending)
            state = None if check is None else check(folder / manifest, path)
            yield path.name, state or State(True, f"{kind}, not checked here")


def _ssh(manifest: Path, signature: Path) -> State | None:
    done = _call(["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)], manifest)
    if done is None:
        return None
    if done.returncode:
        return State(False, f"is no SSH signature of this manifest (namespace {NAMESPACE})")
    key = re.search(r"SHA256:[A-Za-z0-9+/]+", done.stdout)
    whose = f"key {key[0]}" if key else "a key"
    return State(True, f"SSH signature of this manifest by {whose}; whose key that is, is for you to know")


def _time_stamp(manifest: Path, stamp: Path) -> State | None:
    done = _call(["openssl", "ts", "-reply", "-in", str(stamp), "-text"], None)
    if done is None:
        return None
    digits = "".join(re.findall(r"^\s+[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -])+)", done.stdout, re.MULTILINE))
    stamped = re.sub(r"[^0-9a-f]", "", digits)
    when = re.search(r"Time stamp: ([^\n]+)", done.stdout)
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if done.returncode or when is None or stamped != digest:
        return State(False, "is no time stamp of this manifest's SHA-256")
    return State(
        True, f"time stamp of this manifest, {when[1].strip()}; check its authority with openssl ts -verify"
    )


def _proof(manifest: Path, proof: Path) -> State | None:
    data = proof.read_bytes()[:4096]
    if hashlib.sha256(manifest.read_bytes()).digest() not in data:
        return State(False, "is no OpenTimestamps proof of this manifest's SHA-256")
    return State(True, "OpenTimestamps proof that names this manifest; check it with ots verify")


def _call(command: list[str], given: Path | None) -> subprocess.CompletedProcess[str] | None:
    """The outcome of an installed tool; None when it is not installed or does not answer."""
    tool = shutil.which(command[0])
    if tool is None:
        return None
    stdin = b"" if given is None else given.read_bytes()
    try:
        done = subprocess.run(
            [tool, *command[1:]], input=stdin, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
