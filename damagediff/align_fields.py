"""Structure fields and the comparison of windows: what alignment looks at instead of grey levels.

A gradient divided by (local level + its own length) keeps where edges lie and which way they run, and
forgets how strong they are: it survives another season, sun and sensor better than grey levels do. The
squared-angle twin also forgets which side is the brighter one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .types import Array, BoolArray, Window

GRADIENT_SIGMA_PX = 1.3
LEVEL_SIGMA_PX = 12 * GRADIENT_SIGMA_PX
"""The neighbourhood whose gradient level counts as normal: several times the gradient's own scale."""
LEVEL_STEP_PX = 4
NOISE_FLOOR = 0.15
"""Grey levels a pixel, out of 255: gradients near it are noise and get no vote."""
Fields = tuple[Array, Array]
"""Signed and axial structure field of one picture, complex64, of the same length at each pixel."""
PARABOLA_SHARE = 0.6
"""Of the sub-pixel vertex; its bias at .1 to .4 px is below .01 px so, .04 with a parabola alone."""
DFT_STEP_PX = 16
"""Sides of transforms are multiples of this: .05 ms at 144, .08 at 135."""
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


def structure_field(plane: Plane) -> Fields:
    """Complex structure fields of a plane: signed (edge direction) and axial (edge orientation).

    Returns
    -------
    tuple of complex64 arrays, (rows, cols), of length below 1; 0 within 2 px of what is not valid. The real
    part runs along columns, the imaginary part along rows.
    """
    smooth = cv2.GaussianBlur(plane.grey, (0, 0), GRADIENT_SIGMA_PX)
    across: Array = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    down: Array = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    share: Array | float = 1.0
    if not plane.valid.all():
        usable = cv2.erode(plane.valid.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1)
        weight = usable.astype(np.float32)
        across, down = across * weight, down * weight
        share = np.maximum(_wide_blur(weight), 0.05)
    energy = across * across
    energy += down * down
    level: Array = np.sqrt(np.maximum(_wide_blur(energy), 0) / share)
    length = np.sqrt(energy, out=energy)  # cv2.magnitude depends on where in memory its arrays begin
    level += NOISE_FLOOR
    level += length
    per_level: Array = np.divide(np.float32(1), level, out=level)
    np.maximum(length, 1e-6, out=length)
    twice: Array = np.divide(per_level, length, out=length)
    double_cosine = (across - down) * (across + down)
    double_cosine *= twice
    twice *= 2
    twice *= across
    twice *= down
    across *= per_level
    down *= per_level
    return as_complex(cv2.merge([across, down])), as_complex(cv2.merge([double_cosine, twice]))


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


def match_windows(ref: Fields, mov: Fields, windows: list[Window], search: int) -> Matches:
    """Look each window of the reference up in the moving image, within `search` px.

    Normalised cross-correlation of both structure fields, averaged; the sub-pixel part is from the peak and
    its neighbours.
    """
    if not windows:
        return NO_MATCHES
    return _read_peaks(_centres(windows), _surfaces(ref, mov, windows, search), windows[0].rows)


def match_both_ways(ref: Fields, mov: Fields, windows: list[Window], search: int) -> Matches:
    """Look each window of either image up in the other one, and read the mean of both.

    Exchanging the images turns the sign of the displacement and changes nothing else.
    """
    if not windows:
        return NO_MATCHES
    back = _surfaces(mov, ref, windows, search)[:, ::-1, ::-1]
    mean = (_surfaces(ref, mov, windows, search) + back) / 2
    return _read_peaks(_centres(windows), mean, windows[0].rows)


def _centres(windows: list[Window]) -> Array:
    return np.array([[w.row + (w.rows - 1) / 2, w.col + (w.cols - 1) / 2] for w in windows])


def within(matches: Matches, side: int, search: int) -> Matches:
    """What windows of `side` looked up over a larger search say within `search` px."""
    if not len(matches):
        return matches
    cut = (matches.surfaces.shape[1] - 1) // 2 - search
    middle = slice(cut, cut + 2 * search + 1)
    return _read_peaks(matches.centre_rc, np.ascontiguousarray(matches.surfaces[:, middle, middle]), side)


def _surfaces(ref: Fields, mov: Fields, windows: list[Window], search: int) -> Array:
    """(N, 2 R + 1, 2 R + 1) mean correlation of both fields, which have one length: one norm serves both."""
    side, lags = windows[0].rows, 2 * search + 1
    mov, start = _with_room(mov, windows, search)
    cross = np.empty((len(windows), lags, lags), np.float32)
    correlate = _Correlator(side, search)
    for k, (w, (row, col)) in enumerate(zip(windows, start, strict=True)):
        area = np.s_[row : row + side + lags - 1, col : col + side + lags - 1]
        cross[k] = correlate((ref[0][w.slices], ref[1][w.slices]), (mov[0][area], mov[1][area]))
    own = np.array([cv2.norm(as_pairs(ref[0][w.slices]), cv2.NORM_L2SQR) for w in windows])
    floor = 0.3 * np.median(own) + 1e-9  # a window with little structure must not win by its small norm
    energy = _box_sums(as_pairs(mov[0]), side)
    other = np.stack([energy[row : row + lags, col : col + lags] for row, col in start])
    cross /= np.sqrt(np.maximum(other, floor, dtype=np.float32))
    cross /= (2 * np.sqrt(np.maximum(own, floor))).astype(np.float32)[:, None, None]
    return cross


def _with_room(mov: Fields, windows: list[Window], search: int) -> tuple[Fields, list[tuple[int, int]]]:
    """The fields, padded by zeros where a search reaches beyond them, and where each search begins there."""
    shape = np.array(mov[0].shape)
    first = np.array([[w.row - search, w.col - search] for w in windows])
    last = first + windows[0].rows + 2 * search
    before = np.maximum(0, -first.min(0))
    after = np.maximum(0, last.max(0) - shape)
    if before.any() or after.any():
        room = list(zip(before, after, strict=True))
        mov = (np.pad(mov[0], room), np.pad(mov[1], room))
    return mov, [(int(row), int(col)) for row, col in first + before]


class _Correlator:
    """Correlation of small complex windows over all lags within a search, summed over both fields.

    By OpenCV's transform, window by window: three times as fast as SciPy's on these sizes.
    """

    def __init__(self, side: int, search: int) -> None:
        self.side, self.reach, self.lags = side, side + 2 * search, 2 * search + 1
        size = -(-self.reach // DFT_STEP_PX) * DFT_STEP_PX
        self.window, self.area, self.first, self.second, self.total = (
            np.zeros((size, size, 2), np.float32) for _ in range(5)
        )

    def __call__(self, windows: Fields, areas: Fields) -> Array:
        """(lags, lags) real part of the sum over both fields of conj(window) times what lies below it.

        It is overwritten by the next call.
        """
        total = as_complex(self.total)
        total[:] = 0
        for window, area in zip(windows, areas, strict=True):
            self.window[: self.side, : self.side] = as_pairs(window)
            self.area[: self.reach, : self.reach] = as_pairs(area)
            first, second = cv2.dft(self.window, self.first), cv2.dft(self.area, self.second)
            product = np.conj(as_complex(first), out=as_complex(first))
            product *= as_complex(second)
            total += product
        inverse = cv2.dft(self.total, self.first, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)
        return np.asarray(inverse[: self.lags, : self.lags, 0])


def as_complex(parts: Array) -> Array:
    """(rows, cols, 2) float32 as (rows, cols) complex64, without a copy."""
    return parts.view(np.complex64)[..., 0]


def as_pairs(field: Array) -> Array:
    """(rows, cols) complex64 as (rows, cols, 2) float32, without a copy."""
    return field[..., None].view(np.float32)


def _box_sums(parts: Array, side: int) -> Array:
    """Squared length summed over the square window that starts at each pixel, where it lies inside."""
    squares = cv2.transform(parts * parts, np.ones((1, 2), np.float32))
    sums = cv2.boxFilter(squares, cv2.CV_32F, (side, side), anchor=(0, 0), normalize=False)
    return np.asarray(sums[: parts.shape[0] - side + 1, : parts.shape[1] - side + 1])


def _read_peaks(centre: Array, surfaces: Array, side: int) -> Matches:
    count, size = surfaces.shape[:2]
    search = (size - 1) // 2
    far_px = max(4, min(side / 10, search / 2))
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
    """Where a peak through three equally spaced values lies, -.5..+.5 from the middle.

    A weighted mean of the vertex of a parabola and of two lines of opposite slope: half a step from a whole
    pixel on, the one errs as far inwards as the other outwards.
    """
    bend, slope = before - 2 * at + after, at - np.minimum(before, after)
    curved = np.abs(bend) > 1e-9
    parabola = np.where(curved, 0.5 * (before - after) / np.where(curved, bend, 1), 0)
    lines = 0.5 * (after - before) / np.maximum(slope, 1e-9)
    return np.clip(PARABOLA_SHARE * parabola + (1 - PARABOLA_SHARE) * lines, -0.5, 0.5)


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
