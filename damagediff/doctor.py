"""Whether this installation and this machine are fit for a run: what it needs is looked at, or tried.

Nothing is taken for granted: libraries are imported within each check, so that a broken one is an answer.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

from .errors import DamagediffError

BROKEN = (ImportError, OSError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a missing, damaged or too new library raises: numpy alone several of them."""
State = Literal["ok", "note", "problem"]
LEAST_FREE_MB, USUAL_FREE_MB = 100, 1000
"""A run of a small pair takes 60 MB, one of 16 megapixels 200 MB."""
IMPORTED = {
    "affine": "affine",
    "click": "click",
    "ephem": "ephem",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib.ft2font",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pillow": "PIL.Image",
    "pydantic": "pydantic_core",
    "pyproj": "pyproj",
    "rasterio": "rasterio",
    "reportlab": "reportlab",
    "scikit-image": "skimage",
    "scipy": "scipy._lib._ccallback",
    "shapely": "shapely",
    "threadpoolctl": "threadpoolctl",
}
"""Distribution to a module of it that loads its compiled part, where it has one."""
EXTRAS = {
    "pyogrio": ("FlatGeobuf (damagediff export --to fgb)", "pip install 'damagediff[gis]'"),
    "distributed": ("one run over several machines", "pip install 'damagediff[dask]'"),
}
TOOLS = {
    "ssh-keygen": "SSH signatures",
    "minisign": "minisign signatures",
    "openssl": "time stamps (RFC 3161)",
    "ots": "OpenTimestamps proofs",
}
"""Programs with which others' proofs are checked, or made by the recipes of docs/evidence.md."""
SCRIPTS = {
    "Latin": "é",
    "Greek": "λ",
    "Cyrillic": "ж",
    "Arabic": "ش",
    "Hebrew": "ש",
    "Georgian": "ჟ",
    "Devanagari": "क",
    "Bengali": "ক",
    "Tamil": "க",
    "Thai": "ก",
    "Ethiopic": "ሀ",
    "Burmese": "က",
    "Khmer": "ក",
    "Han": "中",
    "Kana": "あ",
    "Hangul": "한",
}
"""Script to a character of it, by the names of Unicode."""
MOST_FONTS = 400
"""Of the installed ones that are looked into."""
MISLEADING = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")
"""Variables by which another installation's files take the place of those that came with the libraries."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    words: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def examine() -> Iterator[Finding]:
    """All findings, in order; none of them raises."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "system": _system,
        "libraries": _libraries,
        "formats": _formats,
        "coordinates": _coordinates,
        "decoding": _decoding,
        "fonts": _fonts,
        "disk": _disk,
        "memory": _memory,
        "environment": _environment,
        "extras": _extras,
    }
    for what, check in checks.items():
        try:
            yield from check()
        except (*BROKEN, DamagediffError) as error:
            said = " ".join(str(error).split())[:200] or type(error).__name__
            yield Finding(what, "problem", said, "Install damagediff anew into a fresh environment")


def _system() -> Iterator[Finding]:
    from . import __version__

    yield Finding("damagediff", "ok", __version__)
    yield Finding("Python", "ok", f"{platform.python_version()} ({platform.python_implementation()})")
    where = f"{platform.system()}, {platform.machine()}"
    if sys.platform == "linux":
        yield Finding("system", "ok", where)
    else:
        yield Finding("system", "note", f"{where}: made to work here, and not tried", "See docs/limits.md")


def _libraries() -> Iterator[Finding]:
    """Every library that a run needs: imported, and of a version that was asked for."""
    wanted = {}
    with suppress(metadata.PackageNotFoundError):  # run from a folder, not installed
        wanted = {
            _name(text): text for text in metadata.requires("damagediff") or () if "extra ==" not in text
        }
    versions = []
    for name, module in IMPORTED.items():
        try:
            import_module(module)
            version = metadata.version(name)
        except metadata.PackageNotFoundError:  # under another name, such as opencv-python
            version = "of another distribution"
        except BROKEN as error:
            said = " ".join(str(error).split())[:160]
            yield Finding(
                name, "problem", f"cannot be loaded: {said}", f"pip install --force-reinstall {name}"
            )
            continue
        asked = wanted.get(name, "")
        if version[0].isdigit() and not fits(version, asked):
            needed = asked.replace(name, "").strip()
            yield Finding(name, "problem", f"{version}, needed is {needed}", f"pip install '{asked}'")
        versions.append(f"{name} {version}")
    yield Finding("libraries", "ok", ", ".join(versions))


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def fits(version: str, requirement: str) -> bool:
    """Whether a version lies within the ``>=`` and ``<`` of a requirement; of versions only numbers count."""
    here = _numbers(version)
    for sign, limit in re.findall(r"(>=|<)\s*([0-9.]+)", requirement.split(";")[0]):
        least = _numbers(limit)
        length = max(len(here), len(least))
        first, second = (numbers + (0,) * (length - len(numbers)) for numbers in (here, least))
        if (sign == ">=" and first < second) or (sign == "<" and first >= second):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", re.split(r"[^0-9.]", version, maxsplit=1)[0])))


def _formats() -> Iterator[Finding]:
    from . import sandbox_trial, versions

    named = versions.versions()
    there = sandbox_trial.drivers()
    missing = [name for name in sandbox_trial.NEEDED if name not in there]
    said = f"GDAL {named['GDAL']}, GEOS {named['GEOS']}, PROJ {named['PROJ']}"
    if missing:
        how = "Install rasterio from its wheel: pip install --force-reinstall rasterio"
        yield Finding("formats", "problem", f"{said}: without the drivers {', '.join(missing)}", how)
        return
    lacking = [words for name, words in sandbox_trial.WISHED.items() if name not in there]
    if lacking:
        how = "Install rasterio from its wheel, or convert such pictures to GeoTIFF"
        yield Finding("formats", "note", f"{said}: {', '.join(lacking)} cannot be read", how)
    else:
        yield Finding("formats", "ok", f"{said}: all drivers that are needed")


def _coordinates() -> Iterator[Finding]:
    """Whether the database of coordinate systems is there, and the right one, for both libraries."""
    import numpy as np
    import pyproj
    from rasterio.crs import CRS

    from . import grid as grids

    there = grids.reproject_xy("EPSG:4326", "EPSG:32638", np.array([[45.0, 40.0]]))[0]
    right = abs(there[0] - 500_000) < 0.01 and abs(there[1] - 4_427_757) < 1
    known = CRS.from_epsg(32638).is_projected
    if right and known:
        yield Finding("coordinates", "ok", f"database of PROJ {pyproj.__proj_version__} works")
    else:
        yield Finding(
            "coordinates",
            "problem",
            "the database of PROJ gives wrong places",
            "Unset PROJ_DATA and PROJ_LIB",
        )


def _decoding() -> Iterator[Finding]:
    """A picture decoded in a child process, and what such a process cannot do."""
    from . import sandbox, sandbox_trial

    with tempfile.TemporaryDirectory(prefix="damagediff-") as name:
        kept_by, held = sandbox_trial.decode(Path(name)), sandbox_trial.held(Path(name))
    if held is None:
        yield Finding(
            "sandbox",
            "note",
            "files are decoded in this process: nothing holds a hostile file back here",
            "Compare files of strangers on Linux, or in a machine that holds nothing else",
        )
        return
    said = [words for key, words in sandbox_trial.HELD.items() if held.get(key)]
    loose = [words for key, words in sandbox_trial.HELD.items() if not held.get(key)]
    told = f"{kept_by}; tried: {', '.join(said) or 'nothing is held back'}"
    if not loose:
        yield Finding("sandbox", "ok", told)
        return
    abi = sandbox.landlock_abi()
    how = (
        "This kernel, or the container around it, has no Landlock (Linux 5.13 and newer have it)"
        if not abi
        else f"Landlock {abi} is there"
    )
    yield Finding(
        "sandbox",
        "note",
        f"{told}; NOT so: {', '.join(loose)}",
        f"{how}. Compare files of strangers elsewhere",
    )


def _fonts() -> Iterator[Finding]:
    """Scripts of the bundled font, and which of the others an installed font has."""
    from . import figure_fonts

    bundled = [script for script, character in SCRIPTS.items() if figure_fonts.bundled(character)]
    if "Latin" not in bundled:
        how = "pip install --force-reinstall matplotlib"
        yield Finding("fonts", "problem", "the font that comes with matplotlib is not there", how)
        return
    yield Finding("fonts", "ok", f"bundled font: {', '.join(bundled)}")
    lacking = {script: character for script, character in SCRIPTS.items() if script not in bundled}
    found = figure_fonts.installed(lacking, MOST_FONTS)
    if found:
        words = ", ".join(f"{script} ({Path(file).name})" for script, file in found.items())
        yield Finding("more fonts", "ok", f"installed: {words}", "Give one with --font where titles need it")
    left = [script for script in lacking if script not in found]
    if left:
        how = "For titles in them install a font, for example of Noto, and give it with --font"
        yield Finding("other scripts", "note", f"no font for {', '.join(left)}", how)


def _disk() -> Iterator[Finding]:
    """Room and leave to write where runs and passing files usually go."""
    with tempfile.TemporaryFile(prefix="damagediff-") as file:
        file.write(b"x")
    folders = [("temporary folder", Path(tempfile.gettempdir()))]
    try:
        folders.append(("this folder", Path.cwd()))
    except FileNotFoundError:
        yield Finding("this folder", "problem", "was removed", "Change to one that is there: cd ~")
    for what, folder in folders:
        free_mb = shutil.disk_usage(folder).free / 1e6
        said = f"{free_mb / 1000:,.1f} GB free"
        if not os.access(folder, os.W_OK):
            yield Finding(
                what, "note", f"{said}, but it cannot be written", "Name a run folder elsewhere with -o"
            )
        elif free_mb < LEAST_FREE_MB:
            yield Finding(what, "problem", said, "Free some space: a small run takes 60 MB")
        elif free_mb < USUAL_FREE_MB:
            yield Finding(what, "note", said, "Free some space before comparing large images")
        else:
            yield Finding(what, "ok", f"{said}, can be written")


def _memory() -> Iterator[Finding]:
    from . import memory, tiles

    cores = tiles.available_cores()
    there = memory.machine_mib()
    if there is None:
        yield Finding("memory", "note", f"{cores} cores; memory is not told here", "See --max-memory")
        return
    largest = memory.largest_megapixels(there, cores)
    said = f"{cores} cores, {there:,.0f} MiB"
    if largest <= 0:
        how = "Close other programs, or give fewer --workers"
        yield Finding("memory", "problem", f"{said}: too little for a run", how)
    else:
        yield Finding("memory", "ok", f"{said}: enough for about {largest:,.0f} megapixels")


def _environment() -> Iterator[Finding]:
    """Variables and an encoding that change what a run does."""
    named = [name for name in MISLEADING if os.environ.get(name)]
    if named:
        how = f"Unset {' and '.join(named)}, unless you know that they name files of the same versions"
        yield Finding("environment", "note", f"{' and '.join(named)} is set", how)
    if os.environ.get("SOURCE_DATE_EPOCH") is not None:
        yield Finding(
            "environment", "note", "SOURCE_DATE_EPOCH is set: runs are dated by it", "Unset it for real runs"
        )
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    if encoding == "utf8" and sys.getfilesystemencoding().lower().replace("-", "") == "utf8":
        yield Finding("characters", "ok", "UTF-8")
    else:
        said = f"{encoding}, file names {sys.getfilesystemencoding()}"
        yield Finding("characters", "note", said, "Set PYTHONUTF8=1, or a locale such as C.UTF-8")


def _extras() -> Iterator[Finding]:
    """What some commands can use when it is there; nothing of it is needed."""
    for name, (what, how) in EXTRAS.items():
        try:
            yield Finding(name, "ok", f"{metadata.version(name)}: {what}")
        except metadata.PackageNotFoundError:
            yield Finding(name, "ok", f"not installed; only for {what}", how)
    there = [f"{name} ({words})" for name, words in TOOLS.items() if shutil.which(name)]
    missing = [f"{name} ({words})" for name, words in TOOLS.items() if not shutil.which(name)]
    said = f"there: {', '.join(there) or 'none'}; not there: {', '.join(missing) or 'none'}"
    yield Finding("proofs", "ok", said, "Install those of proofs that you check" if missing else "")
