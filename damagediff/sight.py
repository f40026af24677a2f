"""What may keep one of two pictures from showing the ground: cloud, haze, water, glint, saturation, furrows.

Nothing here hides anything: every answer is a doubt on a region, and a share of the scene that is told. A
mask of cloud that takes a destroyed street for one would be worse than none (docs/method.md).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from . import bands, cells
from .cells import CELL, Maps, Measures
from .outcome import Sight
from .types import BoolArray, ByteArray, FloatArray

NEAR_CELLS = 5
"""Side of the neighbourhood of 20 px in which something must be dark if the air is clear."""
CLOUD_RISE_GREY = 25.0
"""Grey levels by which the darkest of a neighbourhood must be brighter than in the other picture."""
CLOUD_CHROMA = (0.15, 0.2)
"""Most colour, (max - min) / max of the bands, of cloud that stands out, and of what hangs with it."""
CLOUD_SMOOTH = (0.7, 0.8)
"""The same for the gradient, as a multiple of the picture's median."""
CLOUD_DIMMED = 0.7
"""Gradient left under cloud, of what the other picture has, each relative to its own median: bright ground
that was cleared or built on has no less."""
CLOUD_LEAST_CELLS = (11, 7)
"""Diameter of 44 px below which bright smooth things are roofs; of 28 px for what hangs together with one."""
CLOUD_KNOWN = 0.1
"""Share of such a patch that must stand out by itself: fields and squares that touch a cloud do not count."""
SMOOTH = 0.4
"""Gradient of water, as a multiple of the picture's median."""
BLUISH = 1.2
"""Blue over red from which something green is deep water, not plants."""
NOT_KNOWN = 255
"""In place of a count of full pixels: what the file's type can hold says nothing about the sensor."""
SATURATED_GREY = 254
"""Of 255: bicubic resampling takes a level from what was full."""
FURROWS_SIGMA_CELLS = 6.0
FURROWS_SHARE = 0.3
"""Share of edges along one line, sigma 24 px, from which ground is furrowed ..."""
FURROWS_BUILT = 0.1
"""... unless this share beyond what one line explains lies on two perpendicular lines, in either picture."""


EDGES = ("edges_before", "edges_after")
NEAR = NEAR_CELLS // 2


@dataclass(frozen=True)
class Usual:
    """What is usual in a pair: the scale on which its cells are bright, smooth or green."""

    detail: tuple[float, float]
    """Median gradient of the surroundings, before and after."""
    dark_grey: float
    """Median of the darkest nearby in either picture."""
    cast: cells.Casts


def usual(measures: Maps) -> Usual:
    """Gathered from the whole scene, once for all questions."""
    before, after = (cells.median(_gathered_detail(measures, name)) for name in EDGES)
    dark = cells.gathered(measures, ["darkest"], NEAR, lambda m: _dark(m).min(0))
    return Usual((before, after), cells.median(dark), cells.casts(measures))


def _gathered_detail(measures: Maps, name: str) -> FloatArray:
    """(N,) mean gradient of the surroundings of the valid cells in one picture."""
    return cells.gathered(measures, [name], NEAR, lambda m: _surroundings(m, name))


def cloud(measures: Maps, scale: Usual) -> tuple[BoolArray, BoolArray]:
    """Cells over which cloud or haze is likely in the before, and in the after image; nothing without colour.

    The darkest channel nearby, which is near black on clear ground [1]_, is bright where it was dark in the
    other picture, *and* the place is white, smooth, dimmer in its detail than in the other picture, and wider
    than roofs. What is bright, white and smooth beside it and hangs together with it is cloud as well, also
    where the other picture is clouded. A haze that lies evenly over all of a picture is not found: a picture
    stretched for print looks the same.

    References
    ----------
    .. [1] He, Sun and Tang, "Single image haze removal using dark channel prior", IEEE Trans. Pattern Anal.
           Mach. Intell. 33(12), 2011. :DOI:`10.1109/TPAMI.2010.168`
    """
    if not _coloured(measures) or not measures.valid.any():
        nothing = np.zeros(measures.shape, bool)
        return nothing, nothing

    def found(m: Measures) -> BoolArray:
        dark, chroma, detail = _dark(m), _chroma(m), _detail(m, scale)
        both = (
            _seeds(m.valid, (dark, chroma[0], detail), scale),
            _seeds(m.valid, (dark[::-1], chroma[1], detail[::-1]), scale),
        )
        return np.stack(both)

    names, halo = [*EDGES, "colours", "darkest"], NEAR + CLOUD_LEAST_CELLS[0]
    seeds = cells.computed(measures, names, halo, found)
    before, after = (_grown(*one) for one in seeds)
    return before, after


def _coloured(measures: Maps) -> bool:
    parts = (measures.rows(*band.outer, ["colours"]) for band in bands.of(measures.shape))
    return any(bool(part.colours.any()) for part in parts)


def _seeds(valid: BoolArray, maps: tuple[FloatArray, FloatArray, FloatArray], scale: Usual) -> BoolArray:
    """(2, rows, cols) what is cloud by itself in the first of two pictures, and what is if it touches that.

    `maps`: `_dark`, that picture's `_chroma`, and `_detail`; the first and last of both, that picture first.
    """
    dark, chroma, detail = maps

    def bright_and_plain(over: FloatArray, level: int) -> BoolArray:
        found = (dark[0] - over > CLOUD_RISE_GREY) & (chroma < CLOUD_CHROMA[level])
        return found & (detail[0] < CLOUD_SMOOTH[level]) & valid

    certain = bright_and_plain(dark[1], 0) & (detail[0] < CLOUD_DIMMED * detail[1])
    certain = _wide(certain, CLOUD_LEAST_CELLS[0])
    patch = bright_and_plain(np.minimum(dark[1], scale.dark_grey), 1)
    return np.stack([certain, certain | _wide(patch, CLOUD_LEAST_CELLS[1])])


def _grown(certain: BoolArray, patch: BoolArray) -> BoolArray:
    """What is certain, and the patches of which enough is."""
    labels, count = cells.components(patch)
    known = cells.component_means(labels, count, cells.in_bands(certain)) >= CLOUD_KNOWN
    known[0] = False
    return cells.look_up(known, labels) | certain


def _wide(found: BoolArray, diameter_cells: int) -> BoolArray:
    """What a disc of that diameter fits into."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter_cells, diameter_cells))
    return np.asarray(cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0)


def _dark(measures: Measures) -> FloatArray:
    """(2, rows, cols) the darkest band of the darkest pixel within 20 px, grey levels."""
    near = np.ones((NEAR_CELLS, NEAR_CELLS), np.uint8)
    seen = np.where(measures.valid, measures.darkest, np.uint8(255))
    return np.stack([cv2.erode(x, near) for x in seen]).astype(np.float32)


def _chroma(measures: Measures) -> FloatArray:
    """(2, rows, cols) colour of the surroundings, 0 grey to 1."""
    found = []
    for colours in measures.colours:
        mean = np.stack([_mean(band.astype(np.float32)) for band in colours])
        found.append((mean.max(0) - mean.min(0)) / np.maximum(mean.max(0), np.float32(CELL**2)))
    return np.stack(found)


def _surroundings(measures: Measures, name: str) -> FloatArray:
    """(rows, cols) mean gradient of the surroundings in one picture."""
    weight = np.maximum(_mean(measures.valid.astype(np.float32)), np.float32(1e-3))
    return np.asarray(_mean(getattr(measures, name)[0].astype(np.float32) * measures.valid) / weight)


def _detail(measures: Measures, scale: Usual) -> FloatArray:
    """(2, rows, cols) mean gradient of the surroundings over the median of its picture; 1 without that."""
    found = []
    for name, middle in zip(EDGES, scale.detail, strict=True):
        detail = _surroundings(measures, name)
        found.append(detail / np.float32(middle) if middle > 0 else np.ones_like(detail))
    return np.stack(found)


def _mean(x: FloatArray) -> FloatArray:
    return np.asarray(cv2.blur(x, (NEAR_CELLS, NEAR_CELLS)))


def water(measures: Maps, clouds: tuple[BoolArray, BoolArray], scale: Usual) -> BoolArray:
    """Cells that are smooth and not green in one picture at least: water, glint, mud, bare ground.

    Outside of `clouds`, as `cloud` finds them. Colour does not tell these apart. Deep
    water is green for its excess, but bluer than it is red.
    """

    def plain(m: Measures) -> BoolArray:
        red, blue = (m.colours[:, k].astype(np.float32) for k in (0, 2))
        green = np.stack(cells.vegetation(m, scale.cast)) & (blue <= BLUISH * red)
        return (_detail(m, scale) < SMOOTH) & ~green & m.valid

    found = cells.computed(measures, [*EDGES, "colours", "green"], NEAR, plain)
    return (found[0] & ~clouds[0]) | (found[1] & ~clouds[1])


def furrows(measures: Maps, scale: Usual) -> BoolArray:
    """Cells in a wide texture of parallel lines in one picture, with nothing built in either."""

    def found(m: Measures) -> BoolArray:
        lined, built = np.zeros(m.shape, bool), np.zeros(m.shape, bool)
        edges, along = (m.edges_before, m.edges_after), (m.lines[:2], m.lines[2:])
        for cross, line, detail in zip(edges, along, _detail(m, scale), strict=True):
            parallel = cells.coherence(np.stack([cross[0], *line]), FURROWS_SIGMA_CELLS)
            lined |= (parallel > FURROWS_SHARE) & (detail >= SMOOTH)
            # Lines that scatter around one direction keep the fourth power of that share at twice the angle.
            built |= cells.coherence(cross, FURROWS_SIGMA_CELLS) - parallel**4 >= FURROWS_BUILT
        return np.asarray(lined & ~built & m.valid)

    return cells.computed(measures, [*EDGES, "lines"], cells.reach(FURROWS_SIGMA_CELLS), found)


def saturated(measures: Maps) -> BoolArray:
    """(2, rows, cols) cells of which half the pixels are full in all bands; False where that is not known."""
    if "full" not in measures.known:
        return np.zeros((2, *measures.shape), bool)

    def found(m: Measures) -> BoolArray:
        assert m.full is not None
        return np.asarray((m.full >= CELL * CELL // 2) & (m.full != NOT_KNOWN) & m.valid)

    return cells.computed(measures, ["full"], 0, found)


def full_pixels(
    pictures: tuple[FloatArray, FloatArray], dtypes: tuple[str, str], shape: tuple[int, int]
) -> ByteArray | None:
    """(2, *shape) pixels of each cell, 0 to 16, at the top of what 8 bits can hold, in all bands.

    Parameters
    ----------
    pictures : two of (bands, rows, cols)
        Before and after, as read.
    dtypes : two of str
        Of the files. What other types than 8 bits can hold says nothing about the sensor: `NOT_KNOWN` in all
        cells of that picture; None where both are such.
    shape : (rows, cols)
        Cells to fill; what lies beyond the pixels counts nothing.
    """
    if "uint8" not in dtypes:
        return None
    return np.stack(
        [
            _full(bands, shape) if dtype == "uint8" else np.full(shape, NOT_KNOWN, np.uint8)
            for bands, dtype in zip(pictures, dtypes, strict=True)
        ]
    )


def _full(bands: FloatArray, shape: tuple[int, int]) -> ByteArray:
    full = (functools.reduce(np.minimum, bands) >= SATURATED_GREY).astype(np.uint8)
    short = [(0, n * CELL - have) for n, have in zip(shape, full.shape, strict=True)]
    whole = np.pad(full, short)
    rows = functools.reduce(np.add, (whole[k::CELL] for k in range(CELL)))
    return np.asarray(functools.reduce(np.add, (rows[:, k::CELL] for k in range(CELL))))


def shares(measures: Maps) -> Sight:
    """How much of what could be measured each picture may not show."""
    looked = max(int(measures.valid.sum()), 1)

    def share(found: BoolArray) -> float:
        return float(found.sum() / looked)

    clouds = [share(x) for x in cloud(measures, usual(measures))] if _coloured(measures) else [None, None]
    white: list[float | None] = [None, None]
    if "full" in measures.known:
        parts = [measures.rows(*band.outer, ["full"]).full for band in bands.of(measures.shape)]
        known = [
            any(bool((part[k] != NOT_KNOWN).any()) for part in parts if part is not None) for k in (0, 1)
        ]
        white = [share(x) if told else None for x, told in zip(saturated(measures), known, strict=True)]
    return Sight(*clouds, *white)
