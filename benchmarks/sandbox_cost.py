"""What it costs to decode in child processes: the same reading of a pair with and without them, taking turns.

Reads as a comparison does: both files let in, read whole at a reduced size, then by tiles in two threads. The
pair is made here, so no data are needed. Children are never warm: those that rest are ended before each turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np

from damagediff import decoding, raster, synthetic
from damagediff.settings import ReadSettings
from damagediff.types import Source, Window

TILE, HALO = 1024, 32
KINDS = {"png": {}, "jpg": {"quality": 90}, "tif": {"compression": "tiff_deflate"}}


def pair(folder: Path, kind: str, side: int) -> list[Path]:
    """Two textured pictures of three bands."""
    from PIL import Image

    paths = []
    for k in range(2):
        rng = np.random.default_rng(k)
        grey = np.clip(synthetic.textured(rng, (side, side)), 0, 255)
        bands = np.stack([grey, grey * 0.9 + 10, grey * 0.8 + 20], -1).astype(np.uint8)
        paths.append(folder / f"{side}_{k}.{kind}")
        Image.fromarray(bands).save(paths[-1], **KINDS[kind])
    return paths


def read(paths: list[Path], side: int) -> float:
    """Seconds of reading both."""
    decoding.end_idle()
    began = time.perf_counter()
    windows = [
        Window(r, c, TILE, TILE).padded(HALO) for r in range(0, side, TILE) for c in range(0, side, TILE)
    ]
    images = [raster.inspect(Source(path), ReadSettings()) for path in paths]
    with (
        raster.Reader(images[0], ("red", "green", "blue")) as a,
        raster.Reader(images[1], ("red", "green", "blue")) as b,
        ThreadPoolExecutor(2) as pool,
    ):
        for reader in (a, b):
            reader.read_reduced(1536)
        list(pool.map(lambda window: (a.read(window), b.read(window)), windows))
    return time.perf_counter() - began


def measure(paths: list[Path], side: int, times: int) -> dict[str, float]:
    """Medians of both ways, and of their differences turn by turn."""
    child, here = [], []
    for _ in range(times):
        child.append(read(paths, side))
        with mock.patch.object(decoding, "IN_CHILD", False):
            here.append(read(paths, side))
    extra = [a / b - 1 for a, b in zip(child, here, strict=True)]
    return {
        "child_s": round(statistics.median(child), 3),
        "same_process_s": round(statistics.median(here), 3),
        "extra_share": round(statistics.median(extra), 3),
        "extra_of_the_fastest": round(min(child) / min(here) - 1, 3),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not used: the pair is made here")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 4096])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in given.sides:
            for kind in given.kinds:
                paths = pair(Path(folder), kind, side)
                read(paths, side)
                found[f"{kind} {side} px"] = measure(paths, side, given.times)
    found["sandbox"] = raster.sandbox()
    json.dump(found, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
