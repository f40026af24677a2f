"""Are we faster than what people would take instead, and is the answer as good?

python benchmarks/vs_peers.py --data DIR [--sizes 1024,2048,4096] [--repeats 3] [--minutes 60]
    [--out FILE.json] [--pairs FOLDER] [--install] [--arosics-env DIR] [--odiff PROGRAM]
    [--only WORD ...] [--table]

Two simulated pairs of each size, georeferenced, 3 bands of 8 bits, real texture from DIR, with another light,
noise, JPEG, grain, and other content on 3 % of their area: ``moved`` by a known small motion with a smooth
residual (as in vs_arosics.py), and ``still``, which lies exactly. All programs take turns; each run is whole,
from the files to what it writes, start of the process included. Figures are medians: wall clock, processor
time and peak memory (PSS) of all its processes.

On ``moved``: `damagediff align` and AROSICS, local (on about as many points) and global, each writing the
corrected image; `damagediff compare`, as shipped and without its self-test; and the programs below, which
show there what a difference without alignment is worth. On ``still``, where nothing needs to be aligned:
`damagediff compare` again; our differencing alone (_difference_runner.py); OTB's
MultivariateAlterationDetector; phase correlation, SSIM and Otsu by hand with scikit-image; ImageMagick's
`compare` (fuzz 10 %); odiff (threshold .1; on PNG copies, as it reads no tiles).

Errors are those of vs_arosics.py, on a lattice. Change is known at the same points: the area under the ROC
curve of each score; the share of changed points found where 1 % of the unchanged pass; and for programs with
a mask of their own, the shares of both that it marks. From 8,192 px on only ours and OTB's run.

With --out, each run is written when it is done, and the same command goes on where it ended: after --minutes
no run is begun. A peer that is not there is told as missing; --install gets AROSICS. --table prints the
tables of an earlier --out and runs nothing. Needs Linux, and about 40 bytes of disk a pixel.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _options
import _pairs
import _peer_pair
import _peer_tables
import _peers
import _processes
import _scale_pair
import vs_arosics

from damagediff import tiles

MOST_SAID = 400
"""Characters of what a program said before it failed."""
MUST_BE_SAME = ("workers", "memory_mib", "windows")
"""Options without which an earlier file of figures is not gone on with."""


def main() -> int:
    """Go on from what there is, print the tables."""
    args = arguments()
    found = earlier(args)
    if args.table:
        print(_peer_tables.all_of(found))
        return 0
    files = _scale_pair.source_files(args.data)
    if not _pairs.need_data(args.data, files):
        return 2
    if args.install:
        try:
            vs_arosics.install(args.arosics_env)
        except vs_arosics.NoPeer as why:
            print(f"AROSICS cannot be installed: {why}", file=sys.stderr)
    gone = _peers.missing(args)
    found |= {"missing": gone, "lacks": _peers.LACKS, "peers": _peers.versions(args, gone)}
    found |= {**_pairs.about(files), "cpu": vs_arosics.cpu_model()}
    for peer, why in gone.items():
        print(f"missing: {peer}: {why}", file=sys.stderr)
    done = measured(files, args, found)
    print(_peer_tables.all_of(found))
    if not done:
        print("time is up: the same command goes on from here", file=sys.stderr)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = _options.of_sizes(__doc__, [1024, 2048, 4096], repeats=3)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--workers", type=int, default=tiles.available_cores(), help="threads, for all")
    parser.add_argument("--memory-mib", type=int, default=2048, help="that OTB is told it may take")
    parser.add_argument("--windows", type=int, nargs="*", default=[256], help="of AROSICS local, px")
    parser.add_argument("--minutes", type=float, default=60.0, help="after these no run is begun")
    parser.add_argument("--limit-s", type=float, default=1200.0, help="for one run, s")
    parser.add_argument("--only", nargs="*", default=[], help="peers whose name has one of these words in it")
    parser.add_argument("--arosics-env", type=Path, default=cache / "damagediff-bench" / "arosics")
    parser.add_argument("--odiff", default="odiff", help="the program")
    parser.add_argument("--install", action="store_true", help="AROSICS, into --arosics-env")
    parser.add_argument("--table", action="store_true", help="only print what --out holds")
    return parser.parse_args()


def earlier(args: argparse.Namespace) -> dict[str, Any]:
    """What an earlier call left in --out."""
    asked = {name: getattr(args, name) for name in MUST_BE_SAME}
    if args.out is None or not args.out.exists():
        return {"asked": asked, "runs": [], "results": []}
    found: dict[str, Any] = json.loads(args.out.read_text(encoding="utf-8"))
    if found["asked"] != asked and not args.table:
        sys.exit(f"{args.out}: measured with {found['asked']}, not with {asked}. Give another --out")
    return found


def measured(files: list[Path], args: argparse.Namespace, found: dict[str, Any]) -> bool:
    """All sizes; whether there was time for all of them."""
    end = time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as name:
        for size in args.sizes:
            kinds = [_peer_pair.MOVED, _peer_pair.STILL] if size < _peers.LARGE_PX else [_peer_pair.STILL]
            jobs = []
            for kind in kinds:
                known = _peer_pair.make(files, size, kind, (args.pairs or Path(name)) / f"{kind}_{size}")
                points = points_of(known, args, found) if kind == _peer_pair.MOVED else None
                jobs += _peers.jobs(known, Path(name) / "out", args, found["missing"], points)
            wanted = [job for job in jobs if not args.only or any(word in job.peer for word in args.only)]
            if not in_turn(wanted, Path(name), args, found, end):
                return False
    return True


def points_of(known: _peer_pair.Known, args: argparse.Namespace, found: dict[str, Any]) -> float:
    """How many tie points our registration looks up; its errors are kept as results of `align`."""
    key = {"peer": _peers.ALIGN, "pair": known.kind, "size_px": known.size_px}
    for result in found["results"]:
        if key.items() <= result.items():
            return float(result["points_tried"])
    errors = _peers.our_errors(known, args.workers)
    found["results"].append({**key, **errors})
    return float(errors["points_tried"])


def in_turn(
    jobs: list[_peers.Job], scratch: Path, args: argparse.Namespace, found: dict[str, Any], end: float
) -> bool:
    """Every job once, then every job again, but for what was done earlier; false when time is up."""
    for turn in range(args.repeats):
        for job in jobs:
            key = {**job.key, "turn": turn}
            if any(key.items() <= run.items() for run in found["runs"]):
                continue
            if time.monotonic() > end:
                return False
            print(f"{job.known.size_px} px, run {turn + 1} of {args.repeats}: {job.peer}, {job.known.kind}",
                  file=sys.stderr)  # fmt: skip
            one(job, key, scratch, args.limit_s, found)
            _pairs.write_json(args.out, found)
    return True


def one(job: _peers.Job, key: dict[str, Any], scratch: Path, limit_s: float, found: dict[str, Any]) -> None:
    """One run, and how good its answer is if that is not known yet; a failure is an answer too."""
    out = scratch / "out"
    out.mkdir()
    try:
        spent = _processes.measured(job.command, scratch / "log", job.right, job.env, limit_s)
        found["runs"].append({**key, **asdict(spent)})
        if job.score is not None and not any(job.key.items() <= r.items() for r in found["results"]):
            found["results"].append({**job.key, **answer_of(job.score)})
    except _processes.Failed as why:
        found["runs"].append({**key, "failed": str(why)[-MOST_SAID:]})
    finally:
        shutil.rmtree(out)


def answer_of(score: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """How good an answer is; of AROSICS's, that takes a further run, which may fail."""
    try:
        return score()
    except _processes.Failed as why:
        return {"failed": str(why)[-MOST_SAID:]}


if __name__ == "__main__":
    sys.exit(main())
