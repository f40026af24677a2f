"""Known change planted into any image, with the values, the sharpness and the noise of that image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from .relief_cells import clouds
from .types import BoolArray, FloatArray

Kind = Literal["rubble", "roof loss", "crater", "burn", "repaint", "shadow"]
"""What `plant` can plant; repaint and shadow are harmless controls."""


MAX_PALETTE = 2048
"""Pixels of the palette: more give no other colours, only more to blur."""
MAX_CONTEXT = 64
"""Rows and columns of the surroundings that are looked at for colours: of larger ones every n-th."""


@dataclass(frozen=True)
class Likeness:
    """Sharpness and noise of an image, which what is planted must share."""

    blur_px: float
    noise: FloatArray
    """(bands,) standard deviation."""


@dataclass(frozen=True)
class _Neighbourhood:
    """What a planted object must share with its surroundings."""

    palette: FloatArray
    """(N, bands) pixel values of little colour, from dark to bright."""
    blur_px: float
    noise: FloatArray
    """(bands,) standard deviation."""


def plant(
    kind: Kind,
    image: npt.NDArray[np.generic],
    place_rc: tuple[float, float],
    size_px: float,
    rng: np.random.Generator,
    like: Likeness | None = None,
) -> tuple[npt.NDArray[np.generic], BoolArray]:
    """Put a known change into an image, with the values, the sharpness and the noise of that image.

    Colours are drawn from the image's own pixels around the place, so any number of bands and any unit
    will do; the pattern is drawn finer than the pixels and blurred until neighbouring pixels are as alike
    as they are around it (structure function at 1 and 2 px); noise is that of the flattest blocks [1]_.

    Parameters
    ----------
    kind : str
        ``rubble`` (broken slabs, ragged), ``roof loss`` (rooms without a roof), ``crater`` (bowl and
        ejecta), ``burn``; harmless controls: ``repaint`` (texture kept, colour moved), ``shadow``.
    image : ndarray, shape (bands, rows, cols)
        Any numeric dtype; NaN stays NaN. Not modified.
    place_rc : tuple of float
        Centre of the object.
    size_px : float
        Its diameter or longer side, >= 2.
    rng : numpy.random.Generator
        The same state, the same object.
    like : Likeness, optional
        Measured before, where many objects are planted into one image; by default around the place.

    Returns
    -------
    image : ndarray
        A changed copy, of the same dtype; integers rounded and clipped to their range.
    planted : ndarray of bool, shape (rows, cols)
        Where the object covers at least half of a pixel.

    Notes
    -----
    Rubble has no stated ground size: its pieces are 1 to 6 px. Hidden structure under a planted object
    does not cast its shadow any longer, but shadows of neighbours on it are not kept either.

    References
    ----------
    .. [1] Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2),
       1996. :DOI:`10.1006/cviu.1996.0060`
    """
    bands = np.asarray(image)
    out, planted = bands.copy(), np.zeros(bands.shape[1:], np.bool_)
    around = _cut_out(bands.shape[1:], place_rc, max(4 * size_px, 128))
    here = _cut_out(bands.shape[1:], place_rc, 0.8 * size_px + 6)
    context = bands[(slice(None), *around)].astype(np.float64)
    if not np.isfinite(context).all(0).sum() > 50:
        return out, planted
    around_it = _neighbourhood(context, likeness(context) if like is None else like)
    local = bands[(slice(None), *here)].astype(np.float64)
    rows, cols = np.indices(local.shape[1:], np.float64)
    offset = np.stack([rows + here[0].start - place_rc[0], cols + here[1].start - place_rc[1]])
    pattern, cover = _PATTERNS[kind](_Spot(local, offset, size_px, around_it, rng))
    soft = cv2.GaussianBlur(cover.astype(np.float64), (0, 0), around_it.blur_px)
    mixed = local * (1 - soft) + pattern * soft
    out[(slice(None), *here)] = _as(mixed, bands.dtype)
    planted[here] = soft >= 0.5
    return out, planted


def _as(values: FloatArray, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return np.clip(np.round(values), limits.min, limits.max).astype(kind)
    return values.astype(kind)


def _cut_out(shape: tuple[int, ...], place_rc: tuple[float, float], reach: float) -> tuple[slice, slice]:
    low = [min(max(0, math.floor(p - reach)), n - 1) for p, n in zip(place_rc, shape, strict=True)]
    high = [
        max(min(n, math.ceil(p + reach) + 1), lo + 1) for p, n, lo in zip(place_rc, shape, low, strict=True)
    ]
    return slice(low[0], high[0]), slice(low[1], high[1])


def likeness(image: npt.NDArray[np.generic]) -> Likeness:
    """Sharpness and noise of an image, or of a part of it.

    Parameters
    ----------
    image : ndarray, shape (bands, rows, cols)
        NaN where not valid; at least 16 px a side.
    """
    bands = np.asarray(image, np.float64)
    filled = np.where(np.isfinite(bands), bands, np.nanmedian(bands))
    noise = np.array([_noise_of(band) for band in filled])
    return Likeness(_blur_like(filled.mean(0), float(noise.mean()) / math.sqrt(len(noise))), noise)


def _neighbourhood(context: FloatArray, like: Likeness) -> _Neighbourhood:
    """Palette around a place, and the sharpness and noise given."""
    step = [-(-n // MAX_CONTEXT) for n in context.shape[1:]]
    thinned = context[:, :: step[0], :: step[1]]
    pixels = thinned[:, np.isfinite(thinned).all(0)].T
    grey = pixels.mean(1)
    strength = (pixels.max(1) - pixels.min(1)) / (np.abs(grey) + 1e-9)
    pale = pixels[strength <= np.quantile(strength, 0.5)]
    palette = pale[np.argsort(pale.mean(1), kind="stable")]
    return _Neighbourhood(palette[:: -(-len(palette) // MAX_PALETTE)], like.blur_px, like.noise)


def _noise_of(band: FloatArray) -> float:
    """Noise of the flattest tenth of 8 px blocks."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64) / 6
    rough = np.abs(cv2.filter2D(band, -1, kernel, borderType=cv2.BORDER_REFLECT))
    return float(np.quantile(cv2.blur(rough, (8, 8))[4::8, 4::8], 0.1)) * math.sqrt(math.pi / 2)


def _likeness(grey: FloatArray, noise: float) -> float:
    """Structure function at 1 px over that at 2 px, without noise: 0.25 very smooth, 1 unrelated pixels."""
    one, two = (
        float(np.mean((grey[k:] - grey[:-k]) ** 2) + np.mean((grey[:, k:] - grey[:, :-k]) ** 2))
        - 4 * noise**2
        for k in (1, 2)
    )
    return max(one, 0.0) / max(two, 1e-12)


def _blur_like(grey: FloatArray, noise: float) -> float:
    """Blur in px that makes a broken-slab pattern as smooth from pixel to pixel as the image around."""
    wanted = _likeness(grey, noise)
    sample = _slabs((96, 96), np.ones((96, 96)), np.random.default_rng(0))
    steps = np.arange(0.3, 2.3, 0.1)
    found = [abs(_likeness(np.asarray(cv2.GaussianBlur(sample, (0, 0), s)), 0.0) - wanted) for s in steps]
    return float(steps[int(np.argmin(found))])


def _slabs(shape: tuple[int, int], cover: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Ranks 0..1 of brightness of broken pieces over each other, each 1 to 6 px, with dark gaps."""
    fine = 3
    base = np.clip(0.72 + 0.12 * clouds(rng, shape, 5, 2), 0, 1)
    tone = np.repeat(np.repeat(base, fine, 0), fine, 1).astype(np.float32)
    places = np.argwhere(cover > 0.3)
    if not len(places):
        return cv2.resize(tone, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    count = max(3, int(len(places) * 0.35))
    centres = (places[rng.choice(len(places), count)] + rng.uniform(-0.5, 0.5, (count, 2))) * fine
    rings = _pieces(centres, fine, rng)
    dark = rng.random(count) < 0.14
    ranks = np.where(dark, rng.uniform(0.02, 0.3, count), 1 - 0.55 * rng.beta(1.1, 1.9, count))
    edges = np.round((rings[:, :2] + 0.4 * fine) * 16).astype(np.int32)
    rings = np.round(rings * 16).astype(np.int32)
    for ring, edge, rank in zip(rings, edges, ranks.tolist(), strict=True):
        cv2.fillConvexPoly(tone, ring, rank, shift=4)
        cv2.polylines(tone, [edge], False, 0.12, 1, shift=4)  # the shadow that a raised edge throws
    return cv2.resize(tone, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)


def _pieces(centres: FloatArray, fine: int, rng: np.random.Generator) -> FloatArray:
    """(N, 4, 2) corners (x, y) of turned rectangles around (N, 2) centres (row, col), 1 to 6 px long."""
    count = len(centres)
    long = np.clip(rng.lognormal(0.65, 0.5, count), 1.0, 6.0) * fine / 2
    across = long * rng.uniform(0.25, 0.9, count)
    turn = rng.uniform(0, math.pi, count)
    along = np.stack([np.cos(turn), np.sin(turn)], -1) * long[:, None]
    aside = np.stack([-np.sin(turn), np.cos(turn)], -1) * across[:, None]
    corners = [-along + aside, -along - aside, along - aside, along + aside]
    return np.asarray(np.stack(corners, 1) + centres[:, None, ::-1])


def _paint(rank: FloatArray, like: _Neighbourhood, rng: np.random.Generator) -> FloatArray:
    """(bands, rows, cols) values of the palette at ranks 0..1, blurred and noisy as the image is."""
    wander = 0.02 * clouds(rng, rank.shape, 3)
    at = np.clip((np.clip(rank, 0, 1) + wander) * (len(like.palette) - 1), 0, len(like.palette) - 1)
    grey = like.palette.mean(1)
    near = cv2.blur(
        like.palette, (1, max(3, len(grey) // 40))
    )  # colours wander along the ranks, not from px to px
    painted = np.stack(
        [cv2.GaussianBlur(b, (0, 0), like.blur_px) for b in np.moveaxis(near[at.astype(int)], -1, 0)]
    )
    return painted + like.noise[:, None, None] * rng.standard_normal(painted.shape)


@dataclass(frozen=True)
class _Spot:
    """The place where something is planted."""

    local: FloatArray
    """(bands, rows, cols) pixels there."""
    offset: FloatArray
    """(2, rows, cols) distance from the centre in px, downwards and to the right."""
    size_px: float
    like: _Neighbourhood
    rng: np.random.Generator

    def wander(self, cell_px: float, octaves: int = 1) -> FloatArray:
        """Random texture over the spot."""
        return clouds(self.rng, self.local.shape[1:], cell_px, octaves)

    def ragged(self, wild: float) -> FloatArray:
        """Distance from the centre in radii, with a random outline."""
        radius = np.hypot(*self.offset) / (self.size_px / 2)
        return np.asarray(radius * (1 + wild * self.wander(max(self.size_px / 3, 2), 3)))

    def blob(self, wild: float) -> FloatArray:
        """Cover 0..1 of a disc with a random outline."""
        return np.clip((1 - self.ragged(wild)) * self.size_px / 2 + 0.5, 0, 1)

    def rectangle(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cover 0..1 of a turned rectangle, and coordinates -1..1 along and across it."""
        t, half = self.rng.uniform(0, math.pi), self.size_px / 2
        u = (self.offset[0] * math.sin(t) + self.offset[1] * math.cos(t)) / half
        across = half * self.rng.uniform(0.6, 0.95)
        v = (self.offset[0] * math.cos(t) - self.offset[1] * math.sin(t)) / across
        return np.clip(0.5 - (np.maximum(np.abs(u), np.abs(v)) - 1) * half, 0, 1), u, v


def _rubble(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    cover = spot.blob(0.15)
    return _paint(_slabs(cover.shape, cover, spot.rng), spot.like, spot.rng), cover


def _roof_loss(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    """Rooms from above: floors of several tones between brighter walls, with litter."""
    rng, size = spot.rng, spot.size_px
    cover, u, v = spot.rectangle()
    cuts = [np.sort(rng.uniform(-0.9, 0.9, max(1, round(size / rng.uniform(11, 20))))) for _ in "uv"]
    room = np.digitize(u, cuts[0]) * 31 + np.digitize(v, cuts[1])
    floors = rng.uniform(0.15, 0.75, 31 * 31)[np.clip(room, 0, 960)] + 0.1 * spot.wander(4, 2)
    steps = (np.diff(room, axis=0, prepend=room[:1]) != 0) | (np.diff(room, axis=1, prepend=room[:, :1]) != 0)
    wall = steps | (np.maximum(np.abs(u), np.abs(v)) > 1 - 2.5 / size)
    rank = np.where(wall, rng.uniform(0.8, 0.97), floors)
    litter = np.clip(spot.wander(6, 2), 0, 1)
    return _paint(rank * (1 - litter) + _slabs(cover.shape, cover, rng) * litter, spot.like, rng), cover


def _crater(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    """A bowl of half the diameter, dark and lit from one side, and bright ejecta in rays."""
    rng = spot.rng
    radius = spot.ragged(0.07)
    bowl, theta = radius / 0.5, np.arctan2(*spot.offset)
    lit = np.cos(theta - rng.uniform(0, 2 * math.pi)) * np.minimum(bowl, 1)
    rays = np.sum([rng.normal() * np.cos(k * theta + rng.uniform(0, 6)) for k in range(3, 12)], axis=0) / 4
    rank = np.where(bowl < 1, 0.18 + 0.28 * lit, 0.8 + 0.08 * spot.wander(2))
    thrown = np.clip((1.0 + 0.25 * rays - radius) / 0.3, 0, 1)
    return _paint(rank, spot.like, rng), np.where(bowl < 1, 1.0, thrown)


def _burn(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    cover = spot.blob(0.22)
    dark = spot.like.palette[len(spot.like.palette) // 50][:, None, None]
    patchy = np.clip(0.22 + 0.12 * spot.wander(5, 2), 0.05, 0.7)
    return dark + patchy * (spot.local - dark), cover


def _repaint(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    """Another colour of the palette, texture kept."""
    cover = spot.rectangle()[0]
    old = np.nanmean(spot.local[:, cover > 0.5], axis=1)
    far = np.argsort(np.abs(spot.like.palette.mean(1) - old.mean()), kind="stable")
    new = spot.like.palette[spot.rng.choice(far[-max(1, len(far) // 4) :])]
    tint = spot.rng.uniform(0.9, 1.1, len(new))
    return spot.local + (new * tint - old)[:, None, None], cover


def _shade(spot: _Spot) -> tuple[FloatArray, FloatArray]:
    dark = spot.like.palette[len(spot.like.palette) // 100][:, None, None]
    return dark + 0.4 * (spot.local - dark), spot.rectangle()[0]


_PATTERNS: dict[str, Callable[[_Spot], tuple[FloatArray, FloatArray]]] = {
    "rubble": _rubble, "roof loss": _roof_loss, "crater": _crater, "burn": _burn, "repaint": _repaint,
    "shadow": _shade,
}  # fmt: skip
