"""The locks of `make demo` and `make test` hold what setup.cfg asks for, with hashes, and name no index."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
BASE, TEST = "requirements.lock", "requirements-test.lock"


def locked(name: str) -> dict[str, set[str]]:
    """Package to its versions, of which markers choose one; each has hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=[a-z])", text.split("\n", 1)[1]):
        first, *hashes = entry.replace("\\\n", "\n").strip().splitlines()
        package, version = re.fullmatch(r"([a-z0-9.-]+)==(\S+)(?: ; .*)?", first.strip()).groups()
        assert hashes and all(re.fullmatch(r" *--hash=sha256:[0-9a-f]{64} *", line) for line in hashes), entry
        found.setdefault(package, set()).add(version)
    return found


def asked(*extras: str) -> list[Requirement]:
    """What setup.cfg names."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [
        config["options"]["install_requires"],
        *(config["options.extras_require"][extra] for extra in extras),
    ]
    lines = [line for text in texts for line in text.splitlines()]
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize(("name", "extras"), [(BASE, ()), (TEST, ("test", "docs"))])
def test_what_is_asked_for_is_locked(name: str, extras: tuple[str, ...]) -> None:
    found = locked(name)
    for wanted in asked(*extras):
        versions = found.get(canonicalize_name(wanted.name), set())
        assert versions and all(wanted.specifier.contains(version) for version in versions), str(wanted)
    assert "setuptools" in found  # builds the package itself, without fetching anything more
    assert found["rasterio"] >= {"1.4.4"} and len(found["rasterio"]) == 2  # Python 3.11, and newer


def test_both_locks_have_the_same_versions() -> None:
    base, test = locked(BASE), locked(TEST)
    assert {name: test.get(name) for name in base} == base


def test_no_index_is_named() -> None:
    assert not any(
        re.search(r"://|--(extra-)?index|--find-links", (ROOT / name).read_text("utf-8"))
        for name in (BASE, TEST)
    )
