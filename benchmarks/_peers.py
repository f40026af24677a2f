"""Who is measured: how each is started on a pair, what it leaves, and what it does not do."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _peer_pair
import _peer_scores
import vs_arosics
from _peer_pair import STILL, Known

HERE = Path(__file__).parent
OTB = "otbcli_MultivariateAlterationDetector"
ALIGN, DIFFERENCE = "damagediff align", "damagediff difference"
COMPARE, WITHOUT = "damagediff compare", "damagediff compare --no-selftest"
MAD, BY_HAND, MAGICK, ODIFF = "OTB MAD", "scikit-image by hand", "ImageMagick compare", "odiff"
LARGE_PX = 8192
"""From here on only `LARGE` are run: of others it is known that they do not fit, or do other work."""
LARGE = (DIFFERENCE, COMPARE, WITHOUT, MAD)
LACKS = {
    ALIGN: "difference",
    DIFFERENCE: "alignment, self-test, report",
    COMPARE: "",
    WITHOUT: "detection limit and false alarms measured on the pair itself",
    "AROSICS local": "difference, mask, report; does not refuse a pair",
    "AROSICS global": "more than one translation; difference, mask, report",
    MAD: "alignment, threshold, mask, regions, report",
    BY_HAND: "more than one translation, change in light, bounded memory, regions, report",
    MAGICK: "alignment, change in light, georeference, regions, report",
    ODIFF: "alignment, change in light, georeference, GeoTIFF, regions, report",
}


@dataclass(frozen=True)
class Job:
    """One program on one pair."""

    peer: str
    known: Known
    command: Sequence[str]
    score: Callable[[], dict[str, Any]] | None
    """Asked once, after a run, off the clock: how good what it left is. None: asked otherwise."""
    right: tuple[int, ...] = (0,)
    """Exit statuses that are no failure."""
    env: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, Any]:
        """What names it in the JSON."""
        return {"peer": self.peer, "pair": self.known.kind, "size_px": self.known.size_px}


def missing(args: argparse.Namespace) -> dict[str, str]:
    """Peers that cannot be had here, and what to do about each."""
    gone = {}
    python = args.arosics_env / "bin" / "python"
    if not python.exists():
        gone["AROSICS"] = f"no {python}: --install, or vs_arosics.py, makes that environment"
    for peer, program, get in (
        (MAD, OTB, "Debian: apt-get install otb-bin"),
        (MAGICK, "compare", "Debian: apt-get install imagemagick"),
        (ODIFF, args.odiff, "npm install odiff-bin, and --odiff node_modules/.bin/odiff"),
    ):
        if shutil.which(program) is None:
            gone[peer] = f"no {program} on the path. {get}"
    return gone


def jobs(
    known: Known, out: Path, args: argparse.Namespace, gone: dict[str, str], points: float | None
) -> list[Job]:
    """All that runs on one pair, ours first.

    Parameters
    ----------
    out : Path
        Folder for what they write, empty before each run.
    points : float or None
        How many tie points ours looks up; None where nothing is to be aligned.
    """
    found = [*ours(known, out, args), *differencers(known, out, args)]
    if points is not None and "AROSICS" not in gone:
        found += aligners(known, out, args, points)
    wanted = [job for job in found if job.peer not in gone]
    return [job for job in wanted if known.size_px < LARGE_PX or job.peer in LARGE]


def ours(known: Known, out: Path, args: argparse.Namespace) -> list[Job]:
    """What damagediff offers."""
    both, threads = (str(known.pair.before), str(known.pair.after)), str(args.workers)
    tool = [sys.executable, "-m", "damagediff"]
    run = ["-o", str(out / "run"), "--workers", threads, "--quiet"]

    def score() -> dict[str, Any]:
        return _peer_scores.of_run(out / "run", known)

    found = [
        Job(COMPARE, known, [*tool, "compare", *both, *run], score),
        Job(WITHOUT, known, [*tool, "compare", *both, *run, "--no-selftest"], score),
    ]
    if known.kind == STILL:
        runner = [sys.executable, str(HERE / "_difference_runner.py"), *both, str(out), threads]
        return [*found, Job(DIFFERENCE, known, runner, lambda: _peer_scores.of_run(out, known))]
    align = [*tool, "align", *both, "-o", str(out / "aligned.tif"), "--workers", threads, "--quiet"]
    return [Job(ALIGN, known, align, None), *found]


def our_errors(known: Known, workers: int) -> dict[str, Any]:
    """Of our registration, and how many tie points it looked up."""
    return vs_arosics.run(vs_arosics.our_job(known.pair, workers))


def aligners(known: Known, out: Path, args: argparse.Namespace, points: float) -> list[Job]:
    """AROSICS, on about as many tie points as ours looks up, writing the corrected image."""
    python = args.arosics_env / "bin" / "python"
    found = []
    for job in vs_arosics.their_jobs(known.pair, points, args, python):
        asked = json.loads(Path(job.command[-1]).read_text(encoding="utf-8"))
        writing = Path(job.command[-1]).with_suffix(".write.job")
        writing.write_text(json.dumps({**asked, "write": str(out / "aligned.tif")}), encoding="utf-8")
        command = [*job.command[:-1], str(writing), "0"]
        found.append(Job(job.label, known, command, lambda job=job: vs_arosics.run(job), env=ONE_EACH))
    return found


ONE_EACH = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""AROSICS has processes of its own, one for each core."""


def differencers(known: Known, out: Path, args: argparse.Namespace) -> list[Job]:
    """Those that look for change; only scikit-image's moves the after image first."""
    both = [str(known.pair.before), str(known.pair.after)]
    mad, drawn = out / "mad.tif", out / "drawn.png"
    threads, memory = str(args.workers), str(args.memory_mib)
    itk = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": threads, "OTB_MAX_RAM_HINT": memory}
    otb = [
        OTB,
        "-in1",
        both[0],
        "-in2",
        both[1],
        "-out",
        str(mad),
        "float",
        "-ram",
        memory,
        "-progress",
        "false",
    ]
    by_hand = [sys.executable, str(HERE / "_skimage_runner.py"), *both, str(out)]
    white = ["-compose", "Src", "-highlight-color", "white", "-lowlight-color", "black"]
    magick = ["compare", "-quiet", "-fuzz", "10%", *white, *both, str(drawn)]

    def picture() -> dict[str, Any]:
        return _peer_scores.of_picture(drawn, known)

    found = [
        Job(MAD, known, otb, lambda: _peer_scores.of_mad(mad, known), env=itk),
        Job(BY_HAND, known, by_hand, lambda: _peer_scores.of_ssim(out, known)),
        Job(MAGICK, known, magick, picture, (0, 1), {"MAGICK_THREAD_LIMIT": threads}),
    ]
    if known.size_px >= LARGE_PX or shutil.which(args.odiff) is None:
        return found
    pngs = map(str, _peer_pair.as_png(known))
    odiff = [args.odiff, *pngs, str(drawn), "--diff-mask", "--threshold", "0.1"]
    return [*found, Job(ODIFF, known, odiff, picture, (0, 22))]


def versions(args: argparse.Namespace, gone: dict[str, str]) -> dict[str, str]:
    """What each program that is there calls itself."""
    ask = {
        "AROSICS": [
            str(args.arosics_env / "bin" / "python"),
            "-c",
            "import arosics; print(arosics.__version__)",
        ],
        MAD: ["dpkg-query", "-W", "-f=${Version}", "otb-bin"],
        MAGICK: ["compare", "-version"],
        ODIFF: [args.odiff, "--version"],
    }
    told = {}
    for peer, command in ask.items():
        if peer in gone or shutil.which(command[0]) is None:
            continue
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).strip().splitlines()
        told[peer] = said[0] if said else ""
    return told
