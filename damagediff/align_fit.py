"""Models of how one image lies on another, fitted robustly to matched points.

All matrices act on (row, col, 1). All fits are iteratively re-weighted least squares with Tukey's
biweight [1]_, so a few wrong matches cannot pull them.

References
----------
.. [1] Huber and Ronchetti, "Robust Statistics", 2nd ed., Wiley, 2009. :DOI:`10.1002/9780470434697`
"""

from __future__ import annotations

import math

import numpy as np

from .types import FloatArray, LocalField, Window

PARAMETERS = {"translation": 2, "similarity": 4, "affine": 6, "homography": 8}
NEEDED = {"translation": 2, "similarity": 8, "affine": 16, "homography": 32, "local": 24}
"""Consistent points a model needs before it is tried: about four times its parameters; a field shrinks."""


def apply(matrix: FloatArray, rc: FloatArray) -> FloatArray:
    """(..., 2) points through a (3, 3) map."""
    rc = np.asarray(rc, np.float64)
    mapped = rc @ matrix[:2, :2].T + matrix[:2, 2]
    return mapped / (rc @ matrix[2, :2] + matrix[2, 2])[..., None]


def scale_of(matrix: FloatArray) -> float:
    """Mean linear scale of a map near the origin."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))


def rotation_deg(matrix: FloatArray) -> float:
    """Rotation of a map in degrees, -180..180."""
    return math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))


def overlap(matrix: FloatArray, ref: tuple[int, int], mov: tuple[int, int]) -> Window:
    """The part of the reference frame that the moving frame covers, as an upright box.

    Parameters
    ----------
    matrix : (3, 3)
        moving_from_reference, (row, col, 1).
    ref, mov : (rows, cols)
        Of both frames, px.

    Returns
    -------
    Window
        Inside the reference frame; all of it when the two do not overlap.
    """
    rows, cols = (n - 0.5 for n in mov)
    corners = np.array([[-0.5, -0.5], [-0.5, cols], [rows, -0.5], [rows, cols]])
    with np.errstate(all="ignore"):
        seen = apply(np.linalg.inv(matrix), corners) + 0.5
    if not np.isfinite(seen).all():
        return Window(0, 0, *ref)
    first = np.clip(np.floor(seen.min(0)), 0, ref).astype(int)
    last = np.clip(np.ceil(seen.max(0)), 0, ref).astype(int)
    if (last <= first).any():
        return Window(0, 0, *ref)
    return Window(int(first[0]), int(first[1]), *(int(n) for n in last - first))


def least_squares(model: str, p: FloatArray, q: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted least squares: the (3, 3) map of `model` that takes (N, 2) `p` to (N, 2) `q`."""
    centre = p.mean(0)
    size = max(float(np.abs(p - centre).max()), 1.0)
    to_unit = np.array([[1 / size, 0, -centre[0] / size], [0, 1 / size, -centre[1] / size], [0, 0, 1]])
    a, b = apply(to_unit, p), apply(to_unit, q)
    design, known = _equations(model, a, b)
    root = np.sqrt(np.concatenate([weight, weight]))
    solution = np.linalg.lstsq(design * root[:, None], known * root, rcond=None)[0]
    return np.asarray(np.linalg.inv(to_unit) @ _matrix(model, solution) @ to_unit)


def reduced(kind: str, matrix: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """The map of `kind` nearest to `matrix` over a frame of `shape`; `matrix` itself if it is no richer.

    A translation keeps what the middle of the frame does.
    """
    rows, cols = shape[0] - 1.0, shape[1] - 1.0
    if kind == "homography" or (kind == "affine" and not matrix[2, :2].any()):
        return matrix
    corners = np.array([[0, 0], [0, cols], [rows, cols], [rows, 0]])
    return least_squares(kind, corners, apply(matrix, corners), np.ones(4))


def _equations(model: str, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    r, c = a.T
    one, zero = np.ones_like(r), np.zeros_like(r)
    if model == "translation":
        design = np.concatenate([np.stack([one, zero], 1), np.stack([zero, one], 1)])
        return design, np.concatenate([b[:, 0] - r, b[:, 1] - c])
    if model == "similarity":
        design = np.concatenate([np.stack([r, -c, one, zero], 1), np.stack([c, r, zero, one], 1)])
    else:
        block, none = np.stack([r, c, one], 1), np.zeros((len(r), 3))
        design = np.concatenate([np.hstack([block, none]), np.hstack([none, block])])
    if model == "homography":
        bend = np.concatenate([-a * b[:, :1], -a * b[:, 1:]])
        design = np.hstack([design, bend])
    return design, np.concatenate([b[:, 0], b[:, 1]])


def _matrix(model: str, s: FloatArray) -> FloatArray:
    if model == "translation":
        return np.array([[1, 0, s[0]], [0, 1, s[1]], [0, 0, 1.0]])
    if model == "similarity":
        return np.array([[s[0], -s[1], s[2]], [s[1], s[0], s[3]], [0, 0, 1.0]])
    if model == "affine":
        return np.array([s[:3], s[3:], [0, 0, 1.0]])
    return np.array([s[:3], s[3:6], [s[6], s[7], 1.0]])


def robust(
    model: str, p: FloatArray, q: FloatArray, weight: FloatArray, start: FloatArray, radius: float = 6.0
) -> FloatArray:
    """Fit `model` by re-weighting, from `start` and a generous `radius` (px) down to the points' own spread.

    Returns `start` unchanged when too few points stay within reach.
    """
    matrix = start
    for step in range(10):
        residual = np.hypot(*(apply(matrix, p) - q).T)
        widest = 2 * radius * 0.75**step if step < 6 else reach(residual, 4.0)
        tukey = weight * np.maximum(0, 1 - (residual / widest) ** 2) ** 2
        if (tukey > 0).sum() <= PARAMETERS[model]:
            return start
        matrix = least_squares(model, p, q, tukey)
    return matrix


def reach(residual: FloatArray, widest: float) -> float:
    """Beyond which a residual no longer counts: 4.7 robust standard deviations, half a pixel to `widest`."""
    near = residual[residual < widest]
    spread = 1.4826 * float(np.median(near)) if len(near) else widest
    return float(np.clip(4.685 * spread, 0.5, widest))


def plausible(matrix: FloatArray, shape: tuple[int, int]) -> bool:
    """Whether a map keeps the image's corners in order and stretches no side beyond reason."""
    if not np.isfinite(matrix).all():
        return False
    rows, cols = shape
    corners = np.array([[0, 0], [0, cols], [rows, cols], [rows, 0]], float)
    depth = corners @ matrix[2, :2] + matrix[2, 2]
    if (depth * depth[0] <= 0).any():
        return False
    mapped = apply(matrix, corners)
    sides = np.linalg.norm(np.roll(mapped, -1, 0) - mapped, axis=1)
    stretch = sides / np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    upright = np.linalg.det(matrix[:2, :2]) * matrix[2, 2] > 0
    return bool(upright and stretch.min() > 0.2 and stretch.max() < 5 and stretch.max() < 2.5 * stretch.min())


def consensus(
    p: FloatArray, q: FloatArray, usable: FloatArray, radius: float, rng: np.random.Generator
) -> tuple[float, FloatArray]:
    """The translation or near-identity similarity that the most matches agree with.

    Returns
    -------
    (weight of the matches within `radius`, (3, 3) map of `p` to `q`)
    """
    shift = q - p
    votes = (np.hypot(*(shift[:, None] - shift).transpose(2, 0, 1)) < radius) @ usable
    best = int(votes.argmax())
    found = np.array([[1, 0, shift[best, 0]], [0, 1, shift[best, 1]], [0, 0, 1.0]])
    most = float(votes[best])
    for turn, move in _similarities(p, q, rng):
        agree = np.abs(turn[:, None] * _complex(p) + move[:, None] - _complex(q)) < radius
        weight = agree @ usable
        k = int(weight.argmax())
        if weight[k] > most * 1.1 + 0.5:  # a richer hypothesis must earn it
            most, t, m = float(weight[k]), turn[k], move[k]
            found = np.array([[t.real, -t.imag, m.real], [t.imag, t.real, m.imag], [0, 0, 1.0]])
    return most, found


def _complex(rc: FloatArray) -> FloatArray:
    return rc[:, 0] + 1j * rc[:, 1]


def _similarities(p: FloatArray, q: FloatArray, rng: np.random.Generator, draws: int = 1500):  # type: ignore[no-untyped-def]
    """Similarities through random pairs of points that lie far apart, in batches."""
    zp, zq = _complex(p), _complex(q)
    pick = rng.integers(0, len(p), (draws, 2))
    apart = np.abs(zp[pick[:, 0]] - zp[pick[:, 1]])
    pick = pick[apart > 0.25 * max(float(np.ptp(p[:, 1])), 1e-9)]
    if not len(pick):
        return
    turn = (zq[pick[:, 0]] - zq[pick[:, 1]]) / (zp[pick[:, 0]] - zp[pick[:, 1]])
    near = np.abs(turn - 1) < 0.12
    pick, turn = pick[near], turn[near]
    move = zq[pick[:, 0]] - turn * zp[pick[:, 0]]
    for first in range(0, len(turn), 300):
        yield turn[first : first + 300], move[first : first + 300]


def field_at(field: LocalField, rc: FloatArray) -> FloatArray:
    """(..., 2) displacement of the local field, bilinear between nodes."""
    at = np.asarray(rc, np.float64) / field.spacing_px
    top = np.array(field.displacement_rc.shape[1:]) - 1
    at = np.clip(at, 0, top)
    low = np.minimum(at.astype(int), top - 1)
    u, v = np.moveaxis(at - low, -1, 0)
    r, c = np.moveaxis(low, -1, 0)
    d = field.displacement_rc
    upper = d[:, r, c] * (1 - v) + d[:, r, c + 1] * v
    lower = d[:, r + 1, c] * (1 - v) + d[:, r + 1, c + 1] * v
    return np.moveaxis(upper * (1 - u) + lower * u, 0, -1)
