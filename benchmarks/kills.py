"""Runs killed at random moments, and runs started at once: is anything half-written ever taken for whole?

``killed``: `--runs` comparisons of a part of the sample pair, each killed by SIGKILL: every second one at a
random moment of a whole run, the others within a fifth of a second of the moment when the manifest of the
hidden folder appears, where the run gets its name. Half of each kind replace an earlier run.
Counted: run folders that are there and do not verify, earlier runs that are gone, processes that outlive the
killed one by five seconds, and hidden folders that the next run of that name does not remove.

``at_once``: eight runs into one folder, eight that replace what is there, and eight into eight folders.
Counted: exit codes, how many were told that the folder is taken, how many folders verify, and whether each is
of one run alone: every run has a title of its own, which its results, page and manifest must all hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window

from damagediff import verify, versions
from damagediff.errors import EvidenceError

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
PART = Window(150, 150, 400, 400)
AT_ONCE = 8
AROUND_THE_END_S = 0.2
PATIENCE_S = 5.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="not used: the sample pair is compared")
    parser.add_argument("--runs", type=int, default=200, help="runs that are killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="damagediff-kills-") as name:
        scratch = Path(name)
        pair = [part(side, scratch) for side in ("before", "after")]
        found = {
            "killed": killed(pair, scratch / "killed", given.runs, given.seed),
            "at_once": at_once(pair, scratch / "at_once"),
        }
    found["versions"] = versions.versions()
    print(json.dumps({key: value for key, value in found.items() if key != "versions"}, indent=2))
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def part(side: str, folder: Path) -> Path:
    """A part of one sample image: what is killed must not take long."""
    path = folder / f"{side}.tif"
    with rasterio.open(SAMPLES / f"ganja_{side}.tif") as whole:
        said = whole.profile | {
            "width": PART.width,
            "height": PART.height,
            "transform": whole.window_transform(PART),
        }
        with rasterio.open(path, "w", **said) as out:
            out.write(whole.read(window=PART))
    return path


def start(pair: list[Path], out: Path, *options: str) -> subprocess.Popen[str]:
    """One comparison in a process, and a process group, of its own."""
    command = [sys.executable, "-m", "damagediff", "compare", *map(str, pair), "-o", str(out), "-q"]
    return subprocess.Popen(
        [*command, "--no-selftest", "--workers", "1", *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(pair[0].parent)},
    )


def killed(pair: list[Path], folder: Path, runs: int, seed: int) -> dict[str, Any]:
    """Counts over runs that were killed at random moments."""
    rng = random.Random(seed)
    began = time.monotonic()
    start(pair, folder / "earlier").communicate()
    whole_s = time.monotonic() - began
    keys = ("finished", "killed", "killed_around_the_end", "there_after_the_kill", "not_whole")
    counted = {"runs": runs, "whole_run_s": round(whole_s, 1)} | dict.fromkeys(keys, 0)
    counted |= {"earlier_run_gone": 0, "outlived": 0, "hidden_left": 0}
    places = {True: folder / "earlier", False: folder / "new"}
    for number in range(runs):
        replaces, late = number % 4 >= 2, bool(number % 2)
        out = places[replaces]
        process = start(pair, out, *(["--overwrite"] if replaces else []))
        done = wait(process, out, rng, 1.05 * whole_s, late)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        counted["finished" if done else "killed"] += 1
        counted["killed_around_the_end"] += late and not done
        counted["there_after_the_kill"] += out.exists() and not done
        counted["not_whole"] += out.exists() and not is_whole(out)
        counted["earlier_run_gone"] += replaces and not out.exists()
        counted["outlived"] += outlived(process.pid)
        if not replaces and out.exists():
            out.rename(folder / f"whole-{number}")
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    counted["hidden_left"] = len(hidden)
    start(pair, places[False]).communicate()
    start(pair, places[True], "--overwrite").communicate()
    counted["hidden_left_after_the_next_run"] = sum(p.name.startswith(".") for p in folder.iterdir())
    counted["left_in_the_folder_for_temporary_files"] = sum(1 for _ in pair[0].parent.iterdir()) - 3
    return counted


def wait(process: subprocess.Popen[str], out: Path, rng: random.Random, whole_s: float, late: bool) -> bool:
    """Until the moment to kill; whether the run was finished before."""
    if late:
        while process.poll() is None and not any(hidden_manifests(out)):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, AROUND_THE_END_S))
        return process.poll() is not None
    with suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(0, whole_s))
    return process.poll() is not None


def hidden_manifests(out: Path) -> Iterator[Path]:
    """Manifests of runs that have no name yet."""
    return out.parent.glob(f".{out.name}.partial-*/manifest.json")


def outlived(group: int) -> bool:
    """Whether a process of this group still lives after a while."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if not any(living(group)):
            return False
        time.sleep(0.05)
    return True


def living(group: int) -> Iterator[int]:
    """Processes of a group, on Linux."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            state, _, found = (
                path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[:3]
            )
            if int(found) == group and state not in "ZX":
                yield int(path.parent.name)


def is_whole(run: Path) -> bool:
    """Whether a run folder verifies."""
    try:
        return verify.run(run).sound
    except EvidenceError:
        return False


def words(said: str) -> str:
    """Why a run was not done, without the name of its folder."""
    told = [line for line in said.splitlines() if line.startswith("damagediff: ")]
    return told[-1].rpartition("run: ")[2] if told else ""


def is_of_one(run: Path) -> bool:
    """Whether results, page and manifest of a run are all of the same one."""
    title = json.loads((run / "results.json").read_text(encoding="utf-8"))["pair"]["title"]
    page = (run / "report.html").read_text(encoding="utf-8")
    return title in page and verify.read_manifest(run)[0]["case"]["title"] == title


def at_once(pair: list[Path], folder: Path) -> dict[str, Any]:
    """Counts over runs started at the same time, into one folder and into folders of their own."""
    found = {}
    for name, outs, options in (
        ("one_folder", [folder / "one" / "run"] * AT_ONCE, ()),
        ("one_folder_overwritten", [folder / "over" / "run"] * AT_ONCE, ("--overwrite",)),
        ("own_folders", [folder / "own" / str(k) for k in range(AT_ONCE)], ()),
    ):
        processes = [start(pair, out, "--title", f"run {k}", *options) for k, out in enumerate(outs)]
        said = [process.communicate()[1] for process in processes]
        whole = {out for out in outs if out.exists() and is_whole(out)}
        found[name] = {
            "exit_codes": sorted(process.returncode for process in processes),
            "told_that_it_is_taken": sum("already exists" in text for text in said),
            "other_words": sorted(
                {words(text) for text in said if text and "already exists" not in text} - {""}
            ),
            "folders": len(set(outs)),
            "folders_that_verify": len(whole),
            "folders_of_one_run": sum(is_of_one(out) for out in whole),
            "left_beside": sum(path.name.startswith(".") for path in outs[0].parent.iterdir()),
        }
    return found


if __name__ == "__main__":
    main()
