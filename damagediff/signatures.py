"""Signatures and time stamps beside a manifest: reported, and checked where their tool is installed.

The tool signs nothing itself: docs/evidence.md has recipes with tools that people trust.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import folders, wording
from .errors import EvidenceError

NAMESPACE = "damagediff"
"""What ``ssh-keygen -Y sign -n`` must be given: a signature for one purpose must not serve another."""
KINDS = {
    ".sig": "SSH signature",
    ".minisig": "minisign signature",
    ".tsr": "RFC 3161 time stamp",
    ".ots": "OpenTimestamps proof",
}
OTS_HEAD = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
"""Of a detached proof: magic number, version 1, and the operation SHA-256."""
MAX_TRUST_BYTES = 1_000_000
SECONDS = 20


@dataclass(frozen=True)
class State:
    """What is known of one signature."""

    good: bool
    """False: it does not belong to this manifest."""
    words: str
    trusted: bool = False
    """Checked, and by a file of those whom the reader trusts."""


def names(manifest: str = folders.MANIFEST) -> tuple[str, ...]:
    """Names that a signature of a manifest of this name may have."""
    return tuple(manifest + ending for ending in KINDS)


def look(
    folder: Path, manifest: str = folders.MANIFEST, trusted: Sequence[Path] = ()
) -> Iterator[tuple[str, State]]:
    """(name, state) of each signature beside the manifest of this name.

    Parameters
    ----------
    trusted : sequence of Path
        Whom the reader trusts, by files told apart by what they hold: allowed signers of SSH, public keys of
        minisign, certificates (PEM) of time stamp authorities. Where one of a kind is given, a signature of
        that kind is good only by it.
    """
    checks = {".sig": _ssh, ".minisig": _minisign, ".tsr": _time_stamp, ".ots": _proof}
    for ending, kind in KINDS.items():
        path = folder / (manifest + ending)
        if path.is_file() and not path.is_symlink():
            state = checks[ending](folder / manifest, path, _of_kind(ending, trusted))
            yield path.name, state or State(True, f"{kind}, not checked here")


def _of_kind(ending: str, trusted: Sequence[Path]) -> list[Path]:
    """The trusted files that speak of signatures with this ending."""
    found = []
    for path in trusted:
        try:
            if path.exists() and not path.is_file():
                raise EvidenceError(f"{path}: is not a regular file. Give a file of keys or certificates")
            with path.open("rb") as file:
                data = file.read(MAX_TRUST_BYTES)
        except OSError as error:
            raise EvidenceError(
                f"{path}: cannot be read: {error.strerror or error}. Check its name and its permissions"
            ) from None
        if b"-----BEGIN CERTIFICATE-----" in data:
            kind = ".tsr"
        else:
            kind = ".minisig" if data.startswith(b"untrusted comment:") else ".sig"
        found += [path] if kind == ending else []
    return found


def lacking(
    folder: Path, trusted: Sequence[Path], found: Sequence[tuple[str, State]]
) -> Iterator[tuple[str, str]]:
    """(file, what is wrong): what is no file, and what a reader who names whom to trust does not find.

    Parameters
    ----------
    found : sequence of (name, State)
        All that `look` said. Only signatures of the last manifest count here: one of an earlier state says
        nothing of what came after. Whoever names signers wants a signature, and whoever names an authority a
        time stamp, which anybody can get.
    """
    for name in names():
        if os.path.islink(folder / name) or ((folder / name).exists() and not (folder / name).is_file()):
            yield name, "is not a plain file"
    for endings, kind in ((".sig", ".minisig"), "signature"), ((".tsr",), "time stamp"):
        states = [state for name, state in found if name in names() and name.endswith(endings)]
        wanted = any(_of_kind(ending, trusted) for ending in endings)
        if wanted and not any(state.trusted or not state.good for state in states):
            yield folders.MANIFEST, f"has no {kind} that could be checked by what --trust names"


def _ssh(manifest: Path, signature: Path, signers: list[Path]) -> State | None:
    sign = ["ssh-keygen", "-Y"]
    of = ["-n", NAMESPACE, "-s", str(signature)]
    done = _call([*sign, "check-novalidate", *of], manifest)
    if done is None:
        return None
    if done.returncode:
        return State(False, f"is no SSH signature of this manifest (namespace {NAMESPACE})")
    key = re.search(r"SHA256:[A-Za-z0-9+/]+", done.stdout)
    whose = f"key {key[0]}" if key else "a key"
    for path in signers:
        named = _call([*sign, "find-principals", "-s", str(signature), "-f", str(path)], None)
        for who in () if named is None or named.returncode else named.stdout.split():
            done = _call([*sign, "verify", "-f", str(path), "-I", who, *of], manifest)
            if done is not None and done.returncode == 0:
                return State(
                    True, f"SSH signature of this manifest by {wording.plain(who, 100)}, {whose}", True
                )
    if signers:
        return State(False, f"is an SSH signature by {whose}, whom --trust does not name")
    return State(True, f"SSH signature of this manifest by {whose}; whose key that is, is for you to know")


def _minisign(manifest: Path, signature: Path, keys: list[Path]) -> State | None:
    for path in keys:
        done = _call(["minisign", "-V", "-p", str(path), "-m", str(manifest), "-x", str(signature)], None)
        if done is None:
            return None
        if done.returncode == 0:
            return State(True, f"minisign signature of this manifest by the key of {path.name}", True)
    if keys:
        return State(False, "is no minisign signature of this manifest by a key that --trust names")
    return State(True, "minisign signature, not checked: name the public key with --trust")


def _time_stamp(manifest: Path, stamp: Path, certificates: list[Path]) -> State | None:
    done = _call(["openssl", "ts", "-reply", "-in", str(stamp), "-text"], None)
    if done is None:
        return None
    digits = "".join(re.findall(r"^\s+[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -])+)", done.stdout, re.MULTILINE))
    stamped = re.sub(r"[^0-9a-f]", "", digits)
    when = re.search(r"Time stamp: ([^\n]+)", done.stdout)
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if done.returncode or when is None or stamped != digest:
        return State(False, "is no time stamp of this manifest's SHA-256")
    told = f"time stamp of this manifest, {when[1].strip()}"
    for path in certificates:
        command = [
            "openssl",
            "ts",
            "-verify",
            "-data",
            str(manifest),
            "-in",
            str(stamp),
            "-CAfile",
            str(path),
        ]
        done = _call(command, None)
        if done is not None and done.returncode == 0:
            return State(True, f"{told}, by the authority of {path.name}", True)
    if certificates:
        return State(False, "is a time stamp by an authority whom --trust does not name")
    return State(True, f"{told}; name its authority's certificate with --trust")


def _proof(manifest: Path, proof: Path, _: list[Path]) -> State | None:
    """By the head of the file: magic, version 1, SHA-256, the digest that is proven."""
    digest = hashlib.sha256(manifest.read_bytes()).digest()
    if not proof.read_bytes()[: len(OTS_HEAD) + 32] == OTS_HEAD + digest:
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
