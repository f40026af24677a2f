"""Runs killed at random moments, and runs started at once: is anything half-written ever taken for whole?

``killed``: `--runs` comparisons of the sample pair, each killed by SIGKILL after a random time up to that
of a whole run. Counted: run folders that are there and do not verify, run folders left beside the
killed process's hidden one, and hidden folders that the next run of that name does not remove.

``at once``: eight runs into one folder and eight into eight folders. Counted: how many said that they were
done, how many folders verify, and how many were told that the folder is taken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from damagediff import verify, versions
from damagediff.errors import EvidenceError

SAMPLES = Path(__file__).resolve().parents[1] / "sample_images"
AT_ONCE = 8


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
    with tempfile.TemporaryDirectory(prefix="damagediff-kills-") as scratch:
        found = {"killed": killed(Path(scratch), given.runs, given.seed), "at_once": at_once(Path(scratch))}
    found["versions"] = versions.versions()
    print(json.dumps({key: value for key, value in found.items() if key != "versions"}, indent=2))
    if given.out:
        given.out.write_text(json.dumps(found, indent=2), encoding="utf-8")


def start(out: Path) -> subprocess.Popen[str]:
    """One comparison of the sample pair as screenshots, in a process of its own."""
    pair = [str(SAMPLES / f"ganja_{side}.tif") for side in ("before", "after")]
    command = [sys.executable, "-m", "damagediff", "compare", *pair, "-o", str(out), "-q"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def killed(scratch: Path, runs: int, seed: int) -> dict[str, Any]:
    """Counts over runs that were killed at random moments."""
    rng, folder = random.Random(seed), scratch / "killed"
    began = time.monotonic()
    start(folder / "whole").communicate()
    whole_s = time.monotonic() - began
    counted = {"runs": runs, "whole_run_s": round(whole_s, 1), "finished": 0, "killed": 0, "not_whole": 0}
    for _ in range(runs):
        out = folder / "run"
        process = start(out)
        try:
            process.communicate(timeout=rng.uniform(0, 1.05 * whole_s))
            counted["finished"] += 1
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            counted["killed"] += 1
        counted["not_whole"] += out.exists() and not is_whole(out)
        out.rename(folder / f"done{counted['finished']}-{counted['killed']}") if out.exists() else None
    start(folder / "run").communicate()
    counted["left_after_the_next_run"] = sum(path.name.startswith(".") for path in folder.iterdir())
    return counted


def is_whole(run: Path) -> bool:
    """Whether a run folder verifies."""
    try:
        return verify.run(run).sound
    except EvidenceError:
        return False


def at_once(scratch: Path) -> dict[str, Any]:
    """Counts over runs started at the same time, into one folder and into folders of their own."""
    found = {}
    for name, folders in (
        ("one folder", [scratch / "one" / "run"] * AT_ONCE),
        ("own folders", [scratch / "own" / str(k) for k in range(AT_ONCE)]),
    ):
        processes = [start(out) for out in folders]
        said = [process.communicate()[1] for process in processes]
        found[name] = {
            "exit_codes": sorted(process.returncode for process in processes),
            "told_that_it_is_taken": sum("already exists" in text for text in said),
            "folders_that_verify": sum(is_whole(out) for out in set(folders)),
            "left_beside": sum(path.name.startswith(".") for path in folders[0].parent.iterdir()),
        }
    return found


if __name__ == "__main__":
    main()
