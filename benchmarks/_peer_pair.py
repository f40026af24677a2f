"""Simulated pairs with a known displacement and known change, for us and for others alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import _pairs
import _scale_pair
import _simulated as simulated
import numpy as np
import rasterio
import vs_arosics
from PIL import Image as PillowImage

MOVED, STILL = "moved", "still"
"""With a displacement that AROSICS can be given as its search range; and with none."""
SOFT = 0.02, 0.98
"""Weights of other content between which a place is neither changed nor unchanged."""


@dataclass(frozen=True)
class Known:
    """One pair, and what is so at each point of its lattice."""

    kind: str
    pair: vs_arosics.SimulatedPair
    changed: np.ndarray
    """(N,) bool: the after image shows other content there."""
    counts: np.ndarray
    """(N,) bool: it is told; not at soft edges, nor outside the after image."""

    @property
    def size_px(self) -> int:
        """Its side."""
        return int(self.pair.said["size_px"])


def make(files: list[Path], size: int, kind: str, folder: Path) -> Known:
    """Write ``before.tif``, ``after.tif`` and ``lattice.npy``, or take those of an earlier call."""
    rng = np.random.default_rng([simulated.SEED, size, 1])
    truth = vs_arosics.motion(size, rng) if kind == MOVED else simulated.Truth(np.eye(3), np.zeros((2, 1, 4)))
    before, after = _scale_pair.make(files, size, folder, truth)
    ticks = np.arange(0, size, vs_arosics.LATTICE_PX)
    lattice = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2).astype(np.float64)
    np.save(folder / "lattice.npy", lattice)
    at, edge = truth.after_at(lattice), vs_arosics.EDGE_PX
    inside = _pairs.inside(at - edge, (size - 2 * edge, size - 2 * edge))
    pair = vs_arosics.SimulatedPair(before, after, lattice, at - lattice, inside, {"size_px": size})
    weight = other_content(at, np.load(folder / _scale_pair.PATCHES))
    told = inside & ((weight <= SOFT[0]) | (weight >= SOFT[1]))
    return Known(kind, pair, weight >= SOFT[1], told)


def other_content(at: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """(N,) 0..1, how much other content the after image shows at (N, 2) places of its own."""
    weight, near = np.zeros(len(at), np.float32), np.rint(at).astype(int)
    for row, col, side, seed in patches:
        there = near - (row, col)
        here = np.flatnonzero(((there >= 0) & (there < side)).all(1))
        mask = simulated.patch_mask(int(side), int(seed))
        weight[here] = np.maximum(weight[here], mask[tuple(there[here].T)])
    return weight


def as_png(known: Known) -> tuple[Path, Path]:
    """The same two pictures as PNG beside them, for programs that read no GeoTIFF by tiles."""
    paths = []
    for path in (known.pair.before, known.pair.after):
        png = path.with_suffix(".png")
        if not png.exists():
            with rasterio.open(path) as dataset:
                picture = dataset.read().transpose(1, 2, 0)
            PillowImage.fromarray(picture).save(png, compress_level=1)
        paths.append(png)
    return paths[0], paths[1]
