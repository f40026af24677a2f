"""What a release is made of: one version, all files in the wheel, a citation, archives with fixed bytes."""

from __future__ import annotations

import configparser
import fnmatch
import importlib.util
import io
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

import damagediff

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip() and not line.startswith("#")]


def release():
    spec = importlib.util.spec_from_file_location("release", ROOT / "docs" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_of_the_package_is_in_the_wheel():
    listed = subprocess.run(["git", "ls-files", "damagediff"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split() or pytest.skip("no git here: this is no checkout")
    patterns = lines(setup()["options.package_data"]["damagediff"])
    data = [name.removeprefix("damagediff/") for name in names if not name.endswith(".py")]
    assert data and not [name for name in data if not any(fnmatch.fnmatch(name, p) for p in patterns)]
    folders = {str(Path(name).parent) for name in names if name.endswith(".py")}
    packages = lines(setup()["options"]["packages"])
    assert {folder.replace("/", ".") for folder in folders} == set(packages)


def test_what_lies_beside_the_package_is_there():
    named = [name for value in setup()["options.data_files"].values() for name in lines(value)]
    assert len(named) > 3 and not [name for name in named if not (ROOT / name).is_file()]


def test_the_citation_names_this_version():
    cited = dict(re.findall(r"^([a-z-]+): *(.*)$", text("CITATION.cff"), re.MULTILINE))
    assert cited["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(cited)
    assert cited["version"] == damagediff.__version__ and cited["license"] == setup()["metadata"]["license"]


def test_changes_are_told_by_version_with_the_newest_first():
    headings = re.findall(r"^## (.*)$", text("CHANGES.md"), re.MULTILINE)
    assert headings[0] == "Unreleased" and "### Changed results" in text("CHANGES.md")
    released = [re.fullmatch(r"(\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(released)
    versions = [tuple(map(int, found[1].split("."))) for found in released]
    assert versions == sorted(versions, reverse=True)


@pytest.mark.parametrize("umask", ["022", "077"])
def test_an_sdist_has_one_time_one_mode_and_one_order(tmp_path, umask):
    files = {"d/b.txt": b"b" * 70_000, "d/a.txt": b"a", f"d/{'c' * 120}": b"long"}
    path = tmp_path / "d.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for at, (name, data) in enumerate(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), at, 0o666 & ~int(umask, 8)
            member.uname = umask
            archive.addfile(member, io.BytesIO(data))
    release().normalise(path, 1_600_000_000)
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert {m.name: archive.extractfile(m).read() for m in members} == files
    assert [m.name for m in members] == sorted(files)
    assert {(m.mtime, m.mode, m.uid, m.uname) for m in members} == {(1_600_000_000, 0o644, 0, "")}
    # As written once: whatever the umask, these bytes.
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz") as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    release().normalise(other, 1_600_000_000)
    assert other.read_bytes() == path.read_bytes()


def test_a_release_of_two_versions_is_refused(monkeypatch):
    module = release()
    answers = {
        "damagediff/__init__.py": '__version__ = "1.2.3"\n',
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.2\n",
    }
    monkeypatch.setattr(module, "git", lambda *words: answers[words[-1].split(":")[1]])
    with pytest.raises(SystemExit, match="different versions"):
        module.check_versions("HEAD")
    answers["CITATION.cff"] = "cff-version: 1.2.0\nversion: 1.2.3\n"
    module.check_versions("HEAD")
