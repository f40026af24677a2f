"""Structure fields and the comparison of windows: what alignment looks at instead of grey levels.

A gradient divided by (local level + its own length) keeps where edges lie and which way they run, and
forgets how strong they are: it survives another season, sun and sensor better than grey levels do. The
squared-angle twin also forgets which side is the brighter one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft

from .types import Array, BoolArray, Window

GRADIENT_SIGMA_PX = 1.3
LEVEL_SIGMA_PX = 12 * GRADIENT_SIGMA_PX
"""The neighbourhood whose gradient level counts as normal: several times the gradient's own scale."""
LEVEL_STEP_PX = 4
NOISE_FLOOR = 0.15
"""Grey levels a pixel, out of 255: gradients near it are noise and get no vote."""
AMBIGUOUS = 0.98
"""Second-best peak over the best, from which a window fits elsewhere as well."""


@dataclass(frozen=True)
class Plane:
    """One band prepared for alignment."""

    grey: Array
    """(rows, cols) float32, about 0..255."""
    valid: BoolArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grey.shape[0], self.grey.shape[1]


def structure_field(plane: Plane) -> tuple[Array, Array]:
    """Complex structure fields of a plane: signed (edge direction) and axial (edge orientation).

    Returns
    -------
    tuple of complex64 arrays, (rows, cols), of length below 1; 0 within 2 px of what is not valid. The real
    part runs along columns, the imaginary part along rows.
    """
    smooth = cv2.GaussianBlur(plane.grey, (0, 0), GRADIENT_SIGMA_PX)
    usable = cv2.erode(plane.valid.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1)
    weight = usable.astype(np.float32)
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0) / 32 * weight
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1) / 32 * weight
    energy = across**2 + down**2
    share = np.maximum(_wide_blur(weight), 0.05)
    level = np.sqrt(np.maximum(_wide_blur(energy), 0) / share) + NOISE_FLOOR
    signed = ((across + 1j * down) / (level + np.sqrt(energy))).astype(np.complex64)
    axial = (signed**2 / np.maximum(np.abs(signed), 1e-6)).astype(np.complex64)
    return signed, axial


def _wide_blur(x: Array) -> Array:
    """A Gaussian of `LEVEL_SIGMA_PX`, made on blocks of `LEVEL_STEP_PX`: ten times cheaper, alike to 1 %."""
    rows, cols = x.shape
    size = (max(1, cols // LEVEL_STEP_PX), max(1, rows // LEVEL_STEP_PX))
    small = cv2.resize(x, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), LEVEL_SIGMA_PX / LEVEL_STEP_PX)
    return cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Matches:
    """N windows of the reference looked up in the moving image, already brought near the reference frame."""

    centre_rc: Array
    """(N, 2) px."""
    displacement_rc: Array
    """(N, 2) px, sub-pixel."""
    score: Array
    """(N,) correlation of structure at the best place, -1..1."""
    ambiguity: Array
    """(N,) second-best peak over the best: near 1 means that the window fits elsewhere as well."""
    at_limit: BoolArray
    """(N,) the best place lies on the edge of the search."""
    surfaces: Array
    """(N, 2 R + 1, 2 R + 1) correlation for each displacement within the search radius R."""

    def __len__(self) -> int:
        return len(self.score)

    @property
    def distinct(self) -> BoolArray:
        """(N,) the best place stands out and lies inside the search."""
        return (self.ambiguity < AMBIGUOUS) & ~self.at_limit


NO_MATCHES = Matches(
    np.zeros((0, 2)),
    np.zeros((0, 2)),
    np.zeros(0),
    np.zeros(0),
    np.zeros(0, bool),
    np.zeros((0, 1, 1), np.float32),
)


def lattice(
    ref_valid: BoolArray, mov_valid: BoolArray, side: int, step: int, min_valid: float = 0.9
) -> list[Window]:
    """Square windows on a centred lattice in which both images are valid nearly everywhere."""
    rows, cols = ref_valid.shape
    if rows < side or cols < side:
        return []
    shares = [_window_share(v, side) for v in (ref_valid, mov_valid)]
    tops, lefts = _positions(rows, side, step), _positions(cols, side, step)
    return [
        Window(int(top), int(left), side, side)
        for top in tops
        for left in lefts
        if min(share[top, left] for share in shares) >= min_valid
    ]


def _positions(length: int, side: int, step: int) -> Array:
    starts = np.arange(0, length - side + 1, step)
    return starts + (length - side - starts[-1]) // 2


def _window_share(valid: BoolArray, side: int) -> Array:
    """Share of valid pixels in the window that starts at each pixel."""
    return cv2.boxFilter(
        valid.astype(np.float32), -1, (side, side), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
    )


def match_windows(
    ref: tuple[Array, Array], mov: tuple[Array, Array], windows: list[Window], search: int
) -> Matches:
    """Look each window of the reference up in the moving image, within `search` px.

    Normalised cross-correlation of both structure fields, averaged; the sub-pixel part is the vertex of a
    parabola through the peak and its neighbours.
    """
    if not windows:
        return NO_MATCHES
    each = [_surfaces(r, m, windows, search) for r, m in zip(ref, mov, strict=True)]
    surfaces = np.mean(each, axis=0)
    centre = np.array([[w.row + (w.rows - 1) / 2, w.col + (w.cols - 1) / 2] for w in windows])
    return _read_peaks(
        centre, surfaces.astype(np.float32), search, far_px=max(4, min(windows[0].rows / 10, search / 2))
    )


def _surfaces(ref: Array, mov: Array, windows: list[Window], search: int) -> Array:
    side = windows[0].rows
    reach = side + 2 * search
    size = scipy.fft.next_fast_len(reach)
    padded = np.pad(mov, search)
    template = np.stack([ref[w.slices] for w in windows])
    area = np.stack([padded[w.row : w.row + reach, w.col : w.col + reach] for w in windows])
    spectrum = scipy.fft.fft2(area, (size, size)) * np.conj(scipy.fft.fft2(template, (size, size)))
    lags = slice(0, 2 * search + 1)
    cross = scipy.fft.ifft2(spectrum).real[:, lags, lags]
    own = (np.abs(template) ** 2).sum((1, 2))
    floor = 0.3 * np.median(own) + 1e-9  # a window with little structure must not win by its small norm
    energy = _box_sums(np.abs(padded) ** 2, side)
    other = np.stack(
        [energy[w.row : w.row + 2 * search + 1, w.col : w.col + 2 * search + 1] for w in windows]
    )
    return cross / np.sqrt(np.maximum(own, floor)[:, None, None] * np.maximum(other, floor))


def _box_sums(values: Array, side: int) -> Array:
    """Sums over the square window that starts at each pixel, where it lies inside."""
    sums = cv2.boxFilter(values, cv2.CV_64F, (side, side), anchor=(0, 0), normalize=False)
    return sums[: values.shape[0] - side + 1, : values.shape[1] - side + 1]


def _read_peaks(centre: Array, surfaces: Array, search: int, far_px: float) -> Matches:
    count, size = len(surfaces), 2 * search + 1
    flat = surfaces.reshape(count, -1)
    row, col = np.divmod(flat.argmax(1), size)
    best = flat.max(1)
    rows, cols = np.mgrid[:size, :size]
    far = np.hypot(rows - row[:, None, None], cols - col[:, None, None]) > far_px
    second = np.where(far, surfaces, -1).reshape(count, -1).max(1)
    at_limit = (row == 0) | (col == 0) | (row == size - 1) | (col == size - 1)
    r, c, n = np.clip(row, 1, size - 2), np.clip(col, 1, size - 2), np.arange(count)
    d_row = row + _vertex(surfaces[n, r - 1, c], surfaces[n, r, c], surfaces[n, r + 1, c]) - search
    d_col = col + _vertex(surfaces[n, r, c - 1], surfaces[n, r, c], surfaces[n, r, c + 1]) - search
    ambiguity = np.maximum(second, 1e-3) / np.maximum(best, 1e-3)
    return Matches(centre, np.stack([d_row, d_col], 1), best, ambiguity, at_limit, surfaces)


def _vertex(before: Array, at: Array, after: Array) -> Array:
    """Where a parabola through three equally spaced values has its vertex, -.5..+.5 from the middle."""
    bend = before - 2 * at + after
    curved = np.abs(bend) > 1e-9
    return np.where(curved, np.clip(0.5 * (before - after) / np.where(curved, bend, 1), -0.5, 0.5), 0)


def warp(plane: Plane, moving_from_reference: Array, shape: tuple[int, int]) -> Plane:
    """Pull the moving plane into a reference frame of `shape`; (row, col, 1) matrices."""
    matrix = swap_axes(moving_from_reference)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    grey = plane.grey
    if scale > 1.3:  # the map shrinks the picture: smooth first, or edges alias
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 * scale)
    size = (shape[1], shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pulled = cv2.warpPerspective(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    share = cv2.warpPerspective(
        plane.valid.astype(np.float32), matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT
    )
    return Plane(pulled, share > 0.99)


def swap_axes(matrix: Array) -> Array:
    """The same map with (row, col) and (x, y) exchanged; its own inverse."""
    return np.asarray(matrix, np.float64)[np.ix_([1, 0, 2], [1, 0, 2])]


def shrink(plane: Plane, scale: float) -> Plane:
    """Area-averaged copy, `scale` <= 1 times as large; valid where half of what went in is."""
    if scale >= 1:
        return plane
    rows, cols = (max(1, round(n * scale)) for n in plane.shape)
    weight = plane.valid.astype(np.float32)
    share = cv2.resize(weight, (cols, rows), interpolation=cv2.INTER_AREA)
    total = cv2.resize(plane.grey * weight, (cols, rows), interpolation=cv2.INTER_AREA)
    grey = total / np.maximum(share, 1e-3)
    return Plane(grey.astype(np.float32), share >= 0.5)


def scaling(reduced: Plane, full: Plane) -> Array:
    """(3, 3) reduced_from_full for (row, col, 1), pixel centres at whole numbers."""
    down, across = (r / f for r, f in zip(reduced.shape, full.shape, strict=True))
    return np.array([[down, 0, (down - 1) / 2], [0, across, (across - 1) / 2], [0, 0, 1.0]])
