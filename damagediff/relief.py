"""From the layout of a town to its surface: a height and a reflectance for each small cell.

The cells are a fraction of an image pixel, so that edges fall anywhere. Everything that stands up is in
the heights; `camera` gets shadows, lit and unlit faces and lean from them, and nothing is painted twice.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .relief_cells import HARMLESS, Local, Surface, cells_rc, clouds, fixed_xy
from .relief_roofs import build
from .relief_ruins import SCARS
from .town_layout import Car, Ground, Town, Tree
from .types import FloatArray


def surface(town: Town, cell_m: float) -> Surface:
    """Build the surface of a town.

    Parameters
    ----------
    town : Town
        The layout; an object with the same seed gives the same cells in any layout.
    cell_m : float
        Side of a cell in metres.

    Returns
    -------
    Surface
        ``round(size / cell_m)`` rows and columns; cell (0, 0) has its centre half a cell inside the scene.
    """
    shape = (round(town.size_m[0] / cell_m), round(town.size_m[1] / cell_m))
    faces = np.full((max([b.id for b in town.buildings], default=0) + 1, 3), 0.3, np.float32)
    flat = Surface(
        cell_m, np.zeros(shape, np.float32), np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8),
        np.zeros(shape, np.int16), np.zeros(shape, np.uint8), faces,
    )  # fmt: skip
    rng = np.random.default_rng(town.seed)
    _lay_ground(flat, town, rng)
    for wall in town.walls:
        _raise_wall(flat, wall)
    for scar in town.scars:
        SCARS[scar.kind](flat, scar)
    for building in town.buildings:
        build(flat, building)
    for car in town.cars:
        _put_car(flat, car)
    cleared = [s for s in town.scars if s.kind != "debris"]
    for tree in town.trees:
        if not any(math.dist(s.centre_rc_m, tree.centre_rc_m) < 1.2 * s.radius_m + 1 for s in cleared):
            _plant_tree(flat, tree)
    _weather(flat, rng)
    return flat


def _lay_ground(flat: Surface, town: Town, rng: np.random.Generator) -> None:
    """Fill the pieces of ground, let their edges wander, and give each kind its texture."""
    albedo, leaf = flat.albedo, flat.leaf
    rough = np.zeros(leaf.shape, np.float32)
    for piece in town.grounds:
        corners = [fixed_xy(cells_rc(flat, piece.outline_rc_m))]
        cv2.fillPoly(albedo, corners, piece.colour, lineType=cv2.LINE_8, shift=4)
        cv2.fillPoly(rough, corners, _ROUGH.get(piece.kind, 0.12), lineType=cv2.LINE_8, shift=4)
        cv2.fillPoly(leaf, corners, _grows(piece), lineType=cv2.LINE_8, shift=4)
        if piece.kind == "field":
            _plough(flat, piece)
    wander = 0.16 / flat.cell_m  # metres: no yard has ruled edges
    reach = 3.0 / flat.cell_m
    row, col = np.indices(leaf.shape, np.float32)
    rows = row + wander * clouds(rng, leaf.shape, reach, 3)
    cols = col + wander * clouds(rng, leaf.shape, reach, 3)
    albedo[:] = cv2.remap(albedo, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    leaf[:] = cv2.remap(leaf, cols, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    texture = cv2.remap(rough, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    _texture(flat, np.asarray(texture), rng)


def _grows(piece: Ground) -> float:
    """1 where the season changes a piece of ground: grass, and fields that are sown."""
    return float(piece.kind == "grass" or (piece.kind == "field" and piece.colour[1] > piece.colour[0]))


_ROUGH = {
    "asphalt": 0.09, "concrete": 0.13, "track": 0.16, "yard": 0.26, "soil": 0.26, "field": 0.16,
    "grass": 0.24, "water": 0.05, "paint": 0.15,
}  # fmt: skip
"""Relative spread of reflectance inside one piece."""


def _texture(flat: Surface, rough: FloatArray, rng: np.random.Generator) -> None:
    """Mottle of several sizes, and patches of dry or bare ground in the grass."""
    shape, cell, albedo = flat.leaf.shape, flat.cell_m, flat.albedo
    mottle = 0.42 * clouds(rng, shape, 40 / cell, 4) + 0.55 * clouds(rng, shape, 4.0 / cell, 4)
    mottle += 0.50 * clouds(rng, shape, 0.6 / cell)
    albedo *= np.exp(rough * mottle)[..., None]
    tint = 0.05 * clouds(rng, shape, 14 / cell, 3)
    albedo *= 1 + tint[..., None] * np.array([1.0, 0.2, -1.0], np.float32)
    worn = np.clip(0.8 * clouds(rng, shape, 14 / cell, 6) - 0.75, 0, 0.8) * (flat.leaf == 1)
    soil = np.array([0.24, 0.19, 0.135], np.float32) * (1 + 0.15 * mottle[..., None])
    albedo += worn[..., None] * (soil - albedo)
    tuft = clouds(rng, shape, 1.6 / cell, 2)
    flat.height_m[...] += np.where(flat.leaf == 1, 0.10, 0.02).astype(np.float32) * tuft
    litter = np.clip(clouds(rng, shape, 1.1 / cell) - 2.5, 0, 0.7) * (rough > 0.25)  # stones, small things
    albedo += 0.4 * litter[..., None]
    np.clip(albedo, 0.015, 0.9, out=albedo)


def _plough(flat: Surface, piece: Ground) -> None:
    """Furrows along the piece, bending a little and unevenly strong."""
    rng = np.random.default_rng(piece.seed)
    view = Local(flat, cells_rc(flat, piece.outline_rc_m), 0)
    if view.empty:
        return
    mask = np.zeros(view.shape, np.uint8)
    cv2.fillPoly(
        mask, [fixed_xy(cells_rc(flat, piece.outline_rc_m) - view.origin)], 1.0, lineType=cv2.LINE_8, shift=4
    )
    t = math.radians(piece.angle_deg)
    across = (view.rows * math.cos(t) - view.cols * math.sin(t)) * flat.cell_m
    across = across + 0.5 * clouds(rng, view.shape, 25 / flat.cell_m, 2)
    strength = 0.10 + 0.06 * clouds(rng, view.shape, 20 / flat.cell_m, 2)
    period = rng.uniform(1.3, 2.6)
    wave = np.sin(2 * math.pi * across / period) + 0.5 * np.sin(2 * math.pi * across / (period * 5.3))
    view.of(flat.albedo)[...] *= np.where(mask, np.exp(strength * wave), 1)[..., None].astype(np.float32)


def _weather(flat: Surface, rng: np.random.Generator) -> None:
    """Dirt and grain on everything, so that nothing is one flat colour."""
    shape, cell = flat.leaf.shape, flat.cell_m
    grain = 0.05 * clouds(rng, shape, 0.5 / cell) + 0.05 * clouds(rng, shape, 2.5 / cell, 2)
    flat.albedo[...] *= np.exp(grain)[..., None]
    np.clip(flat.albedo, 0.01, 0.9, out=flat.albedo)


def _raise_wall(flat: Surface, line_rc_m: FloatArray) -> None:
    """A garden wall 1.7 m high and one cell thick."""
    rc = cells_rc(flat, line_rc_m)
    view = Local(flat, rc, 2)
    if view.empty:
        return
    mask = np.zeros(view.shape, np.uint8)
    cv2.polylines(mask, [fixed_xy(rc - view.origin)], True, 1.0, max(1, round(0.25 / flat.cell_m)), shift=4)
    on = mask > 0
    view.of(flat.height_m)[on] = 1.7
    view.of(flat.albedo)[on] = (0.31, 0.28, 0.24)


def _plant_tree(flat: Surface, tree: Tree) -> None:
    """A crown of many round clumps; a bare one is a thin tangle of twigs."""
    rng = np.random.default_rng(tree.seed)
    centre = cells_rc(flat, np.array(tree.centre_rc_m))
    radius = tree.radius_m / flat.cell_m
    view = Local(flat, centre[None], radius * 1.3 + 1)
    lobes = int(6 + 3.2 * tree.radius_m**1.4)
    where = rng.normal(0, 0.42, (lobes, 2)).clip(-0.85, 0.85) * radius
    size = radius * rng.uniform(0.28, 0.52, lobes)
    tone = rng.normal(1, 0.17, lobes)
    kind = np.array(
        [[0.048, 0.068, 0.028], [0.066, 0.084, 0.034], [0.040, 0.058, 0.032], [0.082, 0.088, 0.040]]
    )
    colour = kind[rng.integers(4)] * rng.uniform(0.75, 1.3)
    if view.empty:
        return
    crown = np.full(view.shape, -1.0, np.float32)
    shade = np.ones(view.shape, np.float32)
    for (dr, dc), s, light in zip(where, size, tone, strict=True):
        d2 = (view.rows - np.float32(centre[0] + dr)) ** 2 + (view.cols - np.float32(centre[1] + dc)) ** 2
        body = 1 - math.hypot(dr, dc) / radius * 0.55
        top = body * tree.height_m + (np.sqrt(np.maximum(s * s - d2, 0)) - s) * flat.cell_m * 1.1
        better = (d2 < s * s) & (top > crown)
        crown[better], shade[better] = top[better], light
    on = crown > view.of(flat.height_m)
    speck = rng.random(view.shape, np.float32)
    if tree.bare:
        on &= speck < 0.3
        colour = np.array([0.115, 0.095, 0.07])
        view.of(flat.truth)[(crown > 0) & (view.of(flat.truth) == 0)] = HARMLESS
    else:
        on &= speck < 0.93
    view.of(flat.height_m)[on] = (crown + 0.5 * (speck - 0.5))[on]
    view.of(flat.albedo)[on] = (
        colour * (shade * (0.75 + 0.5 * rng.random(view.shape, np.float32)))[on][:, None]
    )
    view.of(flat.leaf)[on] = 0 if tree.bare else 2
    view.of(flat.owner)[on] = 0


def _put_car(flat: Surface, car: Car) -> None:
    """A box with dark windows, or a lorry with a cab."""
    centre = cells_rc(flat, np.array(car.centre_rc_m))
    view = Local(flat, centre[None], car.size_m[0] / flat.cell_m / 2 + 2)
    if view.empty:
        return
    u, v = view.along(centre, car.angle_deg)
    u, v = u * flat.cell_m, v * flat.cell_m
    length, width, tall = car.size_m
    body = (np.abs(u) < length / 2) & (np.abs(v) < width / 2) & (view.of(flat.owner) == 0)
    cabin = body & (np.abs(u + 0.04 * length) < length * 0.27)
    height = np.where(cabin, tall, tall * 0.62) if length < 6 else np.full(view.shape, tall)
    glass = (
        body & (np.abs(np.abs(u + 0.04 * length) - length * 0.25) < 0.32)
        if length < 6
        else body & (np.abs(u - length * 0.36) < 0.25)
    )
    colour = np.empty((*view.shape, 3), np.float32)
    colour[:] = car.colour
    colour[glass] = (0.05, 0.055, 0.06)
    view.of(flat.height_m)[body] = height[body]
    view.of(flat.albedo)[body] = colour[body]
    view.of(flat.leaf)[body] = 0
    view.of(flat.truth)[body & (view.of(flat.truth) == 0)] = HARMLESS
