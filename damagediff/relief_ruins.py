"""What an event leaves: heaps of broken slabs, craters, burnt ground, loose pieces."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .relief_cells import BURN, COLLAPSED, CRATER, DEBRIS, Local, Surface, cells_rc, clouds, fixed_xy
from .town_layout import Building, Colour, Scar
from .types import BoolArray, FloatArray

_DUST: Colour = (0.40, 0.36, 0.305)
_RUBBLE: tuple[Colour, ...] = (
    (0.46, 0.43, 0.38), (0.39, 0.36, 0.32), (0.55, 0.52, 0.47), (0.34, 0.24, 0.18), (0.31, 0.27, 0.215),
    (0.19, 0.175, 0.155), (0.43, 0.375, 0.31), (0.60, 0.57, 0.52), (0.36, 0.33, 0.285),
)  # fmt: skip


def collapse(flat: Surface, view: Local, b: Building, gone: BoolArray) -> None:
    """A heap of broken slabs where walls and roof were, spilling over the outline; stubs of walls."""
    rng = np.random.default_rng(b.seed + 3)
    away = cv2.distanceTransform((~gone).astype(np.uint8), cv2.DIST_L2, 5) * flat.cell_m
    reach = (0.8 + 0.25 * b.height_m) * (1 + 0.35 * clouds(rng, view.shape, 4 / flat.cell_m, 2))
    heap = np.clip(1 - away / np.maximum(reach, 0.3), 0, 1)
    heap[gone] = 1
    bulk = 0.22 * b.height_m * (0.7 + 0.35 * clouds(rng, view.shape, 5 / flat.cell_m, 3)) * heap
    height = np.where(heap > 0, np.maximum(bulk, 0.05), 0).astype(np.float32)
    dusty = np.clip(heap * 1.3, 0, 0.93)[..., None].astype(np.float32)
    dust = (
        np.array(_DUST, np.float32) * np.exp(0.18 * clouds(rng, view.shape, 1.2 / flat.cell_m, 2))[..., None]
    )
    colour = view.of(flat.albedo) * (1 - dusty) + dusty * dust
    rc = np.argwhere(heap > 0.08)
    weight = heap[tuple(rc.T)] ** 0.7
    count = int(weight.sum() * flat.cell_m**2 * 3.2)
    chosen = rng.choice(len(rc), count, p=weight / weight.sum())
    tones = np.array([*_RUBBLE, b.colour, b.colour])
    for at in rc[chosen]:
        side = float(np.clip(rng.lognormal(-0.55, 0.70), 0.3, 4.5))
        tone = tones[rng.integers(len(tones))] * rng.uniform(0.75, 1.2)
        _slab((height, colour), rng, (at, side / flat.cell_m, side), tone)
    _stubs(height, colour, gone, rng)
    height[:] = cv2.GaussianBlur(height, (0, 0), 0.6)  # grit fills the steps between pieces
    changed = heap > 0.25
    keep = (heap > 0) & ((view.of(flat.owner) == 0) | gone)
    view.of(flat.height_m)[keep] = height[keep]
    view.of(flat.albedo)[keep] = colour[keep]
    view.of(flat.leaf)[keep & (heap > 0.5)] = 0
    view.of(flat.truth)[changed & keep] = COLLAPSED


def _slab(
    layers: tuple[FloatArray, FloatArray],
    rng: np.random.Generator,
    what: tuple[FloatArray, float, float],
    tone: FloatArray,
) -> None:
    """One broken piece lying tilted on the heap: what = centre (row, col), side in cells, side in metres."""
    height, colour = layers
    centre, side, side_m = what
    t = rng.uniform(0, math.pi)
    half = np.array([side, side * rng.uniform(0.25, 0.9)]) / 2
    ring = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half * rng.uniform(0.6, 1.15, (4, 2))
    turn = np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
    rc = ring @ turn.T + centre
    low = np.maximum(np.floor(rc.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(rc.max(0)).astype(int) + 1, height.shape)
    if (high <= low).any():
        return
    part = np.zeros(tuple(high - low), np.uint8)
    cv2.fillPoly(part, [fixed_xy(rc - low)], 1.0, lineType=cv2.LINE_8, shift=4)
    on = part > 0
    dr, dc = np.indices(part.shape)
    tilt = rng.normal(0, 0.22, 2) * min(side_m, 2.0) / max(side, 1)
    lift = rng.uniform(0.02, 0.25) + 0.08 * side_m
    place = (slice(low[0], high[0]), slice(low[1], high[1]))
    top = height[place] + lift + (dr - dr.mean()) * tilt[0] + (dc - dc.mean()) * tilt[1]
    height[place][on] = np.maximum(top, 0.02)[on]
    colour[place][on] = tone


def _stubs(height: FloatArray, colour: FloatArray, gone: BoolArray, rng: np.random.Generator) -> None:
    """Pieces of outer wall that still stand, one to three metres high."""
    inner = cv2.erode(gone.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    rim = gone & ~inner
    stands = rim & (clouds(rng, gone.shape, 14, 2) > rng.uniform(0.5, 1.3))
    height[stands] = np.clip(1.6 + 0.9 * clouds(rng, gone.shape, 5), 0.8, 3.2)[stands]
    colour[stands] = (0.38, 0.35, 0.31)


def _dig_crater(flat: Surface, scar: Scar) -> None:
    """A bowl with a rim, dark inside, with fresh soil thrown out in rays."""
    rng = np.random.default_rng(scar.seed)
    centre = cells_rc(flat, np.array(scar.centre_rc_m))
    view = Local(flat, centre[None], 3.2 * scar.radius_m / flat.cell_m)
    if view.empty:
        return
    u, v = view.along(centre, 0)
    wobble = 1 + 0.10 * clouds(rng, view.shape, 4 / flat.cell_m, 3)
    r = np.hypot(u, v) * flat.cell_m / scar.radius_m * wobble
    theta = np.arctan2(v, u)
    rays = sum(rng.normal() * np.cos(k * theta + rng.uniform(0, 6)) for k in range(2, 14)) / 3
    thrown = np.clip(1.25 * np.exp(-((np.maximum(r - 1, 0) / (0.65 + 0.28 * rays)) ** 2)), 0, 1) * (r > 0.9)
    speck = clouds(rng, view.shape, 0.8 / flat.cell_m, 2)
    thrown = np.clip(thrown * (0.8 + 0.3 * speck), 0, 1)[..., None].astype(np.float32)
    soil = np.array([0.30, 0.235, 0.165], np.float32) * np.exp(0.22 * speck)[..., None]
    inside = np.clip((1.02 - r) / 0.12, 0, 1)[..., None].astype(np.float32)
    dark = (
        np.array([0.135, 0.10, 0.075], np.float32)
        * np.exp(0.25 * speck + 0.5 * (np.minimum(r, 1) ** 2))[..., None]
    )
    albedo = view.of(flat.albedo)
    albedo[...] = (albedo * (1 - thrown) + soil * thrown) * (1 - inside) + dark * inside
    bowl = np.where(
        r < 1, -0.45 * scar.radius_m * (1 - r**2), 0.16 * scar.radius_m * np.exp(-(((r - 1) / 0.22) ** 2))
    )
    view.of(flat.height_m)[...] += bowl + 0.12 * np.maximum(speck, 0) * thrown[..., 0]
    view.of(flat.leaf)[(thrown[..., 0] > 0.4) | (r < 1)] = 0
    view.of(flat.truth)[(r < 1.15) | (thrown[..., 0] > 0.5)] = CRATER


def _burn(flat: Surface, scar: Scar) -> None:
    """Blackened ground with an irregular edge, grey ash inside, some tufts left."""
    rng = np.random.default_rng(scar.seed)
    centre = cells_rc(flat, np.array(scar.centre_rc_m))
    view = Local(flat, centre[None], 1.7 * scar.radius_m / flat.cell_m)
    if view.empty:
        return
    u, v = view.along(centre, float(rng.uniform(0, 180)))
    r = np.hypot(u, v * 1.35) * flat.cell_m / scar.radius_m
    edge = 0.95 - r + 0.17 * clouds(rng, view.shape, 0.8 * scar.radius_m / flat.cell_m, 5)
    burnt = np.clip(edge / 0.07, 0, 1) * np.clip(
        0.93 + 0.15 * clouds(rng, view.shape, 2 / flat.cell_m, 3), 0.2, 1
    )
    ash = np.clip(clouds(rng, view.shape, 4 / flat.cell_m, 4) - 0.9, 0, 1)
    black = (
        np.array([0.045, 0.041, 0.038], np.float32)
        * np.exp(0.3 * clouds(rng, view.shape, 1.2 / flat.cell_m, 2))[..., None]
    )
    black += ash[..., None] * np.array([0.16, 0.155, 0.15], np.float32)
    free = (view.of(flat.owner) == 0)[..., None]
    share = (burnt[..., None] * free).astype(np.float32)
    albedo = view.of(flat.albedo)
    albedo[...] = albedo * (1 - share) + black * share
    view.of(flat.leaf)[burnt > 0.5] = 0
    view.of(flat.truth)[burnt > 0.5] = BURN


def _strew(flat: Surface, scar: Scar) -> None:
    """Loose pieces, dense in the middle and thinning outwards; truth is where they lie close."""
    rng = np.random.default_rng(scar.seed)
    centre = cells_rc(flat, np.array(scar.centre_rc_m))
    view = Local(flat, centre[None], 1.6 * scar.radius_m / flat.cell_m)
    if view.empty:
        return
    spread = scar.radius_m / flat.cell_m / 2
    layers = (view.of(flat.height_m), view.of(flat.albedo))
    count = int(scar.radius_m**2 * 1.5)
    laid = np.zeros(view.shape, np.float32)
    tones = np.array(_RUBBLE)
    for at in np.round(rng.normal(0, spread, (count, 2)) + centre - view.origin).astype(int):
        if ((at < 1) | (at >= np.array(view.shape) - 1)).any() or view.of(flat.owner)[tuple(at)]:
            continue
        side = float(np.clip(rng.lognormal(-0.5, 0.5), 0.25, 2.2))
        _slab(
            layers,
            rng,
            (at, side / flat.cell_m, side),
            tones[rng.integers(len(tones))] * rng.uniform(0.8, 1.2),
        )
        laid[tuple(at)] = 1
    close = cv2.GaussianBlur(laid, (0, 0), 1.3 / flat.cell_m) / flat.cell_m**2  # pieces a square metre
    view.of(flat.truth)[(close > 0.22) & (view.of(flat.truth) == 0)] = DEBRIS


SCARS = {"crater": _dig_crater, "burn": _burn, "debris": _strew}
