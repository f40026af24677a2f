"""What does the tool say of labelled buildings, and do its p-values mean what they say?

python benchmarks/building_classes.py --data DIR [--displace 8] [--no-fit] [--out FILE.json]

The labelled buildings of DIR (``xbd_*``, ``joplin_mosaic``) go through the pipeline as footprints. Given
are, for each class of damage, the share in each class of the tool, and the share of undamaged buildings
whose p-value lies below .01, .05, .1 and .2, which is what it should be. `--displace` moves the footprints
off their place by so many pixels down and left, `--no-fit` takes them where they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import _buildings
import _pairs
import numpy as np
from damage_buildings import INTACT, auc
from rasterio.errors import NotGeoreferencedWarning

from damagediff import grid, pipeline, raster, settings, types, wording

Called = tuple[int, float, str, float | None]
"""Class of damage, score, class of the tool, p-value."""


def main() -> int:
    """Run, print a table, write JSON."""
    args = arguments()
    pairs = [p for p in (*sorted(args.data.glob("xbd_*")), args.data / "joplin_mosaic") if p.is_dir()]
    if not _pairs.need_data(args.data, pairs):
        return 2
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    found = {pair.name: run(pair, args.displace, not args.no_fit) for pair in pairs}
    tables = {"xbd": table([b for name, called in found.items() if name.startswith("xbd_") for b in called])}
    tables |= {name: table(called) for name, called in found.items() if called}
    for name, figures in tables.items():
        print(f"{name}: " + ", ".join(f"{k} {v}" for k, v in figures.items()), flush=True)
    files = [_pairs.file_of(pair, when) for pair in pairs for when in ("before", "after")]
    _pairs.write_json(args.out, {"classes": tables, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--displace", type=float, default=0.0, help="px down and left, on the footprints")
    parser.add_argument("--no-fit", action="store_true", help="take footprints where they are")
    return parser.parse_args()


def run(pair: Path, displace: float, fit: bool) -> list[Called]:
    """What the tool says of each building of one pair; empty when the alignment is refused."""
    sources = [types.Source(_pairs.file_of(pair, when)) for when in ("before", "after")]
    asked = settings.from_dict({"buildings": {"fit": fit}})
    with tempfile.TemporaryDirectory() as name:
        before = raster.inspect(sources[0], asked.read)
        on = grid.common_grid(before, before)
        shift = np.array([displace, -displace])
        given = [(kind, _buildings.moved(o, shift)) for kind, o in _buildings.drawn(pair, on)]
        path = _buildings.write(Path(name) / "given.geojson", given, on)
        found = pipeline.compare(types.Case(*sources, footprints=path), asked, Path(name))
    asked_of = [b for b in found.buildings if b.score is not None]
    return [(b.properties["class"], float(b.score or 0), b.label, b.p_value) for b in asked_of]


def table(called: list[Called]) -> dict[str, Any]:
    """Shares of the tool's classes by class of damage; how often p-values of undamaged buildings are low."""
    shares: dict[str, Any] = {"auc": auc(np.array([(k, 0, v) for k, v, *_ in called]).reshape(-1, 3))}
    for kind in _buildings.CLASSES:
        labels = [label for k, _, label, _ in called if k == kind]
        for label in (wording.VISIBLE, wording.POSSIBLE, wording.NO_CHANGE):
            if labels:
                shares[f"{kind}: {label}"] = round(labels.count(label) / len(labels), 3)
        shares[f"{kind}: n"] = len(labels)
    chance = np.array([p for k, _, _, p in called if k == INTACT and p is not None])
    levels = (0.01, 0.05, 0.1, 0.2) if len(chance) else ()
    return shares | {f"intact with p <= {x}": round(float((chance <= x).mean()), 3) for x in levels}


if __name__ == "__main__":
    sys.exit(main())
