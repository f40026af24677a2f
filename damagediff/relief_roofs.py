"""Buildings as they stand: roofs of several kinds, their covers, stains and boxes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .relief_cells import HARMLESS, Local, Surface, cells_rc, clouds, fixed_xy
from .relief_ruins import collapse
from .town_layout import Building
from .types import BoolArray, FloatArray


def build(flat: Surface, building: Building) -> None:
    """One building as it stands, or what is left of it."""
    rng = np.random.default_rng(building.seed)
    rc = cells_rc(flat, building.outline_rc_m)
    spill = (
        (2.0 + 0.35 * building.height_m) / flat.cell_m if building.state in ("collapsed", "partly") else 2.0
    )
    view = Local(flat, rc, spill + 2)
    flat.faces[building.id] = np.array([0.42, 0.38, 0.32]) * rng.uniform(0.6, 1.25) * rng.normal(1, 0.04, 3)
    if view.empty:
        return
    inside = np.zeros(view.shape, np.uint8)
    cv2.fillPoly(inside, [fixed_xy(rc - view.origin)], 1.0, lineType=cv2.LINE_8, shift=4)
    whole = inside > 0
    standing, gone = whole, np.zeros_like(whole)
    if building.state == "collapsed":
        standing, gone = gone, whole
    elif building.state == "partly":
        standing, gone = _broken(flat, view, building, whole)
    if standing.any():
        height, colour = _roof(flat, view, building, whole)
        view.of(flat.height_m)[standing] = height[standing]
        view.of(flat.albedo)[standing] = colour[standing]
        view.of(flat.owner)[standing] = building.id
        view.of(flat.leaf)[standing] = 0
    if gone.any():
        collapse(flat, view, building, gone)
    if building.state == "repainted":
        view.of(flat.truth)[whole] = HARMLESS


def _broken(flat: Surface, view: Local, building: Building, whole: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Which part of a partly collapsed building stands and which is gone."""
    rng = np.random.default_rng(building.seed + 1)
    u, _ = view.along(
        cells_rc(flat, np.array(building.centre_rc_m)), building.angle_deg + float(rng.uniform(-25, 25))
    )
    ragged = clouds(rng, view.shape, 3 / flat.cell_m, 3) * (0.6 / flat.cell_m)
    gone = whole & (u + ragged > rng.uniform(-0.1, 0.1) * building.size_m[0] / flat.cell_m)
    return whole & ~gone, gone


def _roof(flat: Surface, view: Local, b: Building, whole: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Height and reflectance of the roof over its window; only `whole` means something."""
    rng = np.random.default_rng(b.seed + 2)
    u, v = view.along(cells_rc(flat, np.array(b.centre_rc_m)), b.angle_deg)
    u, v = u * flat.cell_m, v * flat.cell_m
    colour = np.empty((*view.shape, 3), np.float32)
    colour[:] = b.colour
    if b.roof == "flat":
        return _flat_roof(flat, view, b, whole, rng)
    half_u, half_v = b.size_m[0] / 2, b.size_m[1] / 2
    pitch = 0.16 if b.roof == "hall" else float(rng.uniform(0.36, 0.58))
    if b.roof == "ell":
        rise = np.maximum(
            np.where(v <= 0, half_v / 2 - np.abs(v + half_v / 2), -1),
            np.where(u <= 0, half_u / 2 - np.abs(u + half_u / 2), -1),
        )
        rise = np.minimum(rise, min(half_u, half_v) / 2)
    else:
        rise = half_v - np.abs(v)
        if b.roof == "hip":
            rise = np.minimum(rise, half_u - np.abs(u))
    height = b.height_m + pitch * np.maximum(rise, 0)
    _cover(colour, b, (u, v), rng)
    ridge = (rise > rise[whole].max(initial=0) - 0.2) if b.roof != "hall" else np.zeros_like(whole)
    colour[ridge] *= 0.8 + 0.5 * rng.random()
    _stains(colour, flat, rng)
    if b.size_m[0] > 7.5 and rng.random() < 0.6:
        _box(
            height,
            colour,
            (u, v),
            (rng.uniform(-0.5, 0.5) * half_u, rng.uniform(-0.5, 0.5) * half_v, 0.7, 0.7, 1.0),
        )
    return height, colour


def _cover(
    colour: FloatArray, b: Building, uv: tuple[FloatArray, FloatArray], rng: np.random.Generator
) -> None:
    """Rows of tiles, seams of sheets, and sheets that were replaced."""
    u, v = uv
    if b.roof == "hall":
        width = rng.uniform(2.0, 4.5)
        panel = np.floor((u + 500) / width).astype(int)
        shade = rng.normal(1, 0.07, panel.max() + 1)
        light = rng.random(panel.max() + 1) < 0.14
        colour *= shade[panel][..., None]
        strip = light[panel] & (np.abs(np.abs(v) - b.size_m[1] * 0.25) < b.size_m[1] * 0.16)
        colour[strip] = colour[strip] * 0.4 + 0.3
    seam = rng.uniform(0.9, 1.3)
    colour *= (1 + 0.07 * (np.mod(u + 0.07 * v, seam) < 0.28))[..., None]
    sheet = (
        np.floor((u + 300) / rng.uniform(1.6, 3)).astype(int) * 7
        + np.floor((v + 300) / rng.uniform(2, 4)).astype(int) * 13
    )
    odd = rng.normal(1, 0.055, 997)
    colour *= odd[sheet % 997][..., None]


def _stains(colour: FloatArray, flat: Surface, rng: np.random.Generator) -> None:
    shape = colour.shape[:2]
    dirt = 0.10 * clouds(rng, shape, 4 / flat.cell_m, 3) + 0.06 * clouds(rng, shape, 0.7 / flat.cell_m)
    colour *= np.exp(dirt)[..., None]
    rust = np.clip(clouds(rng, shape, 5 / flat.cell_m, 3) - rng.uniform(0.7, 2.2), 0, 0.5)
    colour += rust[..., None] * (np.array([0.22, 0.14, 0.09], np.float32) - colour)


def _flat_roof(
    flat: Surface, view: Local, b: Building, whole: BoolArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """A flat roof with a parapet, puddle stains, and boxes, tanks and stair heads."""
    u, v = view.along(cells_rc(flat, np.array(b.centre_rc_m)), b.angle_deg)
    u, v = u * flat.cell_m, v * flat.cell_m
    height = np.full(view.shape, b.height_m, np.float32)
    colour = np.empty((*view.shape, 3), np.float32)
    colour[:] = b.colour
    _stains(colour, flat, rng)
    if b.size_m[1] > 5:
        edge = (np.abs(u) > b.size_m[0] / 2 - 0.35) | (np.abs(v) > b.size_m[1] / 2 - 0.35)
        height[edge] += 0.7
        colour[edge] = np.clip(np.array(b.colour) * rng.uniform(0.9, 1.5), 0, 0.6)
        patch = (np.abs(u - rng.uniform(-4, 4)) < rng.uniform(1, 4)) & (np.abs(v) < rng.uniform(1, 4)) & ~edge
        colour[patch] *= rng.uniform(0.6, 1.3)
    area = b.size_m[0] * b.size_m[1]
    for _ in range(int(rng.poisson(area / 32)) if area > 25 else int(rng.random() < 0.2)):
        at = (rng.uniform(-0.42, 0.42) * b.size_m[0], rng.uniform(-0.4, 0.4) * b.size_m[1])
        side, tall = rng.choice([(0.8, 0.8), (1.2, 1.0), (1.0, 1.3), (2.8, 2.3)], p=[0.4, 0.3, 0.2, 0.1])
        _box(height, colour, (u, v), (*at, side, side * rng.uniform(0.6, 1.4), tall))
    return height, colour


def _box(
    height: FloatArray, colour: FloatArray, uv: tuple[FloatArray, FloatArray], what: tuple[float, ...]
) -> None:
    """A chimney, tank or stair head: (u, v, length, width, height) in metres."""
    on = (np.abs(uv[0] - what[0]) < what[2] / 2) & (np.abs(uv[1] - what[1]) < what[3] / 2)
    height[on] += what[4]
    tone = 0.2 + 0.45 * abs(math.sin(37.7 * what[0] + 11.3 * what[1]))
    colour[on] = (tone, tone * 0.98, tone * 0.95)
