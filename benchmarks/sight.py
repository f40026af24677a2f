"""Which pictures look clouded or saturated, and which regions are flagged for what a picture may not show?

python benchmarks/sight.py --data DIR [--out FILE.json]

Every folder of DIR with a before and an after image runs through the whole pipeline; radar pairs (``sar_*``)
and refused ones are left out. There is no truth: the figures are held against what is seen in the pictures
(docs/method.md). Known to hold cloud or haze: ``xbd_guatemala-volcano_00000004`` in both images and
``xbd_mexico-earthquake_00000181`` in the after image.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import _pairs
import _runs

from damagediff import json_text
from damagediff.errors import DamagediffError

FLAGS = ("cloud or haze?", "glint or water?", "ploughed field?", "saturated")


def main() -> int:
    """Run, print a line a pair, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    pairs = [p.parent for p in sorted(args.data.glob("*/before.*")) if not p.parent.name.startswith("sar_")]
    if not _pairs.need_data(args.data, pairs):
        return 2
    found = {}
    for pair in pairs:
        figures = measure(pair)
        if figures is not None:
            found[pair.name] = figures
            print(pair.name, figures, flush=True)
    files = [_pairs.file_of(pair, when) for pair in pairs for when in ("before", "after")]
    _pairs.write_json(args.out, {"pairs": found, **_pairs.about(files)})
    return 0


def measure(pair: Path) -> dict[str, Any] | None:
    """Shares of both pictures and flags of the regions; None when nothing is compared."""
    try:
        run = _runs.compare(_pairs.file_of(pair, "before"), _pairs.file_of(pair, "after"))
    except DamagediffError as error:
        print(f"{pair.name}: {error}")
        return None
    if run is None or run.found.change is None:
        return None
    told: dict[str, Any] = json_text.fields(run.found.change.sight)
    for tier in ("structural", "other"):
        regions = [region for region in run.found.regions if region.tier == tier]
        flags = Counter(flag for region in regions for flag in region.flags if flag in FLAGS)
        told[tier] = {"regions": len(regions), **flags}
    return told


if __name__ == "__main__":
    sys.exit(main())
