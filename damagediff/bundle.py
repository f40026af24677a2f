"""A run as one ZIP file with the same bytes every time, with or without the pictures."""

from __future__ import annotations

import re
import secrets
import shutil
import zipfile
from pathlib import Path
from typing import Any

from . import digests, folders, json_text, verify
from .errors import OutputError

OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time that every entry gets: a ZIP file knows none before."""
PLACEHOLDER = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="
"""An empty picture."""
NOTICE = (
    '<p class="pictures-left-out" role="note"><strong>Pictures are left out of this copy</strong>: their '
    "licence may not allow them to be shared. manifest.json has the hash of every file that is missing, "
    "and of the originals.</p>"
)
HEAD = "README.txt"


def write(folder: Path, out: Path, pixels: bool = True, overwrite: bool = False) -> list[str]:
    """Pack a run into a ZIP file, uncompressed, its entries in the order of their names and all of one date.

    Parameters
    ----------
    folder : Path
        A run that verifies.
    out : Path
        The ZIP file to make.
    pixels : bool
        False: without the images, figures and pictures of the report, with their hashes instead.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    list of str
        Names left out.

    Raises
    ------
    EvidenceError
        The run does not verify: what is changed is not passed on.
    OutputError
        `out` exists already, or cannot be written.
    """
    found = verify.check_sound(folder, "Nothing was packed")
    folders.check_new_file(out, overwrite, (".zip",))
    if out.resolve().is_relative_to(folder.resolve()):
        raise OutputError(
            f"{out}: lies in the run, which would then hold a file too many. Name another place"
        )
    entries: dict[str, Path | bytes] = {path.name: path for path in sorted(folder.iterdir())}
    left_out = [] if pixels else sorted(name for name in entries if verify.is_picture(name))
    if left_out:
        entries |= _in_place(folder, left_out)
        entries = {name: data for name, data in entries.items() if name not in left_out}
    entries[HEAD] = _how_to_check(found.manifest, folder.name, left_out).encode()
    partial = out.with_name(f".{out.name}.partial-{secrets.token_hex(4)}")
    try:
        _pack(partial, entries, folder.name)
        partial.replace(out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot write: {error.strerror or error}. Free some space, or choose another place with "
            "-o"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return left_out


def _in_place(folder: Path, left_out: list[str]) -> dict[str, bytes]:
    """The report without its pictures, and the list of what is missing."""
    bare = {}
    if "report.html" in left_out:
        html = (folder / "report.html").read_text(encoding="utf-8")
        bare[verify.BARE_REPORT] = without_pictures(html).encode()
    placed = [digests.entry_of(name, data) for name, data in bare.items()]
    said = json_text.to_json({"left_out": left_out, "in_its_place": placed})
    return bare | {verify.LEFT_OUT: said.encode()}


def without_pictures(html: str) -> str:
    """A report with every picture in it replaced by an empty one, and a notice at its top."""
    bare = re.sub(r"data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=]+", PLACEHOLDER, html)
    return re.sub(r"(<body[^>]*>)", lambda match: match[1] + NOTICE, bare, count=1)


def _how_to_check(manifest: dict[str, Any], name: str, left_out: list[str]) -> str:
    report = verify.BARE_REPORT if "report.html" in left_out else "report.html"
    missing = f"Left out of this copy: {', '.join(left_out)}.\n\n" if left_out else ""
    few = " --ignore-missing" if left_out else ""
    return (
        f"A run of damagediff, evidence id {manifest['evidence_id']}, made {manifest['created']}.\n\n"
        f"{missing}"
        f"Open {name}/{report} with any browser; nothing is loaded from the network.\n\n"
        f"To check that no file was changed, in the folder {name}:\n"
        f"  Linux    sha256sum -c SHA256SUMS{few}\n"
        f"  macOS    shasum -a 256 -c SHA256SUMS{few}\n"
        "  Windows  certutil -hashfile FILE SHA256, and compare with the line of FILE in SHA256SUMS\n"
        f"With damagediff, which also checks the manifest and the log: damagediff verify {name}\n\n"
        "manifest.json lists inputs with hashes, what was done to them, settings, versions and outputs;\n"
        "custody.jsonl lists what was done with the run before it was packed.\n"
    )


def _pack(path: Path, entries: dict[str, Path | bytes], root: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            info = zipfile.ZipInfo(name if name == HEAD else f"{root}/{name}", OLDEST)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            if isinstance(data, bytes):
                archive.writestr(info, data)
                continue
            info.file_size = data.stat().st_size  # so that it is known whether it needs a large file's header
            with data.open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
