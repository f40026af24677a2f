"""How long until help is shown, and until a small pair is a finished report?

python benchmarks/startup.py --data DIR [--side 1000] [--repeats 7] [--out FILE.json]

Each command runs in a process of its own, in turn with the others; figures are medians. ``help``: `damagediff
--help`, against ``click``: `python -c "import click"`. ``run``: `damagediff compare --no-selftest` of a pair
of 1,000 px, texture from DIR, from the paths to the finished folder, against ``figure``: importing the
libraries that a run needs, and drawing one empty figure as PNG. Processor time says more than wall clock on a
busy machine. Needs Linux.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import _options
import _pairs
import _processes
import _scale_pair
import numpy as np

FIGURE = (
    "import io, affine, click, cv2, jinja2, numpy, PIL.Image, pydantic, pyproj, rasterio, "
    "reportlab.platypus, scipy.ndimage, scipy.optimize, scipy.fft, shapely, matplotlib.figure; "
    "matplotlib.figure.Figure().savefig(io.BytesIO(), format='png')"
)
GOALS = {"help": ("click", 3.0), "run": ("figure", 6.0)}
"""What against what, and at most how many times as long."""


def main() -> int:
    """Run, print, write JSON."""
    args = _options.of_one_size(__doc__, side_px=1000, repeats=7)
    files = _scale_pair.source_files(args.data)
    if not _pairs.need_data(args.data, files):
        return 2
    with tempfile.TemporaryDirectory() as name:
        figures = measured(_scale_pair.make(files, args.side, Path(name)), args.repeats, Path(name))
    for what, (against, most) in GOALS.items():
        ratios = {kind: figures[what][kind] / figures[against][kind] for kind in ("wall_s", "cpu_s")}
        figures[what] |= {f"{kind}_ratio": ratio for kind, ratio in ratios.items()}
        print(f"{what} against {against}: {ratios['cpu_s']:.1f} times its processor time, ", end="")
        print(f"{ratios['wall_s']:.1f} times its wall clock; goal {most:g}")
    _pairs.write_json(args.out, {"figures": figures, "goals": GOALS, **_pairs.about(files)})
    return 0


def measured(pair: tuple[Path, Path], repeats: int, scratch: Path) -> dict[str, dict[str, Any]]:
    """Median seconds of each command; all run in every round, after one round that is not counted."""
    tool = [sys.executable, "-m", "damagediff"]
    taken: dict[str, list[_processes.Spent]] = {"click": [], "help": [], "figure": [], "run": []}
    for turn in range(repeats + 1):
        run = scratch / f"run{turn}"
        commands = {
            "click": [sys.executable, "-c", "import click"],
            "help": [*tool, "--help"],
            "figure": [sys.executable, "-c", FIGURE],
            "run": [*tool, "compare", *map(str, pair), "-o", str(run), "--no-selftest"],
        }
        for name, command in commands.items():
            taken[name].append(_processes.measured(command, scratch / "log"))
    return {
        name: {
            kind: float(np.median([getattr(one, kind) for one in own[1:]])) for kind in ("wall_s", "cpu_s")
        }
        for name, own in taken.items()
    }


if __name__ == "__main__":
    sys.exit(main())
