"""Is a copy of one picture named, and no genuine pair called one?

python benchmarks/same_picture.py --data DIR [--what genuine|copies|all] [--every N] [--first K]
    [--only PATTERN] [--beyond] [--out FILE.json]

Every folder's before and after image are a genuine pair: naming it, wholly or in part, is a false
accusation. Then one picture of each folder, before and after in turn, is compared with edited copies of
itself (`_copies.KINDS`) and with its mirror image; and the same picture with a part repeated inside it,
against the other date. A copy is named when *two pictures*, *shared part* or *repeated part* fails; the
table tells which. `--beyond` adds stronger edits. Each pair is opened, aligned and asked as a run does; the
seconds are those of the asking and of all before it.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import _copies
import _pairs
import numpy as np

from damagediff import copies, registration
from damagediff.errors import InputError

LONGEST_PX = 800
"""Larger pictures are cut to this before they are copied."""


def main() -> int:
    """Command line."""
    args = arguments()
    folders = [p for p in _pairs.folders(args.data) if fnmatch.fnmatch(p.name, args.only)]
    if not _pairs.need_data(args.data, folders):
        return 2
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for kind, place, before, after in plan(folders, args, Path(name)):
            row = {"kind": kind, "name": place, **ask(before, after)}
            rows.append(row)
            if (kind == "genuine") == row["named"]:
                print("WRONG", row, flush=True)
    table = summarise(rows)
    for kind, line in table.items():
        print(f"{kind:36s} {line}")
    files = [path for folder in folders for path in both(folder)]
    _pairs.write_json(args.out, {"summary": table, "rows": rows, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="copies only of each N-th folder")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--only", default="*", help="folders whose name fits")
    parser.add_argument("--what", choices=("all", "genuine", "copies"), default="all")
    parser.add_argument("--beyond", action="store_true", help="stronger edits too")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def both(folder: Path) -> tuple[Path, Path]:
    """Before and after image of a folder."""
    return _pairs.file_of(folder, "before"), _pairs.file_of(folder, "after")


def ask(before: Path, after: Path) -> dict[str, Any]:
    """What a run would answer for two files."""
    start = time.perf_counter()
    try:
        with _pairs.opened(before, after, _pairs.ONE_CORE) as scene:
            alignment, model = registration.register(scene)
            ready = time.perf_counter()
            found = copies.look(replace(scene, after=scene.after.aligned(model)), alignment.accepted)
            done = time.perf_counter()
    except InputError as error:
        return {"named": False, "why": str(error)}
    return {
        "named": found.whole or found.partly or bool(found.repeated),
        "whole": found.whole,
        "partly": found.partly,
        "share": found.share,
        "windows": found.windows,
        "mirrored": found.mirrored,
        "repeated": [round(part.share, 3) for part in found.repeated],
        "accepted": alignment.accepted,
        "why": alignment.reason,
        "seconds": done - ready,
        "seconds_before": ready - start,
    }


def plan(folders: list[Path], args: argparse.Namespace, temp: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """(kind, name, picture, copy); for genuine pairs before and after."""
    if args.what != "copies":
        yield from (("genuine", folder.name, *both(folder)) for folder in folders)
    if args.what == "genuine":
        return
    kinds = _copies.KINDS + (_copies.BEYOND if args.beyond else ())
    for k in range(args.first, len(folders), args.every):
        folder, when = folders[k], ("before", "after")[k // args.every % 2]
        data = _pairs.pixels(_pairs.file_of(folder, when))[0][:LONGEST_PX, :LONGEST_PX]
        donor = _pairs.pixels(both(folders[(k + 7) % len(folders)])[1])[0]
        picture = _pairs.write_png(temp / folder.name / "picture.png", data)
        for kind in (*kinds, *_copies.MIRRORED):
            around = _copies.Around(
                np.random.default_rng(zlib.crc32(f"{folder.name} {kind.name}".encode())), donor
            )
            yield (
                kind.name,
                folder.name,
                picture,
                _copies.write(kind, data, around, temp / folder.name / "copy"),
            )
        other = _pairs.pixels(both(folder)[when == "before"])[0]
        for kind in _copies.REPEATED:
            around = _copies.Around(
                np.random.default_rng(zlib.crc32(f"{folder.name} {kind.name}".encode())), donor
            )
            path = _pairs.write_png(temp / folder.name / "other.png", other)
            yield kind.name, folder.name, path, _copies.write(kind, data, around, temp / folder.name / "copy")


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per kind: how many were named, wholly and in part."""
    table: dict[str, Any] = {}
    edited = [r for r in rows if r["kind"] in {k.name for k in _copies.KINDS}]
    groups = {kind: [r for r in rows if r["kind"] == kind] for kind in dict.fromkeys(r["kind"] for r in rows)}
    for kind, group in {**groups, "all edited copies": edited}.items():
        if not group:
            continue
        table[kind] = {
            "pairs": len(group),
            "named": sum(r["named"] for r in group),
            "whole": sum(r.get("whole", False) for r in group),
            "part": sum(r.get("partly", False) for r in group),
            "refused": sum(not r.get("accepted", False) for r in group),
            "named_share": round(sum(r["named"] for r in group) / len(group), 3),
            "largest_share": max((r.get("share") or 0.0 for r in group), default=0.0),
            "least_share": min((r.get("share") or 0.0 for r in group), default=0.0),
            "seconds": round(float(np.median([r.get("seconds", 0.0) for r in group])), 3),
        }
    return table


if __name__ == "__main__":
    sys.exit(main())
