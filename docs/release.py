"""Builds sdist and wheel with the same bytes every time, and checks them.

python docs/release.py [--out dist] [--commit HEAD] [--try]   (needs build, setuptools, wheel and twine)

What is built is the commit, not the working folder: every file of it, with fixed modes and the commit's time.
It is built twice, in two folders, under two umasks, in two time zones; the wheel is built from the sdist, as
an installer would. Both must agree byte for byte. ``--try`` installs the wheel into a new environment, with
its dependencies from the package index, and compares the sample pair there.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
WAYS = ((0o022, "UTC0"), (0o077, "XYZ-5:30"))
"""Umask and time zone of each build."""


def main() -> int:
    """Check, build twice, compare, keep."""
    args = arguments()
    commit = git("rev-parse", args.commit)
    epoch = git("show", "-s", "--format=%ct", commit)
    check_versions(commit)
    with tempfile.TemporaryDirectory() as scratch:
        builds = [build(commit, epoch, Path(scratch) / way[1][:3], way) for way in WAYS]
        sums = [{path.name: sha256(path) for path in sorted(folder.iterdir())} for folder in builds]
        if sums[0] != sums[1]:
            sys.exit(f"not reproducible: {sums[0]} and {sums[1]}")
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *builds[0].iterdir()], check=True)
        if args.try_:
            try_wheel(next(builds[0].glob("*.whl")), Path(scratch) / "environment")
        args.out.mkdir(parents=True, exist_ok=True)
        for path in builds[0].iterdir():
            shutil.copyfile(path, args.out / path.name)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums[0].items())
    (args.out / "SHA256SUMS").write_text(lines, encoding="ascii")
    print(lines, end="")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist", help="folder for sdist, wheel and SHA256SUMS"
    )
    parser.add_argument("--commit", default="HEAD", help="what is built")
    parser.add_argument("--try", dest="try_", action="store_true", help="install the wheel and run it")
    return parser.parse_args()


def git(*words: str) -> str:
    """What git answers."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def check_versions(commit: str) -> None:
    """Refuse a commit whose files name several versions."""
    said = git("show", f"{commit}:damagediff/__init__.py"), git("show", f"{commit}:CITATION.cff")
    own, cited = (re.search(r'^(?:__version__ =|version:) "?([^"\n]+)', text, re.MULTILINE) for text in said)
    if own is None or cited is None or own[1] != cited[1]:
        sys.exit("damagediff/__init__.py and CITATION.cff name different versions")


def build(commit: str, epoch: str, folder: Path, way: tuple[int, str]) -> Path:
    """The commit's sdist, and the wheel made from it; the folder that holds both."""
    before = os.umask(way[0])
    os.environ |= {"TZ": way[1], "SOURCE_DATE_EPOCH": epoch}
    try:
        source, out = folder / "source", folder / "out"
        source.mkdir(parents=True)
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(source, filter="data")
        fixed(source)
        make(["--sdist"], source, out)
        sdist = next(out.glob("*.tar.gz"))
        normalise(sdist, int(epoch))
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        unpacked = next((folder / "unpacked").iterdir())
        fixed(unpacked)
        make(["--wheel"], unpacked, out)
    finally:
        os.umask(before)
    return out


def fixed(folder: Path) -> None:
    """Modes that do not depend on whose umask it is: a wheel keeps them."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def make(kinds: list[str], source: Path, out: Path) -> None:
    """One call of build, with the build system that is installed here, and files that all may read."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out), str(source)]
    before = os.umask(0o022)
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        os.umask(before)


def normalise(sdist: Path, epoch: int) -> None:
    """The same files, in the order of their names, with one time and nobody's name."""
    with tarfile.open(sdist) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}  # type: ignore[union-attr]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), epoch, 0o644
            archive.addfile(member, io.BytesIO(data))
    with sdist.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=epoch) as out:
        out.write(packed.getvalue())


def sha256(path: Path) -> str:
    """As ``sha256sum`` says it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into an empty environment; run doctor and demo in a folder that holds nothing."""
    venv.create(folder, with_pip=True)
    bin_ = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([bin_ / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    os.environ.pop("SOURCE_DATE_EPOCH")
    for words in (["doctor"], ["demo", "-o", "demo", "-q"], ["verify", "demo"]):
        subprocess.run([bin_ / "damagediff", *words], cwd=elsewhere, check=True)


if __name__ == "__main__":
    sys.exit(main())
