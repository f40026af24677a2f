"""Invented ground with invented graphics, as arrays to train on.

python training/make_patches.py --out DIR [--grounds 3500] [--times 4] [--seed 11]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import invented_graphics
import invented_ground
import numpy as np

SIDE_PX = 160


def main() -> None:
    """Write pictures.npy (n, side, side, 3) and truth.npy (n, side, side)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the arrays")
    parser.add_argument("--grounds", type=int, default=3500, help="grounds to invent")
    parser.add_argument("--times", type=int, default=4, help="times that graphics are laid over each")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(args.seed)
    fields, count = invented_ground.grains(rng), args.grounds * args.times
    args.out.mkdir(parents=True, exist_ok=True)
    shape = (count, SIDE_PX, SIDE_PX)
    pictures = np.lib.format.open_memmap(args.out / "pictures.npy", "w+", np.uint8, (*shape, 3))
    truth = np.lib.format.open_memmap(args.out / "truth.npy", "w+", np.uint8, shape)
    for k in range(args.grounds):
        ground = invented_ground.ground(SIDE_PX, fields, rng)
        for again in range(args.times):
            at = k + again * args.grounds
            pictures[at], truth[at] = invented_graphics.laid(ground, rng)


if __name__ == "__main__":
    main()
