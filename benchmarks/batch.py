"""A batch of real pairs end to end: time, verdicts, failures by reason, and a second call that makes nothing.

Every folder of `--data` that holds a before and an after picture becomes a line of a table, with the pixel
size that its meta.json states, as a user would give it; radar pairs, whose names begin with ``sar_``, have a
table of their own. The tables are run with ``damagediff batch`` twice. Of the second call it is told how many
cases it made again, and how many files of runs have another hash or time of change than after the first.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from damagediff import digests, versions

SIDES = ("before", "after")
ENDINGS = (".tif", ".png", ".jpg", ".bmp")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs, one folder each")
    parser.add_argument("--pairs", type=int, help="only the first so many")
    parser.add_argument("--workers", type=int, default=2, help="cases at once")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="as for damagediff batch")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    found = list(pairs(given.data))[: given.pairs]
    if not found:
        sys.exit(f"{given.data}: holds no folder with a before and an after picture")
    with tempfile.TemporaryDirectory(prefix="damagediff-batch-") as name:
        told = measured(found, Path(name), given)
    told["versions"] = versions.versions()
    print(json.dumps({key: value for key, value in told.items() if key != "versions"}, indent=2))
    if given.out:
        given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def pairs(data: Path) -> list[dict[str, str]]:
    """A line of the table for each pair."""
    lines = []
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        files = [next((p for e in ENDINGS if (p := folder / f"{side}{e}").is_file()), None) for side in SIDES]
        if files[0] is None or files[1] is None:
            continue
        gsd = meta.get("gsd_m") if (meta := described(folder)) else None
        georeferenced = all(file.suffix == ".tif" for file in files if file is not None)
        line = {"name": folder.name, "before": str(files[0]), "after": str(files[1])}
        lines.append(line | {"gsd": "" if georeferenced or not isinstance(gsd, int | float) else str(gsd)})
    return lines


def described(folder: Path) -> dict[str, Any]:
    """What is known of a pair."""
    path = folder / "meta.json"
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def measured(found: list[dict[str, str]], scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The batch twice."""
    tables = []
    for name, options in (("optical", ()), ("radar", ("--set", "sensor=sar"))):
        lines = [line for line in found if line["name"].startswith("sar_") == (name == "radar")]
        tables += [(name, write(scratch / f"{name}.csv", lines), options)] if lines else []
    first = [call(table, scratch / name, options, given) for name, table, options in tables]
    before = state(scratch)
    second = [call(table, scratch / name, options, given) for name, table, options in tables]
    after = state(scratch)
    cases = [case for said in first for case in said["cases"]]
    again = [case for said in second for case in said["cases"]]
    failed = [case for case in cases if case["outcome"] == "failed"]
    return {
        "pairs": len(cases),
        "cores": os.cpu_count(),
        "workers": given.workers,
        "settings": given.settings,
        "first_s": round(sum(said["seconds"] for said in first)),
        "second_s": round(sum(said["seconds"] for said in second)),
        "exit_codes": [said["exit_code"] for said in (*first, *second)],
        "verdicts": dict(Counter(case["verdict"] or "failed" for case in cases)),
        "alignment_refused": sum(case["exit_code"] == 4 for case in cases),
        "failures": {case["name"]: [case["exit_code"], case["message"]] for case in failed},
        "outcomes_of_the_second_call": dict(Counter(case["outcome"] for case in again)),
        "files_of_runs": len(before),
        "files_changed_by_the_second_call": sum(after.get(key) != before[key] for key in before),
    }


def write(path: Path, lines: list[dict[str, str]]) -> Path:
    """The table, and the pictures beside it: a table names files of its own folder only."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["name", "before", "after", "gsd"])
        table.writeheader()
        for line in lines:
            files = {side: f"{line['name']}/{Path(line[side]).name}" for side in SIDES}
            (path.parent / line["name"]).mkdir()
            for side, name in files.items():
                shutil.copyfile(line[side], path.parent / name)
            table.writerow(line | files)
    return path


def call(table: Path, out: Path, options: tuple[str, ...], given: argparse.Namespace) -> dict[str, Any]:
    """One call of ``damagediff batch``: its time, exit code and summary."""
    command = [sys.executable, "-m", "damagediff", "batch", str(table), "-o", str(out), "--json", *options]
    command += [f"--workers={given.workers}", *(f"--set={text}" for text in given.settings)]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    told = {"seconds": time.monotonic() - began, "exit_code": done.returncode}
    cases: list[dict[str, Any]] = json.loads(done.stdout)["cases"]
    return told | {"cases": cases}


def state(scratch: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of every file of every run."""
    files = (path for name in ("optical", "radar") for path in (scratch / name).glob("*/*"))
    return {
        str(path.relative_to(scratch)): (digests.entry(path)["sha256"], path.stat().st_mtime_ns)
        for path in files
    }


if __name__ == "__main__":
    main()
