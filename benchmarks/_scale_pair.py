"""A georeferenced pair of any size, which a run accepts and finds change in: to be timed, not judged."""

from __future__ import annotations

from pathlib import Path

import _pairs
import cv2
import numpy as np
from _simulated import (
    MIN_SOURCE_PX,
    SEED,
    SOURCES,
    VARIANTS,
    Look,
    Truth,
    draw_patches,
    draw_truth,
    lit,
    overlay,
    pulled,
    quilt,
    texture,
    worn,
    write,
)

from damagediff import tiles

PATCHES = "patches.npy"
"""In the folder of a pair: row, col, side and seed of each piece of other content, as `patch_mask` has it."""
CHANGED = 0.03
"""Share of AFTER that shows other content."""
LOOK = Look(CHANGED, np.array([1.08, 1.0, 0.95]), 1.1, np.array([0.05, -0.05]), noise=2.5, quality=90)
GRAIN_LEVELS, GRAIN_PX = 6.0, 1.6
"""Ripples that are AFTER's own, as those of another day are: without them both are copies of one picture."""


def source_files(data: Path) -> list[Path]:
    """Pictures that give the texture."""
    found = [p for pattern in SOURCES for p in sorted(data.glob(pattern)) if p.is_dir()]
    return [_pairs.file_of(p, when) for p in found for when in ("before", "after")]


def make(files: list[Path], size: int, folder: Path, truth: Truth | None = None) -> tuple[Path, Path]:
    """Write ``before.tif`` and ``after.tif``, (3, size, size) uint8, .5 m, their georeferences apart.

    `truth` is how they lie; drawn when it is not given. What is there already, from an earlier call, is left.
    """
    before, after = folder / "before.tif", folder / "after.tif"
    if (folder / "made").exists():
        return before, after
    folder.mkdir(parents=True, exist_ok=True)
    sources = [s for s in map(texture, files) if min(s.shape[:2]) >= MIN_SOURCE_PX]
    rng = np.random.default_rng([SEED, size])
    lies = draw_truth(rng, size, "georeferenced") if truth is None else truth
    margin = int(VARIANTS["georeferenced"][4] * size) + 72
    scene = quilt(rng, sources, size + 2 * margin)
    patches, _ = draw_patches(rng, size, CHANGED)

    def first(window: tiles.Window) -> np.ndarray:
        data = scene[window._replace(row=window.row + margin, col=window.col + margin).slices]
        return worn(data.astype(np.float32), 1.5, 92, [SEED, 0, window.row, window.col])

    def second(window: tiles.Window) -> np.ndarray:
        data = pulled(scene, margin, lies, window)
        for row, col, side, seed in patches:
            overlay(data, window, (row, col), (sources, side, seed))
        seed = [SEED, 1, window.row, window.col]
        return worn(lit(data + grain(data.shape[:2], seed)[..., None], window, size, LOOK), 2.5, 90, seed)

    write(before, size, first)
    write(after, size, second)
    np.save(folder / PATCHES, np.array(patches))
    (folder / "made").touch()
    return before, after


def grain(shape: tuple[int, int], seed: list[int]) -> np.ndarray:
    """(rows, cols) float32 of smooth noise."""
    white = np.random.default_rng([*seed, 1]).standard_normal(shape, np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), GRAIN_PX)
    return smooth * np.float32(GRAIN_LEVELS / smooth.std())
