"""Invented ground as a sensor shows it: what the finder of graphics must leave alone.

Leaves that fall over one another ("dead leaves", Lee, Mumford and Huang 2001, doi:10.1023/A:1011109015675),
here fields, roofs with shadows, roads with markings, trees and cars, of any colour; drawn finer than the
picture, then blurred, averaged, made noisy, stretched until it clips, sharpened, enlarged and compressed, as
pictures are. No real picture is used.
"""

from __future__ import annotations

import cv2
import numpy as np

Rng = np.random.Generator
FINE = 3
"""Times finer than the picture the ground is drawn."""


def grains(rng: Rng) -> list[list[np.ndarray]]:
    """Fields of noise to cut textures from: for each of several slopes, some fields."""
    return [[noise(1024, slope, rng) for _ in range(4)] for slope in (0.3, 0.7, 1.0, 1.4, 1.8)]


def cut(fields: list[list[np.ndarray]], side: int, slopes: tuple[int, ...], rng: Rng) -> np.ndarray:
    """(side, side) somewhere out of one of the fields, turned at random."""
    field = fields[int(rng.choice(slopes))][int(rng.integers(4))]
    row, col = rng.integers(0, 1024 - side + 1, 2)
    return np.rot90(field[row : row + side, col : col + side], int(rng.integers(4)))


def ground(side: int, fields: list[list[np.ndarray]], rng: Rng) -> np.ndarray:
    """(side, side, 3) uint8: one invented picture after the sensor and what is done to pictures."""
    zoom = float(rng.choice([1.0, 1.0, 1.0, rng.uniform(0.7, 2.5)]))
    own = int(np.ceil(side / zoom)) + 2
    fine = leaves(min(own * FINE, 1024 // FINE * FINE), fields, rng)
    picture = sensed(fine, rng)
    if zoom != 1.0:
        how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4]))
        picture = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=how)
    picture = np.clip(picture[:side, :side], 0, 255)
    if rng.random() < 0.12:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    return np.rint(picture).astype(np.uint8)


def noise(side: int, slope: float, rng: Rng) -> np.ndarray:
    """(side, side) noise of unit spread whose amplitude falls with frequency as f ** -slope."""
    across = np.fft.rfftfreq(side)[None, :]
    down = np.fft.fftfreq(side)[:, None]
    weight = np.maximum(np.hypot(across, down), 1 / side) ** -slope
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) * weight, s=(side, side))
    return ((field - field.mean()) / max(float(field.std()), 1e-9)).astype(np.float32)


def colour(rng: Rng) -> np.ndarray:
    """(3,) of earth, plants, concrete, roofs; sometimes any colour at all."""
    kind = rng.random()
    level = rng.uniform(20, 245)
    if kind < 0.35:
        return np.clip(level + rng.normal(0, 6, 3), 0, 255)
    if kind < 0.55:
        return np.clip(level * np.array([1.0, 0.85, 0.65]) + rng.normal(0, 8, 3), 0, 255)
    if kind < 0.7:
        return np.clip(level * 0.6 * np.array([0.7, 1.0, 0.6]) + rng.normal(0, 8, 3), 0, 255)
    if kind < 0.82:
        return np.clip(level * np.array([1.0, 0.5, 0.4]) + rng.normal(0, 10, 3), 0, 255)
    if kind < 0.9:
        return np.clip(235 + rng.normal(0, 20, 3), 0, 255)
    return rng.uniform(0, 255, 3)


def leaves(side: int, fields: list[list[np.ndarray]], rng: Rng) -> np.ndarray:
    """(side, side, 3) float32 fine ground."""
    base = cut(fields, side, (1, 2, 3, 4), rng)
    fine = np.ascontiguousarray(
        colour(rng) + base[..., None] * rng.uniform(4, 40) * rng.uniform(0.7, 1.3, 3), dtype=np.float32
    )
    textures = [cut(fields, side, (slope,), rng) for slope in (0, 2)]
    turn = rng.uniform(0, np.pi / 2)
    for _ in range(int(rng.integers(0, 5))):
        polygon(fine, blob(side, rng.uniform(0.15, 0.6) * side, rng), colour(rng), textures, rng)
    for _ in range(int(rng.choice([0, 1, 2, 3]))):
        road(fine, turn, textures, rng)
    town, smallest = rng.random() < 0.75, rng.uniform(2, 8) * FINE
    for _ in range(int(rng.integers(10, 260)) if town else int(rng.integers(0, 25))):
        size = min(smallest * rng.pareto(1.6) + smallest, 0.35 * side)
        if rng.random() < 0.6:
            house(fine, size, turn, textures, rng)
        else:
            polygon(fine, blob(side, size, rng), colour(rng), textures, rng)
    small = [colour(rng) for _ in range(4)]
    for _ in range(int(rng.integers(0, 60))):
        car(fine, small, turn, rng)
    return fine


def blob(side: int, size: float, rng: Rng) -> np.ndarray:
    """(n, 2) corners (x, y) of a round or angular patch of about `size`."""
    n = int(rng.integers(3, 14))
    angles = np.sort(rng.uniform(0, 2 * np.pi, n))
    radius = size / 2 * rng.uniform(0.5, 1.1, n)
    return rng.uniform(0, side, 2) + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1)


def rectangle(centre: np.ndarray, size: tuple[float, float], turn: float) -> np.ndarray:
    """(4, 2) corners (x, y)."""
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return centre + ends[:, :1] * size[0] * along + ends[:, 1:] * size[1] * across


def polygon(
    fine: np.ndarray, corners: np.ndarray, hue: np.ndarray, textures: list[np.ndarray], rng: Rng
) -> None:
    """Fill a patch with a colour and its own texture."""
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, fine.shape[0])
    if (high <= low).any():
        return
    here = np.s_[low[1] : high[1], low[0] : high[0]]
    inside = np.zeros(tuple((high - low)[::-1]), np.uint8)
    cv2.fillPoly(inside, [np.rint(corners - low).astype(np.int32)], 1)
    grain = textures[int(rng.integers(len(textures)))][: inside.shape[0], : inside.shape[1]]
    value = hue + grain[..., None] * rng.exponential(7)
    if rng.random() < 0.25:
        y, x = np.mgrid[: inside.shape[0], : inside.shape[1]]
        turn, pitch = rng.uniform(0, np.pi), rng.uniform(2, 10) * FINE
        value = (
            value
            + (np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / pitch) * rng.uniform(3, 35))[
                ..., None
            ]
        )
    fine[here] = np.where(inside[..., None] > 0, value, fine[here])


def house(fine: np.ndarray, size: float, turn: float, textures: list[np.ndarray], rng: Rng) -> None:
    """A shadow, a roof, sometimes its second slope and things on it."""
    centre, turned = (
        rng.uniform(0, fine.shape[0], 2),
        turn + (rng.normal(0, 0.3) if rng.random() < 0.3 else 0),
    )
    sides = (size, size * rng.uniform(0.4, 1.0))
    shape, hue = rectangle(centre, sides, turned), colour(rng)
    shadow = np.array([0.8, 0.6]) * rng.uniform(0, 0.35) * size
    polygon(fine, shape + shadow, np.array([25.0, 28, 35]) * rng.uniform(0.3, 1.8), textures, rng)
    polygon(fine, shape, hue, textures, rng)
    if rng.random() < 0.5:
        half = shape.copy()
        half[2:] = (shape[2:] + shape[[1, 0]]) / 2
        polygon(fine, half, np.clip(hue * rng.uniform(0.6, 1.25), 0, 255), textures, rng)
    for _ in range(int(rng.integers(0, 4))):
        at = centre + rng.uniform(-0.3, 0.3, 2) * sides[1]
        polygon(fine, rectangle(at, (size * 0.15, size * 0.1), turned), colour(rng), textures, rng)
    if rng.random() < 0.2:
        outline = np.rint(shape).astype(np.int32)
        cv2.polylines(fine, [outline], True, colour(rng).tolist(), int(rng.integers(1, 2 * FINE)))


def road(fine: np.ndarray, turn: float, textures: list[np.ndarray], rng: Rng) -> None:
    """A straight road, sometimes with a broken white line and edges."""
    side, turned = fine.shape[0], turn + float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.1)
    centre, wide = rng.uniform(0, side, 2), rng.uniform(2, 16) * FINE
    polygon(
        fine, rectangle(centre, (3.0 * side, wide), turned), np.full(3, rng.uniform(50, 190)), textures, rng
    )
    if rng.random() < 0.6:
        paint, length = np.full(3, rng.uniform(150, 255)), rng.uniform(2, 12) * FINE
        along = np.array([np.cos(turned), np.sin(turned)])
        offset = np.array([-along[1], along[0]]) * wide * rng.choice([0, 0.3, 0.45])
        for at in np.arange(-side, side, 2 * length):
            dash = rectangle(
                centre + along * at + offset, (length, max(1.0, 0.3 * FINE * rng.uniform(0.5, 3))), turned
            )
            cv2.fillPoly(fine, [np.rint(dash).astype(np.int32)], paint.tolist())


def car(fine: np.ndarray, hues: list[np.ndarray], turn: float, rng: Rng) -> None:
    """A small bright or dark thing."""
    centre, long = rng.uniform(0, fine.shape[0], 2), rng.uniform(1, 7) * FINE
    turned = turn + float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.2)
    shape = rectangle(centre, (long, long * rng.uniform(0.35, 0.8)), turned)
    cv2.fillPoly(fine, [np.rint(shape + [1, 2]).astype(np.int32)], (30, 30, 35))
    cv2.fillPoly(fine, [np.rint(shape).astype(np.int32)], hues[int(rng.integers(len(hues)))].tolist())


def sensed(fine: np.ndarray, rng: Rng) -> np.ndarray:
    """(rows, cols, 3) float32 0..255: blurred, averaged, noisy, stretched, sharpened, compressed."""
    spread = (rng.uniform(0.1, 0.5) if rng.random() < 0.5 else rng.uniform(0.3, 1.3)) * FINE
    soft = cv2.GaussianBlur(fine, (0, 0), spread)
    rows, cols = (n // FINE for n in soft.shape[:2])
    picture = soft.reshape(rows, FINE, cols, FINE, 3).mean((1, 3))
    if rng.random() < 0.4:  # pan-sharpened: colour is coarser than brightness
        luma = picture.mean(-1, keepdims=True)
        picture = luma + cv2.GaussianBlur(picture - luma, (0, 0), rng.uniform(1, 3))
    if rng.random() < 0.85:
        picture = picture + rng.standard_normal((rows, cols, 1)) * rng.exponential(3)
        picture = picture + rng.standard_normal((rows, cols, 3)) * rng.exponential(1.5)
    picture = (picture - rng.uniform(-30, 60)) * rng.uniform(0.6, 1.5)
    if rng.random() < 0.6:
        picture = np.clip(picture, 0, 255)
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.8))
        picture = picture + rng.uniform(0.2, 2.5) * (picture - blurred)
    picture = np.clip(picture, 0, 255).astype(np.float32)
    return compressed(picture, rng) if rng.random() < 0.5 else picture


def compressed(picture: np.ndarray, rng: Rng, least: int = 40) -> np.ndarray:
    """The same after JPEG, as float32."""
    sampling = int(rng.choice([cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]))
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        int(rng.integers(least, 98)),
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        sampling,
    ]
    coded = cv2.imencode(".jpg", np.rint(picture[..., ::-1]).astype(np.uint8), options)[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32)
