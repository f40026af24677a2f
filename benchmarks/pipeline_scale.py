"""How long does a whole comparison take, and in how much memory, against a plain read and write?

python benchmarks/pipeline_scale.py --data DIR [--sizes 1024,2048,4096,8192,16384] [--repeats 3]
    [--ways plain,selftest] [--pairs FOLDER] [--out FILE.json]

A georeferenced pair of real texture from DIR (see _scale_pair.py) is made for each size, once; FOLDER keeps
the pairs for the next call. Then, in turn, each in processes of its own:

``io_limit``: both rasters read by windows and the same rasters written, not compressed, two threads
(_io_limit.py); ``plain``: `damagediff compare --no-selftest`, as shipped, from the paths to the finished and
sealed folder; ``selftest``: with its self-tests; ``uncompressed``: plain, with write.compression = none.

Figures are medians. Processor time and memory are of all processes, decoders included; memory is the largest
sum of PSS at one time. Wall clock on a busy machine says little: take the ratios of processor time. Needs
Linux, and on the disk about 60 bytes a pixel of the largest size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _options
import _pairs
import _processes
import _scale_pair
import numpy as np

HERE = Path(__file__).parent
WAYS: dict[str, list[str]] = {
    "plain": ["--no-selftest"],
    "selftest": [],
    "uncompressed": ["--no-selftest", "--set", "write.compression=none"],
}
GOALS = {"wall_ratio": 8.0, "cpu_ratio": 20.0, "peak_mib": 600.0, "peak_over_4096": 1.15}
"""At 16,384 px."""


def main() -> int:
    """Make the pairs, run, print a line a size and way, write JSON."""
    args = arguments()
    files = _scale_pair.source_files(args.data)
    if not _pairs.need_data(args.data, files):
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        pairs = args.pairs or Path(scratch) / "pairs"
        rows = [row for size in args.sizes for row in one_size(files, size, args, pairs, Path(scratch))]
    with_peaks(rows)
    _pairs.write_json(args.out, {"rows": rows, "goals": GOALS, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = _options.of_sizes(__doc__, [1024, 2048, 4096, 8192, 16384], repeats=3)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=["plain", "selftest"])
    return parser.parse_args()


def one_size(
    files: list[Path], size: int, args: argparse.Namespace, pairs: Path, scratch: Path
) -> list[dict[str, Any]]:
    """All ways at one size, interleaved."""
    before, after = _scale_pair.make(files, size, pairs / str(size))
    spent: dict[str, list[_processes.Spent]] = {way: [] for way in ("io_limit", *args.ways)}
    for _ in range(args.repeats):
        for way, own in spent.items():
            with tempfile.TemporaryDirectory(dir=scratch) as name:
                own.append(_processes.measured(command(way, before, after, Path(name)), scratch / "log"))
    rows = []
    for way, own in spent.items():
        median = {k: float(np.median([asdict(one)[k] for one in own])) for k in asdict(own[0])}
        rows.append({"size": size, "way": way, **median})
        limit = rows[0]
        rows[-1] |= {f"{k}_ratio": median[f"{k}_s"] / limit[f"{k}_s"] for k in ("wall", "cpu")}
        rows[-1]["cpu_s_per_mpx"] = median["cpu_s"] / (size * size / 1e6)
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    return rows


def command(way: str, before: Path, after: Path, folder: Path) -> list[str]:
    """What is run."""
    if way == "io_limit":
        return [sys.executable, str(HERE / "_io_limit.py"), str(before), str(after), str(folder)]
    words = [sys.executable, "-m", "damagediff", "compare", str(before), str(after)]
    return [*words, "-o", str(folder / "run"), *WAYS[way]]


def with_peaks(rows: list[dict[str, Any]]) -> None:
    """Each peak over that at 4,096 px of the same way."""
    at_4k = {row["way"]: row["peak_mib"] for row in rows if row["size"] == 4096}
    for row in rows:
        if row["way"] in at_4k:
            row["peak_over_4096"] = row["peak_mib"] / at_4k[row["way"]]


if __name__ == "__main__":
    sys.exit(main())
