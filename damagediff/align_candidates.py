"""Where to start: rough maps of one image onto the other, found in several ways and trusted in none.

Each way is blind where another sees: identity (a good georeference), key points (any rotation and scale,
but they do not survive seasons), correlation of the whole field (survives seasons, few rotations). All
candidates go to one vote (`align.vote`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from . import align_fit
from .align_fields import DFT_STEP_PX, Plane, as_complex, as_pairs, scaling, shrink, swap_axes, warp
from .types import Array

KEYPOINTS = 3000
KEYPOINT_PX = 800
"""Key points are sought on images of at most this size; a full-size search costs memory, not accuracy."""


@dataclass(frozen=True)
class Candidate:
    """A rough moving_from_reference and where it came from."""

    origin: str
    moving_from_reference: Array


def identity(ref: Plane, mov: Plane) -> list[Candidate]:
    """The images as they lie; for different sizes also stretched onto one another."""
    found = [Candidate("identity", np.eye(3))]
    if ref.shape != mov.shape:
        found.append(Candidate("stretched", scaling(mov, ref)))
    return found


def keypoints(ref: Plane, mov: Plane) -> list[Candidate]:
    """Similarities and homographies through matched SIFT key points [1]_ with RootSIFT distances [2]_.

    References
    ----------
    .. [1] Lowe, IJCV 60(2), 2004. :DOI:`10.1023/B:VISI.0000029664.99615.94`
    .. [2] Arandjelovic and Zisserman, CVPR 2012. :DOI:`10.1109/CVPR.2012.6248018`
    """
    small = [shrink(plane, KEYPOINT_PX / max(plane.shape)) for plane in (ref, mov)]
    described = [_describe(plane) for plane in small]
    if any(len(points) < 8 for points, _ in described):
        return []
    (p, first), (q, second) = described
    full_from_small = np.linalg.inv(scaling(small[1], mov)), scaling(small[0], ref)
    found = []
    for name, pairs in _matched(first, second):
        for kind, matrix in _hypotheses(p[pairs[:, 0]], q[pairs[:, 1]]):
            found.append(Candidate(f"{name} {kind}", full_from_small[0] @ matrix @ full_from_small[1]))
    return found


def _describe(plane: Plane) -> tuple[Array, Array]:
    """(N, 2) key points (row, col) and (N, 128) RootSIFT descriptors of locally normalised grey."""
    grey: Array = _local_contrast(plane)
    valid: Array = plane.valid.astype(np.uint8)
    enlarged = 1
    if max(plane.shape) < 400:
        enlarged = 2  # SIFT drops the finest scale, which is most of what a small crop has
        grey = cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        valid = cv2.resize(valid, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    inside = cv2.erode(valid, np.ones((9, 9), np.uint8), borderValue=1)
    detector = cv2.SIFT_create(  # type: ignore[attr-defined]  # missing in OpenCV 5's stubs
        KEYPOINTS, contrastThreshold=0.015, edgeThreshold=15
    )
    points, descriptors = detector.detectAndCompute(grey, inside)
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    keep = slice(0, KEYPOINTS)  # the detector may return a few more than it was asked for
    rc = (np.array([point.pt[::-1] for point in points], float) + 0.5) / enlarged - 0.5
    total = np.abs(descriptors).sum(1, keepdims=True) + 1e-9
    return rc[keep], np.sqrt(descriptors / total).astype(np.float32)[keep]


def _local_contrast(plane: Plane, sigma_px: float = 16) -> Array:
    weight = plane.valid.astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma_px), 0.05)
    centred = (plane.grey - cv2.GaussianBlur(plane.grey * weight, (0, 0), sigma_px) / share) * weight
    spread = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), sigma_px) / share) + 3
    return np.clip(128 + 45 * centred / spread, 0, 255).astype(np.uint8)


def _matched(first: Array, second: Array) -> Iterable[tuple[str, Array]]:
    """Index pairs under two rules: a strict ratio test, and a lenient one for mutual best matches."""
    likeness = first @ second.T
    rows = np.arange(len(first))
    best = likeness.argmax(1)
    top = likeness[rows, best]
    mutual = likeness.argmax(0)[best] == rows
    likeness[rows, best] = -1
    nearest, next_nearest = (np.sqrt(np.maximum(2 - 2 * s, 1e-9)) for s in (top, likeness.max(1)))
    for name, keep in (
        ("key points", nearest < 0.8 * next_nearest),
        ("mutual key points", mutual & (nearest < 0.95 * next_nearest)),
    ):
        if keep.sum() >= 6:
            yield name, np.stack([rows[keep], best[keep]], 1)


def _hypotheses(p: Array, q: Array, reach_px: float = 3.0) -> Iterable[tuple[str, Array]]:
    """Maps through matches of which most may be wrong: RANSAC similarity, MAGSAC++ homography."""
    a, b = p[:, ::-1], q[:, ::-1]
    cv2.setRNGSeed(0)
    found, _ = cv2.estimateAffinePartial2D(
        a, b, method=cv2.RANSAC, ransacReprojThreshold=1.5 * reach_px, maxIters=20000, confidence=0.9999
    )
    if found is not None:
        yield "similarity", swap_axes(np.vstack([found, [0, 0, 1]]))
    found, inliers = cv2.findHomography(a, b, cv2.USAC_MAGSAC, reach_px, maxIters=10000, confidence=0.9999)
    if found is not None and inliers.sum() >= 8:
        yield "homography", swap_axes(found)


def correlation(
    ref: Plane, mov: Plane, rotations_deg: Array, scales: Array, side_px: int, most: int
) -> list[Candidate]:
    """Best shifts of the whole structure field over a list of rotations and scales, by FFT.

    Both images are reduced so that the reference's longest side is `side_px`. A shift must leave at least
    a quarter of the reference overlapped.
    """
    shrink_by = min(1.0, side_px / max(ref.shape))
    small_ref = shrink(ref, shrink_by)
    small_mov = shrink(mov, shrink_by)
    search = _FieldSearch(small_ref)
    found = []
    for rotation in rotations_deg:
        for scale in scales:
            turn = _about_centres(float(rotation), float(scale), small_ref.shape, small_mov.shape)
            pulled = warp(small_mov, turn, small_ref.shape)
            found += [(height, turn, shift) for height, shift in search.best_shifts(pulled)]
    found.sort(key=lambda item: -item[0])
    kept = _distinct([turn @ _shift(shift) for _, turn, shift in found], small_ref.shape, most)
    up, down = np.linalg.inv(scaling(small_mov, mov)), scaling(small_ref, ref)
    return [Candidate("field correlation", up @ matrix @ down) for matrix in kept]


def _about_centres(rotation_deg: float, scale: float, ref: tuple[int, int], mov: tuple[int, int]) -> Array:
    """Rotation and scale that map the centre of one image to the centre of the other."""
    angle = np.deg2rad(rotation_deg)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    return _shift([(n - 1) / 2 for n in mov]) @ turn @ _shift([-(n - 1) / 2 for n in ref])


def _shift(rc: Iterable[float]) -> Array:
    row, col = rc
    return np.array([[1, 0, row], [0, 1, col], [0, 0, 1.0]])


def _distinct(maps: list[Array], shape: tuple[int, int], most: int) -> list[Array]:
    """The first `most` maps that differ from one another by more than a vote could bridge."""
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], list(shape)], float)
    kept: list[Array] = []
    for matrix in maps:
        here = align_fit.apply(matrix, corners)
        apart = [np.abs(here - align_fit.apply(other, corners)).max() for other in kept]
        if min(apart, default=np.inf) > 0.06 * max(shape):
            kept.append(matrix)
        if len(kept) == most:
            break
    return kept


class _FieldSearch:
    """Correlation of many moving fields against one reference field, all shifts at once."""

    def __init__(self, ref: Plane) -> None:
        rows, cols = (-(-2 * n // DFT_STEP_PX) * DFT_STEP_PX for n in ref.shape)
        self.size = (rows, cols)
        self.pairs, self.pairs_spectrum = (np.zeros((rows, cols, 2), np.float32) for _ in range(2))
        self.real, self.real_spectrum = (np.zeros((rows, cols), np.float32) for _ in range(2))
        field, weight = _quick_field(ref)
        self.field = np.conj(as_complex(self._of_field(field)))
        self.weight = self._of_weight(weight).copy()
        self.area = float(weight.sum())

    def _of_field(self, field: Array) -> Array:
        """Transform of a complex field, with as much room again each way; overwritten by the next."""
        self.pairs[:] = 0
        self.pairs[: field.shape[0], : field.shape[1]] = as_pairs(field)
        return np.asarray(cv2.dft(self.pairs, self.pairs_spectrum))

    def _of_weight(self, weight: Array) -> Array:
        """The same of real values, packed as OpenCV packs them."""
        self.real[:] = 0
        self.real[: weight.shape[0], : weight.shape[1]] = weight
        return np.asarray(cv2.dft(self.real, self.real_spectrum))

    def best_shifts(self, mov: Plane, most: int = 2) -> list[tuple[float, tuple[int, int]]]:
        """(height in standard deviations, shift of the moving content) of the highest peaks."""
        field, weight = _quick_field(mov)
        back = cv2.DFT_INVERSE | cv2.DFT_SCALE
        spectrum = self._of_field(field)
        product = as_complex(spectrum)
        product *= self.field
        cross = cv2.dft(spectrum, self.pairs, flags=back)[..., 0]
        self.real_spectrum[:] = cv2.mulSpectrums(self._of_weight(weight), self.weight, 0, conjB=True)
        overlap = cv2.dft(self.real_spectrum, self.real, flags=back)
        enough = overlap > 0.25 * max(self.area, 1)
        height = np.where(enough, cross / np.sqrt(np.maximum(overlap, 1)), -np.inf)
        found = []
        for _ in range(most):
            row, col = np.unravel_index(int(height.argmax()), height.shape)
            if not np.isfinite(height[row, col]):
                break
            signed = [int(n if n < s / 2 else n - s) for n, s in zip((row, col), self.size, strict=True)]
            found.append((float(height[row, col]), (signed[0], signed[1])))
            near = [np.arange(n - 4, n + 5) % s for n, s in zip((row, col), self.size, strict=True)]
            height[np.ix_(*near)] = -np.inf
        return found


def _quick_field(plane: Plane) -> tuple[Array, Array]:
    """Signed structure field of a small picture, with a box instead of a Gaussian neighbourhood."""
    smooth = cv2.GaussianBlur(plane.grey, (0, 0), 1.0)
    weight = cv2.erode(plane.valid.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(
        np.float32
    )
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0) / 32 * weight
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1) / 32 * weight
    energy = across**2 + down**2
    level = np.sqrt(np.maximum(cv2.blur(energy, (25, 25)), 0)) + 0.3  # a running sum may end below 0
    level += np.sqrt(energy)
    return as_complex(cv2.merge([across / level, down / level])), weight
