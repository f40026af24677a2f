"""What the self-test costs: whole runs with and without it, interleaved, and the ratio of the medians.

python benchmarks/cost.py --data DIR [--pairs NAME ...] [--repeats 3] [--out FILE.json]

Time is that of `pipeline.compare` with the shipped settings: wall clock, and processor time of all threads,
which a busy machine disturbs less. Goal: with self-test at most twice the time without.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import _pairs
import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from damagediff import pipeline, settings, types

PAIRS = (
    "gaza_al-quds-hospital",
    "iran_isfahan_powerplant",
    "xbd_mexico-earthquake_00000059",
    "xbd_joplin-tornado_00000000",
    "turkey2023_hatay_ekinci_mahallesi",
    "joplin_mosaic",
)
MOST = 2.0


def main() -> int:
    """Run, print a line a pair, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--pairs", nargs="*", default=PAIRS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    found = [p for p in _pairs.folders(args.data) if p.name in args.pairs]
    if not _pairs.need_data(args.data, found):
        return 2
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    rows = []
    for pair in found:
        rows.append(measure(pair, args.repeats))
        print(rows[-1], flush=True)
    within = sum(row["ratio_cpu"] <= MOST for row in rows)
    print(f"within {MOST:g} times: {within} of {len(rows)} by processor time")
    files = [_pairs.file_of(pair, when) for pair in found for when in ("before", "after")]
    _pairs.write_json(args.out, {"pairs": rows, **_pairs.about(files)})
    return 0


def measure(pair: Path, repeats: int) -> dict[str, Any]:
    """Medians of one pair, one run without counted first to warm everything up."""
    times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    planted = once(pair, False)[2]
    for _ in range(repeats):
        for selftest in (False, True):
            *spent, planted = once(pair, selftest)
            times[selftest].append((spent[0], spent[1]))
    without, with_ = (np.median(times[k], axis=0) for k in (False, True))
    return {
        "pair": pair.name,
        "without_s": round(float(without[0]), 2),
        "with_s": round(float(with_[0]), 2),
        "ratio_wall": round(float(with_[0] / without[0]), 2),
        "without_cpu_s": round(float(without[1]), 2),
        "with_cpu_s": round(float(with_[1]), 2),
        "ratio_cpu": round(float(with_[1] / without[1]), 2),
        "planted": planted,
    }


def once(pair: Path, selftest: bool) -> tuple[float, float, int]:
    """Wall seconds, processor seconds, and how many objects were planted."""
    case = types.Case(*(types.Source(_pairs.file_of(pair, when)) for when in ("before", "after")))
    chosen = settings.from_dict({"trust": {"selftest": selftest}})
    with tempfile.TemporaryDirectory() as name:
        wall, cpu = time.perf_counter(), time.process_time()
        found = pipeline.compare(case, chosen, Path(name))
        spent = time.perf_counter() - wall, time.process_time() - cpu
    return *spent, sum(curve.planted for curve in found.trust.detection.curves)


if __name__ == "__main__":
    sys.exit(main())
