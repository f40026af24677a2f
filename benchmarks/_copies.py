"""Copies of one picture, edited and re-compressed in many ways, made from real pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

Edit = Callable[[np.ndarray, "Around"], np.ndarray]
"""(rows, cols, 3) uint8 to the same, of perhaps another size."""


@dataclass(frozen=True)
class Around:
    """What an edit draws on."""

    rng: np.random.Generator
    donor: np.ndarray
    """(rows, cols, 3) uint8, another place: what is pasted."""


@dataclass(frozen=True)
class Kind:
    """One way to make a copy."""

    name: str
    edits: tuple[Edit, ...]
    quality: int | None = None
    """Of the JPEG that the copy is kept as; None: PNG."""


def resized(share: float, kernel: int) -> Edit:
    """Sides changed by a share."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        rows, cols = data.shape[:2]
        return cv2.resize(data, (round(cols * share), round(rows * share)), interpolation=kernel)

    return edit


def cropped(share: float) -> Edit:
    """A part with this share of each side, at a random place."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        rows, cols = (int(n * share) for n in data.shape[:2])
        row, col = (
            int(around.rng.integers(0, n - m + 1)) for n, m in zip(data.shape[:2], (rows, cols), strict=True)
        )
        return data[row : row + rows, col : col + cols]

    return edit


def toned(gain: float, offset: float, gamma: float) -> Edit:
    """Brightness, contrast and gamma, a little different for each band."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        bands = []
        for band in np.moveaxis(data, -1, 0):
            slope = gain * around.rng.uniform(0.97, 1.03)
            bands.append(255 * (band / 255.0) ** gamma * slope + offset)
        return np.clip(np.rint(np.stack(bands, -1)), 0, 255).astype(np.uint8)

    return edit


def cloned(count: int, share: float) -> Edit:
    """Patches, each of this share of the picture, copied to other places inside it."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        made = data.copy()
        for _ in range(count):
            size = _patch(data.shape, share, around.rng)
            taken = _place(data.shape, size, around.rng)
            made[_place(data.shape, size, around.rng)] = data[taken]
        return made

    return edit


def pasted(share: float) -> Edit:
    """One patch of another place, of this share of the picture."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        made = data.copy()
        size = _patch(data.shape, share, around.rng)
        donor = around.donor
        grow = max(1.0, size[0] / donor.shape[0], size[1] / donor.shape[1])
        if grow > 1:
            rows, cols = (int(np.ceil(n * grow)) for n in donor.shape[:2])
            donor = cv2.resize(donor, (cols, rows), interpolation=cv2.INTER_CUBIC)
        made[_place(data.shape, size, around.rng)] = donor[_place(donor.shape, size, around.rng)]
        return made

    return edit


def mirrored(axis: int) -> Edit:
    """The mirror image."""
    return lambda data, around: np.flip(data, axis)


def repeated(share: float, axis: int | None = None) -> Edit:
    """The part on the left, this share of the picture, again at the right edge; mirrored along an axis."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        made = data.copy()
        cols = int(data.shape[1] * share)
        part = data[:, :cols]
        made[:, data.shape[1] - cols :] = part if axis is None else np.flip(part, axis)
        return made

    return edit


def blurred(sigma_px: float) -> Edit:
    """A Gaussian blur."""
    return lambda data, around: cv2.GaussianBlur(data, (0, 0), sigma_px)


def sharpened(amount: float) -> Edit:
    """An unsharp mask of 1.5 px."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        return cv2.addWeighted(data, 1 + amount, cv2.GaussianBlur(data, (0, 0), 1.5), -amount, 0)

    return edit


def noisy(levels: float) -> Edit:
    """Independent noise of this standard deviation."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        return np.clip(np.rint(data + around.rng.normal(0, levels, data.shape)), 0, 255).astype(np.uint8)

    return edit


def shaded(levels: float) -> Edit:
    """A smooth gradient of light over the picture, as of a filter."""

    def edit(data: np.ndarray, around: Around) -> np.ndarray:
        rows, cols = data.shape[:2]
        ramp = np.add.outer(np.linspace(-levels, levels, rows), np.linspace(levels, -levels, cols)) / 2
        return np.clip(np.rint(data + ramp[..., None]), 0, 255).astype(np.uint8)

    return edit


def _patch(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns of a patch that takes this share of the picture, of any aspect."""
    stretch = rng.uniform(0.7, 1.4)
    rows, cols = (int(n * np.sqrt(share) * k) for n, k in zip(shape[:2], (stretch, 1 / stretch), strict=True))
    return max(8, min(rows, shape[0])), max(8, min(cols, shape[1]))


def _place(shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator) -> tuple[slice, slice]:
    """Where a patch of this size may lie in the picture."""
    row, col = (int(rng.integers(0, n - m + 1)) for n, m in zip(shape[:2], size, strict=True))
    return slice(row, row + size[0]), slice(col, col + size[1])


KINDS = (
    Kind("JPEG 95", (), 95),
    Kind("JPEG 75", (), 75),
    Kind("JPEG 50", (), 50),
    Kind("JPEG 30", (), 30),
    Kind("brighter", (toned(1.1, 12, 0.85),)),
    Kind("darker, JPEG 80", (toned(0.75, -5, 1.2),), 80),
    Kind("resized 97 %", (resized(0.97, cv2.INTER_AREA),)),
    Kind("resized 104 %, JPEG 85", (resized(1.04, cv2.INTER_CUBIC),), 85),
    Kind("resized 93 %, JPEG 60", (resized(0.93, cv2.INTER_LINEAR),), 60),
    Kind("cropped", (cropped(0.75),)),
    Kind("cropped, JPEG 60", (cropped(0.75),), 60),
    Kind("cloned patches", (cloned(5, 0.01),)),
    Kind("cloned patches, JPEG 70", (cloned(5, 0.02),), 70),
    Kind("pasted 10 %", (pasted(0.1),)),
    Kind("pasted 30 %, JPEG 75", (pasted(0.3),), 75),
    Kind(
        "resized, pasted, brighter, JPEG 60",
        (pasted(0.15), resized(1.03, cv2.INTER_CUBIC), toned(1.1, 8, 0.9)),
        60,
    ),
    Kind(
        "resized, cloned, darker, JPEG 40",
        (cloned(4, 0.02), resized(0.96, cv2.INTER_AREA), toned(0.8, 0, 1.1)),
        40,
    ),
    Kind("cropped, pasted 30 %, JPEG 40", (cropped(0.85), pasted(0.3)), 40),
)
"""What issue and users ask for: every copy among these should be named."""
BEYOND = (
    Kind("blurred 0.8 px", (blurred(0.8),), 90),
    Kind("blurred 1.5 px", (blurred(1.5),), 90),
    Kind("sharpened", (sharpened(1.0),), 90),
    Kind("noise 5 levels", (noisy(5),)),
    Kind("shaded 40 levels", (shaded(40),), 90),
    Kind("half as large", (resized(0.5, cv2.INTER_AREA),), 85),
    Kind("JPEG 15", (), 15),
)
"""Stronger edits, to see where naming ends."""


MIRRORED = (
    Kind("mirrored, JPEG 85", (mirrored(1),), 85),
    Kind("upside down mirrored", (mirrored(0),)),
)
REPEATED = (
    Kind("half repeated, JPEG 85", (repeated(0.5),), 85),
    Kind("quarter repeated, JPEG 60", (repeated(0.25),), 60),
    Kind("half repeated mirrored, JPEG 85", (repeated(0.5, 1),), 85),
)
"""One picture that holds a part of itself twice, against the other date."""


def write(kind: Kind, data: np.ndarray, around: Around, path: Path) -> Path:
    """One copy as a file; the suffix of `path` is set by the kind."""
    for edit in kind.edits:
        data = edit(data, around)
    path = path.with_suffix(".png" if kind.quality is None else ".jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PillowImage.fromarray(np.ascontiguousarray(data))
    if kind.quality is None:
        picture.save(path, compress_level=1)
    else:
        picture.save(path, quality=kind.quality)
    return path
