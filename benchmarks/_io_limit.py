"""The least that any comparison must do: both rasters read by windows, the same rasters written.

python benchmarks/_io_limit.py BEFORE AFTER FOLDER

Two threads; the outputs of a run in size and type (before, after: 3 bands of 8 bits; score: float32; mask: 8
bits), tiled, not compressed, without overviews.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

TILE_PX, THREADS, CACHE_MB = 1024, 2, 64
KINDS = {"before": (3, "uint8"), "after": (3, "uint8"), "score": (1, "float32"), "mask": (1, "uint8")}


def main() -> None:
    """Command line."""
    before, after, folder = (Path(text) for text in sys.argv[1:4])
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), rasterio.open(before) as first:
        profile = {"driver": "GTiff", "width": first.width, "height": first.height, "tiled": True}
        profile |= {"blockxsize": 512, "blockysize": 512, "crs": first.crs, "transform": first.transform}
        outputs = {
            name: rasterio.open(folder / f"{name}.tif", "w", count=n, dtype=dtype, **profile)
            for name, (n, dtype) in KINDS.items()
        }
        here, lock = threading.local(), threading.Lock()

        def one(window: Window) -> None:
            if not hasattr(here, "both"):
                here.both = rasterio.open(before), rasterio.open(after)
            pictures = [raster.read(window=window) for raster in here.both]
            score = pictures[0][:1].astype(np.float32)
            with lock:
                for out, data in zip(outputs.values(), (*pictures, score, pictures[1][:1]), strict=True):
                    out.write(data, window=window)

        windows = [
            Window(col, row, min(TILE_PX, first.width - col), min(TILE_PX, first.height - row))
            for row in range(0, first.height, TILE_PX)
            for col in range(0, first.width, TILE_PX)
        ]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, windows))
        for out in outputs.values():
            out.close()


if __name__ == "__main__":
    main()
