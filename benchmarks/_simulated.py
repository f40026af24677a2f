"""Simulated pairs: real texture in a quilt without repeats, and a known map between two looks at it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import _pairs
import cv2
import numpy as np
import rasterio
from affine import Affine
from PIL import Image as PillowImage
from rasterio.windows import Window as RasterWindow
from scipy import ndimage

from damagediff import tiles

SOURCES = ("joplin_mosaic", "xbd_*", "unosat_bentjbail", "turkey2023_*", "whu_*", "levir_test_13", "ge_*")
MIN_SOURCE_PX = 720
SEED = 20230206
BLOCK_PX = 1024
"""A multiple of 16, so that JPEG by blocks is JPEG of the whole."""
FEATHER_PX = 24
PNG_MAX_PX = 4096
GOALS = {"small": (0.05, 0.13, 0.4), "large": (0.03, 0.09, 0.25)}
"""Mean, 95 % and largest end-point error, px; large: from 4096 px."""
VARIANTS = {
    # degrees, shift px, log scale, shear, margin of the scene around the frame as a share of its side
    "georeferenced": (3.0, 40.0, 0.03, 0.008, 0.09),
    "plain": (5.0, 40.0, 0.05, 0.008, 0.13),
    "turned": (180.0, 40.0, 0.22, 0.008, 0.42),
}


@dataclass(frozen=True)
class Truth:
    """The exact map of BEFORE to AFTER."""

    before_from_after: np.ndarray
    """(3, 3), the part that is not smooth residual; acts on (row, col, 1)."""
    waves: np.ndarray
    """(2, K, 4) of each component of the residual: amplitude px, row and col frequency, phase."""

    def residual(self, rc: np.ndarray) -> np.ndarray:
        """(..., 2) px, at places of AFTER."""
        parts = [
            sum(a * np.sin(u * rc[..., 0] + v * rc[..., 1] + phase) for a, u, v, phase in component)
            for component in self.waves
        ]
        return np.stack(parts, -1)

    def before_at(self, rc: np.ndarray) -> np.ndarray:
        """(..., 2) places of AFTER to places of BEFORE."""
        m = self.before_from_after
        return rc @ m[:2, :2].T + m[:2, 2] + self.residual(rc)

    def after_at(self, rc: np.ndarray) -> np.ndarray:
        """(..., 2) places of BEFORE to places of AFTER, by fixed point: the residual is nearly flat."""
        m = np.linalg.inv(self.before_from_after)
        found = rc @ m[:2, :2].T + m[:2, 2]
        for _ in range(30):
            found = (rc - self.residual(found)) @ m[:2, :2].T + m[:2, 2]
        return found


@dataclass(frozen=True)
class Look:
    """How AFTER differs from the scene, apart from geometry."""

    changed_share: float
    gain: np.ndarray
    gamma: float
    slope: np.ndarray
    """Illumination falls or rises by this much from edge to edge, rows and cols."""
    noise: float
    quality: int


def texture(path: Path) -> np.ndarray:
    """Pixels that simulated ground is made of."""
    return _pairs.pixels(path)[0]


def draw_truth(rng: np.random.Generator, size: int, variant: str) -> Truth:
    """A displacement: turn, scale, shear and shift about the middle, and smooth waves."""
    degrees, shift_px, log_scale, shear_by, _ = VARIANTS[variant]
    angle, scale = math.radians(rng.uniform(-degrees, degrees)), math.exp(rng.uniform(-log_scale, log_scale))
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    shear = np.array([[1, rng.uniform(-shear_by, shear_by)], [0, 1 + rng.uniform(-shear_by, shear_by)]])
    linear = np.array([[c, -s], [s, c]]) @ shear
    middle = np.full(2, (size - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - linear @ middle + rng.uniform(-shift_px, shift_px, 2)
    return Truth(matrix, draw_waves(rng, size))


def draw_waves(rng: np.random.Generator, size: int, count: int = 3, most_px: float = 1.5) -> np.ndarray:
    """Smooth local displacement: for each axis `count` waves of amplitude, two frequencies and phase."""
    direction, length = rng.uniform(0, 2 * np.pi, (2, count)), rng.uniform(0.5, 1.2, (2, count)) * size
    waves = np.stack(
        [
            rng.uniform(0.5, 1, (2, count)),
            2 * np.pi * np.cos(direction) / length,
            2 * np.pi * np.sin(direction) / length,
            rng.uniform(0, 2 * np.pi, (2, count)),
        ],
        -1,
    )
    at = _pairs.lattice((size, size), 65)
    largest = np.abs(Truth(np.eye(3), waves).residual(at)).max(0)
    waves[..., 0] *= (most_px / largest)[:, None]
    return waves


def draw_look(rng: np.random.Generator) -> Look:
    """How the after image differs: share changed, light, noise, compression."""
    return Look(
        changed_share=math.exp(rng.uniform(math.log(0.02), math.log(0.3))),
        gain=rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3),
        gamma=math.exp(rng.uniform(-0.3, 0.3)),
        slope=rng.uniform(-0.2, 0.2, 2),
        noise=rng.uniform(1.5, 4),
        quality=int(rng.integers(75, 93)),
    )


def make_pair(
    sources: list[np.ndarray],
    size: int,
    variant: str,
    how: tuple[Truth, Look],
    rng: np.random.Generator,
    folder: Path,
) -> tuple[Path, Path, float]:
    """Write both files. Returns their paths and the share that was replaced."""
    truth, look = how
    margin = int(VARIANTS[variant][4] * size) + 72
    scene = quilt(rng, sources, size + 2 * margin)
    patches, changed = draw_patches(rng, size, look.changed_share)
    seed = int(rng.integers(2**31))
    kind = ".tif" if variant == "georeferenced" else ".png"
    before, after = folder / f"before{kind}", folder / f"after{kind}"

    def before_block(window: tiles.Window) -> np.ndarray:
        data = scene[tiles.Window(window.row + margin, window.col + margin, *window[2:]).slices]
        return worn(data.astype(np.float32), 1.5, 92, [seed, 0, window.row, window.col])

    def after_block(window: tiles.Window) -> np.ndarray:
        data = pulled(scene, margin, truth, window)
        for row, col, side, patch_seed in patches:
            overlay(data, window, (row, col), (sources, side, patch_seed))
        return worn(
            lit(data, window, size, look), look.noise, look.quality, [seed, 1, window.row, window.col]
        )

    write(before, size, before_block)
    write(after, size, after_block)
    return before, after, changed


def quilt(rng: np.random.Generator, sources: list[np.ndarray], side: int) -> np.ndarray:
    """(side, side, 3) uint8 of patches with feathered seams; see the top of this file."""
    scene = np.zeros((side, side, 3), np.uint8)
    edges = breaks(rng, side)
    strip = np.zeros((0, side, 3), np.float32)
    for top, bottom in zip(edges[:-1], edges[1:], strict=True):
        carried = strip[-2 * FEATHER_PX :]
        strip = quilt_strip(rng, sources, bottom - top + 2 * FEATHER_PX, side)
        strip[: len(carried)] += carried
        first, last = max(top - FEATHER_PX, 0), min(bottom - FEATHER_PX, side)
        at = first - (top - FEATHER_PX)
        scene[first:last] = np.clip(np.round(strip[at : at + last - first]), 0, 255)
    return scene


def breaks(rng: np.random.Generator, side: int) -> list[int]:
    """Edges of strips from left of 0 to right of `side`."""
    edges = [-int(rng.integers(FEATHER_PX, 200))]
    while edges[-1] < side + FEATHER_PX:
        edges.append(edges[-1] + int(rng.integers(240, 381)))
    return edges


def quilt_strip(rng: np.random.Generator, sources: list[np.ndarray], height: int, side: int) -> np.ndarray:
    """One row of patches, (height, side, 3), weighted so that strips that overlap add up to one."""
    strip = np.zeros((height, side, 3), np.float32)
    edges = breaks(rng, side)
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        width = right - left + 2 * FEATHER_PX
        patch = cut(rng, sources, max(height, width))[:height, :width]
        patch = patch * ramp(width)[:, None]
        first, last = max(left - FEATHER_PX, 0), min(right + FEATHER_PX, side)
        if last > first:
            at = first - (left - FEATHER_PX)
            strip[:, first:last] += patch[:, at : at + last - first]
    return strip * ramp(height)[:, None, None]


def ramp(length: int) -> np.ndarray:
    """Weight across a patch: 1 inside, a cosine flank at both ends that its neighbour's adds up to 1 with."""
    flank = (0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * FEATHER_PX) + 0.5) / (2 * FEATHER_PX))).astype(
        np.float32
    )
    weight = np.ones(length, np.float32)
    weight[: 2 * FEATHER_PX] = flank
    weight[-2 * FEATHER_PX :] = flank[::-1]
    return weight


def cut(rng: np.random.Generator, sources: list[np.ndarray], side: int) -> np.ndarray:
    """A square out of a random picture at a random place, angle and scale; not black, not flat."""
    area = np.array([s.shape[0] * s.shape[1] for s in sources], float)
    for _ in range(40):
        source = sources[int(rng.choice(len(sources), p=area / area.sum()))]
        angle, scale = rng.uniform(0, 2 * np.pi), math.exp(rng.uniform(math.log(0.85), math.log(1.2)))
        reach = side / math.sqrt(2) / scale + 3
        if 2 * reach >= min(source.shape[:2]):
            continue
        middle = [rng.uniform(reach, n - reach) for n in source.shape[1::-1]]
        flip = 1 if rng.random() < 0.5 else -1
        c, s = math.cos(angle) / scale, math.sin(angle) / scale
        turn = np.array([[c, -s * flip], [s, c * flip]])
        offset = np.array(middle) - turn @ np.full(2, (side - 1) / 2)
        matrix = np.column_stack([turn, offset])
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        patch = cv2.warpAffine(source, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
        if (patch.max(2) < 3).mean() < 0.002 and patch.mean(2).std() > 8:
            break
    return patch


def draw_patches(
    rng: np.random.Generator, size: int, share: float
) -> tuple[list[tuple[int, int, int, int]], float]:
    """Row, col, side and seed of ellipses and rectangles of other content, and the share they cover."""
    covered = np.zeros((-(-size // 8), -(-size // 8)), bool)
    patches = []
    while covered.mean() < share:
        largest = min(380, int(size * math.sqrt(share) * 0.7) + 40)
        side = int(rng.integers(40, largest + 1))
        row, col = (int(v) for v in rng.integers(-side // 2, size - side // 2, 2))
        patches.append((row, col, side, int(rng.integers(2**31))))
        mask = patch_mask(side, patches[-1][3])[::8, ::8] > 0.5
        at_row, at_col = row // 8, col // 8
        r0, c0 = max(at_row, 0), max(at_col, 0)
        here = covered[r0 : at_row + mask.shape[0], c0 : at_col + mask.shape[1]]
        here |= mask[r0 - at_row :, c0 - at_col :][: here.shape[0], : here.shape[1]]
    return patches, float(covered.mean())


def patch_mask(side: int, seed: int) -> np.ndarray:
    """0..1: a soft-edged rectangle or ellipse, at any angle."""
    rng = np.random.default_rng(seed)
    angle, ratio, round_one = rng.uniform(0, np.pi), rng.uniform(0.45, 1), rng.random() < 0.5
    row, col = np.mgrid[:side, :side] - (side - 1) / 2
    u = row * math.cos(angle) + col * math.sin(angle)
    v = (col * math.cos(angle) - row * math.sin(angle)) / ratio
    half = side / 2 - 2 if round_one else side / 2 / math.sqrt(2) - 2
    distance = np.hypot(u, v) if round_one else np.maximum(np.abs(u), np.abs(v))
    return np.clip((half - distance) / 2 + 0.5, 0, 1).astype(np.float32)


def overlay(
    data: np.ndarray,
    window: tiles.Window,
    at: tuple[int, int],
    patch_of: tuple[list[np.ndarray], int, int],
) -> None:
    """Put one patch of other content into a block of AFTER, in place."""
    sources, side, seed = patch_of
    row, col = at[0] - window.row, at[1] - window.col
    r0, r1, c0, c1 = max(row, 0), min(row + side, window.rows), max(col, 0), min(col + side, window.cols)
    if r1 <= r0 or c1 <= c0:
        return
    inner = (slice(r0 - row, r1 - row), slice(c0 - col, c1 - col))
    weight = patch_mask(side, seed)[inner][..., None]
    patch = cut(np.random.default_rng([seed, 1]), sources, side)[inner]
    data[r0:r1, c0:c1] += weight * (patch - data[r0:r1, c0:c1])


def pulled(scene: np.ndarray, margin: int, truth: Truth, window: tiles.Window) -> np.ndarray:
    """(rows, cols, 3) of the scene at the places that a block of AFTER shows; cubic splines."""
    rc = np.stack(np.mgrid[: window.rows, : window.cols], -1) + np.array([window.row, window.col], float)
    at = truth.before_at(rc) + margin
    low = np.maximum(np.floor(at.min((0, 1))).astype(int) - 24, 0)
    high = np.minimum(np.ceil(at.max((0, 1))).astype(int) + 25, scene.shape[0])
    if (at.min((0, 1)) < 0).any() or (at.max((0, 1)) > scene.shape[0] - 1).any():
        raise RuntimeError("the margin of the scene is too narrow for its map")
    part = scene[low[0] : high[0], low[1] : high[1]].astype(np.float32)
    at = np.moveaxis(at - low, -1, 0)
    bands = [
        ndimage.map_coordinates(
            ndimage.spline_filter(part[..., k], 3, output=np.float32, mode="mirror"),
            at,
            order=3,
            mode="mirror",
            prefilter=False,
        )
        for k in range(3)
    ]
    return np.stack(bands, -1)


def lit(data: np.ndarray, window: tiles.Window, size: int, look: Look) -> np.ndarray:
    """Gain, gamma and a gradient of illumination."""
    rows, cols = (
        (np.arange(n) + first) / size - 0.5
        for first, n in ((window.row, window.rows), (window.col, window.cols))
    )
    light = 1 + look.slope[0] * rows[:, None] + look.slope[1] * cols
    toned = 255 * np.power(np.clip(data, 0, 255) / 255, look.gamma)
    return (toned * (light[..., None] * look.gain)).astype(np.float32)


def worn(data: np.ndarray, noise: float, quality: int, seed: list[int]) -> np.ndarray:
    """uint8 after noise and a JPEG round trip."""
    noisy = data + np.random.default_rng(seed).normal(0, noise, data.shape).astype(np.float32)
    packed = io.BytesIO()
    PillowImage.fromarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8)).save(
        packed, "JPEG", quality=quality
    )
    return np.asarray(PillowImage.open(packed))


def write(path: Path, size: int, block: Callable[[tiles.Window], np.ndarray]) -> None:
    """All blocks of a picture, made on all cores, as GeoTIFF (.5 m, UTM) or PNG."""
    windows = tiles.plan((size, size), BLOCK_PX)
    with ThreadPoolExecutor(tiles.available_cores()) as executor:
        blocks = tiles.map_ordered(block, windows, executor, ahead=2 * tiles.available_cores())
        if path.suffix == ".png":
            whole = np.zeros((size, size, 3), np.uint8)
            for window, data in zip(windows, blocks, strict=True):
                whole[window.slices] = data
            _pairs.write_png(path, whole)
            return
        profile = {
            "driver": "GTiff",
            "width": size,
            "height": size,
            "count": 3,
            "dtype": "uint8",
            "crs": "EPSG:32637",
            "transform": Affine(0.5, 0, 250_000, 0, -0.5, 4_050_000),
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "photometric": "RGB",
        }
        with rasterio.open(path, "w", **profile) as out:
            for window, data in zip(windows, blocks, strict=True):
                out.write(
                    data.transpose(2, 0, 1),
                    window=RasterWindow(window.col, window.row, window.cols, window.rows),
                )
