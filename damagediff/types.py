"""The nouns of damagediff: small frozen values that travel between the rooms.

Conventions, the same everywhere:

- `valid` is boolean and True means usable.
- Array coordinates are ``(row, col)``, named ``..._rc``, with the centre of the first pixel at (0, 0).
- World coordinates are ``(x, y)``, named ``..._xy``.
- ``None`` is "not known", NaN is "not valid here", an empty tuple is "looked, found nothing".
- Images are ``(bands, rows, cols)``, everything else is ``(rows, cols)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from affine import Affine

from .cut import Split as Split
from .cut import Window as Window
from .doubt import Check as Check
from .doubt import Trust as Trust
from .doubt import Verdict as Verdict
from .judged import Claim as Claim
from .judged import Review as Review
from .outcome import EightBit, Sensitivity, Sight
from .provenance import FileFacts, HandGeoreference, Integrity, Precision, ScaleBar, SourceRecord
from .zones import Building as Building
from .zones import FootprintCount as FootprintCount
from .zones import FootprintFit as FootprintFit
from .zones import GridSummary as GridSummary
from .zones import Outline as Outline
from .zones import Shift as Shift
from .zones import Square as Square

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]
"""Numbers whose kind the docstring names: complex fields, indices, bands of any type."""

Tier = Literal["structural", "other"]
Role = Literal["fit", "check", "rejected"]
DatePrecision = Precision
GsdSource = Literal["file", "stated", "scale bar", "analyst's georeference"]

NO_CHANGE, STRUCTURAL_CHANGE, OTHER_CHANGE, NOT_ANALYSED = 0, 1, 2, 255
"""Values of ``change_mask.tif``."""


@dataclass(frozen=True)
class Grid:
    """The working grid: the frame on which both images are compared."""

    shape: tuple[int, int]
    """Rows and columns."""
    transform: Affine = field(default_factory=Affine.identity)
    """(col, row) of pixel *corners* to (x, y): the centre of (r, c) is ``transform * (c + .5, r + .5)``."""
    crs: str | None = None
    """``EPSG:n`` or WKT of a CRS projected in metres; None when not georeferenced."""
    gsd_m: float | None = None
    """Ground size of one pixel in metres; None when not known."""
    gsd_source: GsdSource | None = None
    """Who says so; None when it is not known."""
    gsd_relative_uncertainty: float | None = None
    """Share by which `gsd_m`, and so every length, may be wrong; None: not told."""

    @property
    def pixel_area_m2(self) -> float | None:
        """Ground area of one pixel, None without a ground sample distance."""
        return None if self.gsd_m is None else self.gsd_m**2

    @property
    def area_relative_uncertainty(self) -> float | None:
        """Share by which areas may be wrong when lengths are, None when that is not told."""
        return None if self.gsd_relative_uncertainty is None else 2 * self.gsd_relative_uncertainty


@dataclass(frozen=True)
class Source:
    """What the user says of one image: where it is, and what the file itself cannot be trusted to tell."""

    path: Path
    acquired: datetime | None = None
    """UTC, aware."""
    acquired_precision: DatePrecision = "day"
    """How precise that is."""
    credit: str | None = None
    """Who is to be credited."""
    bands: tuple[str, ...] | None = None
    """Role of each band in file order (red, green, blue, nir, grey, alpha, other); None: as the file says."""
    world_file: Path | None = None
    """Where its georeference is written, for a picture that has none inside."""
    crs: str | None = None
    """``EPSG:n`` as the user states it, for a file that has none or a wrong one."""
    map_points: Path | None = None
    """CSV of pixels and what longitudes and latitudes an analyst found for them."""
    record: SourceRecord = SourceRecord()
    """Where it was found, as stated."""
    crop: Window | None = None
    """The part of the picture as shown that is the image: one panel of a composite; None: all of it."""


@dataclass(frozen=True)
class Case:
    """One comparison as the user asks for it."""

    before: Source
    after: Source
    title: str = ""
    """What is compared; empty: by the names of the files."""
    footprints: Path | None = None
    """Building outlines: any file that `footprints` reads."""
    tie_points: Path | None = None
    """CSV of places marked by hand in both images."""
    exclude: Path | None = None
    """Polygons or raster of places that are not to be looked at."""
    aoi: Path | None = None
    """Polygons or raster of the area of interest: nothing is reported outside it."""
    gsd_m: float | None = None
    """Ground sample distance of the *before* image, stated by the user for pictures without georeference."""
    event: datetime | None = None
    """When what is asked about happened, as the user states it; UTC, aware."""
    event_precision: DatePrecision = "day"
    """How precise that is."""
    scale_bar: ScaleBar | None = None
    """The same by two points on it and the distance between them."""
    place: tuple[float, float] | None = None
    """(latitude, longitude) in degrees, as stated: for the sun and a locator, nothing is measured by it."""
    stable: Path | None = None
    """Polygons or raster of places where nothing but ordinary change can have happened."""
    baselines: tuple[Source, ...] = ()
    """Further images of the place, taken before the before image."""
    font: Path | None = None
    """TrueType or OpenType font for characters of the figures that the bundled one lacks."""
    split: Split | None = None
    """How both images were cut from one picture; None when they are two files."""
    claims: tuple[Claim, ...] = ()
    """What others say happened, to be held against what the images show."""
    taken_for_utc: tuple[str, ...] = ()
    """Of what a time was stated without a zone: ``the before image``, ``the event`` and so on."""


@dataclass(frozen=True)
class Acquisition:
    """When an image was taken, and who says so."""

    acquired: datetime | None
    precision: DatePrecision
    source: str
    """``command line``, the name of the tag, or ``not known``."""
    zone_stated: bool = True
    """False: the day is that of a clock without a time zone, so in UTC it may be the one before or after."""
    may_be_processing: bool = False
    """True: by a tag in which programs also write when they saved the file, so the image may be older."""


@dataclass(frozen=True)
class Image:
    """A raster file that passed the door: what it says of itself. Holds no pixels.

    `shape` and all pixel coordinates are those of the picture *as shown*, after its EXIF turn.
    """

    path: Path
    name: str
    """Of the file, as it is shown: one line, nothing invisible."""
    driver: str
    """GDAL's name of the format: GTiff, PNG, JPEG, WEBP, JP2OpenJPEG or BMP."""
    sha256: str
    size_bytes: int
    shape: tuple[int, int]
    dtype: str
    """Of the pixels, as numpy names it."""
    roles: tuple[str, ...]
    """One of red, green, blue, nir, grey, palette, alpha, other for each band, in file order."""
    nodata: float | None
    """Value of pixels that hold nothing; None: there is none."""
    transform: Affine
    """(col, row) of pixel corners to (x, y) in `crs`; the identity without one."""
    crs: str | None
    """``EPSG:n`` or WKT; None when not georeferenced."""
    orientation: int
    """EXIF orientation, 1 (as delivered) to 8."""
    acquisition: Acquisition
    credit: str | None = None
    """Who is to be credited, as stated."""
    jpeg_quality: int | None = None
    """1 to 100, by the tables of a JPEG or of a TIFF packed as JPEG; None: not packed so, or not told."""
    off_nadir_deg: float | None = None
    """Angle of view from straight down, where a tag tells it."""
    notes: tuple[str, ...] = ()
    """Oddities worth telling the reader, each a sentence."""
    world_file_sha256: str | None = None
    placed_by_hand: HandGeoreference | None = None
    """How `transform` and `crs` came about, when an analyst stated them; None: by the file, or not at all."""
    record: SourceRecord = SourceRecord()
    """Where the file was found, as stated."""
    integrity: Integrity = Integrity()
    """Whether the file is whole."""
    crop: Window | None = None
    """The part of the file's picture as shown that this image is; None: all of it."""
    whole_shape: tuple[int, int] | None = None
    """Rows and columns as shown of the picture that it is a part of; None when it is all of it."""

    @property
    def as_counted(self) -> str:
        """Its name where pixels are spoken of: of a panel also where they are counted from."""
        if self.crop is None:
            return self.name
        corner = f"column {self.crop.col}, row {self.crop.row}"
        return f"the panel of {self.name} (pixels count from its own corner, {corner} of the picture)"

    @property
    def georeferenced(self) -> bool:
        """Whether the file says where on Earth its pixels lie."""
        return self.crs is not None


@dataclass(frozen=True)
class Pair:
    """Two images and the working grid on which they meet."""

    before: Image
    after: Image
    grid: Grid
    roles: tuple[str, ...]
    """Bands compared, present in both: (red, green, blue[, nir]) or (grey,)."""
    moving_is_file: bool
    """True: the moving frame is the after file's own pixels. False: both are georeferenced, and the moving
    frame is the working grid as the after image's georeference places it."""

    @property
    def identical(self) -> bool:
        """Whether both images are the same pixels of files that hold the same bytes."""
        return (self.before.sha256, self.before.crop) == (self.after.sha256, self.after.crop)


@dataclass(frozen=True)
class TiePoints:
    """N places matched in both images: content of reference point p lies at p + displacement when moving."""

    reference_rc: FloatArray
    """(N, 2) px of the working grid."""
    displacement_rc: FloatArray
    """(N, 2) px."""
    quality: FloatArray
    """(N,) 0..1, correlation of structure at the match."""
    role: tuple[Role, ...]
    """``fit`` (used), ``check`` (held out), ``rejected`` (disagrees with the rest)."""
    residual_px: FloatArray
    """(N,) distance from the model's prediction, px of the working grid."""
    held_out: BoolArray
    """(N,) took no part in the fit; role ``check`` if it agrees with the model, else ``rejected``."""
    by_hand: BoolArray | None = None
    """(N,) marked by hand, not measured; None when none is."""

    def __len__(self) -> int:
        return len(self.role)

    def count(self, role: Role) -> int:
        """How many points have this role."""
        return self.role.count(role)


@dataclass(frozen=True)
class LocalField:
    """A smooth displacement on top of the global model: bilinear between nodes, constant beyond the last."""

    displacement_rc: FloatArray
    """(2, node rows, node cols) px to add to the global model's prediction."""
    spacing_px: float
    """Distance between nodes; node (0, 0) lies at the working grid's pixel (0, 0)."""


@dataclass(frozen=True)
class Evidence:
    """Why an alignment is believed or not; see ``docs/method.md``. A small residual is not among it."""

    log10_chance: float
    """log10 of the probability that unrelated images agree in as many windows (0 or negative)."""
    stack_peak_sd: float
    """Height of the stacked correlation peak at zero lag, in standard deviations of far lags."""
    coverage: float
    """Share of a 4 x 4 grid over the overlap in which windows agree, 0..1."""
    windows: int
    """Windows that were compared."""
    agreeing: int
    """Windows that agree within the tolerance."""
    score: float
    """-log10_chance, plus the stacked peak beyond 5, less 6 times the rival, plus a quarter of
    -log10_chance_full: what is compared with the limit."""
    limit: float
    """The score needed to accept."""
    log10_chance_full: float | None = None
    """The same chance for the tie points at full resolution; None when they were not looked up."""
    rival: float = 0.0
    """Correlation at the best other position within 48 px over that at this one: near 1 where the content
    repeats."""
    rival_far: float = 0.0
    """The same over all positions that leave a quarter overlapped; 0 when the pair was not worth asking."""


@dataclass(frozen=True)
class Lean:
    """The one direction along which another view angle displaces what is tall, in pixels of the grid."""

    direction_rc: tuple[float, float]
    """Unit vector (row, col): where the after image shows a roof, against where the before image does."""
    reach_px: float
    """Displacement that nine tenths of what was found along it stay below, and a margin."""
    height: float
    """How far it stands out, in robust deviations of all other directions."""


@dataclass(frozen=True)
class Alignment:
    """How the after image lies against the before image, and how well that is known."""

    accepted: bool
    """False: nothing may be said about change."""
    reason: str
    """One sentence: why it was accepted or refused."""
    model: Literal["none", "translation", "similarity", "affine", "homography", "local"]
    """The richest model that points left out of the fit support."""
    model_reason: str
    """One sentence: why this model, and why not the next richer one."""
    moving_from_reference: FloatArray
    """(3, 3), acts on (row, col, 1) of the working grid, gives (row, col) in the moving frame."""
    local: LocalField | None
    tie_points: TiePoints
    evidence: Evidence
    rmse_px: float | None
    """Root mean square residual of the held-out check points; None without any."""
    ce90_px: float | None
    """Radius that holds 90 % of the check points' residuals."""
    windows_unused: dict[str, int] = field(default_factory=dict)
    """How many windows gave no tie point, by reason."""
    supported_rc: tuple[tuple[float, float], ...] = ()
    """Closed convex ring on the working grid: inside it tie points support the model. Empty when refused."""
    supported_share: float | None = None
    """Share of the working grid inside that ring."""
    ce90_held_out_px: float | None = None
    """Radius that holds 90 % of all held-out points, also of those rejected."""
    standard_error_px: float | None = None
    """How far the map would move with other tie points of the same kind: median over the frame."""
    advice: str = ""
    """After a refusal one sentence: what to try."""
    lean: Lean | None = None
    """None when no direction stands out: like view angles, or nothing tall."""


@dataclass(frozen=True)
class ChangeMap:
    """The measured change on cells of ``cell_px`` x ``cell_px`` working-grid pixels."""

    score: FloatArray
    """(cell rows, cell cols) 0..1, NaN where not valid."""
    changed: ByteArray
    """(cell rows, cell cols) NO_CHANGE, STRUCTURAL_CHANGE, OTHER_CHANGE or NOT_ANALYSED."""
    valid: BoolArray
    """(cell rows, cell cols)."""
    cell_px: int
    """Pixels of the working grid along a side of a cell."""
    threshold: float
    """The score above which a region starts, 0..1."""
    threshold_rule: str
    """Where that comes from, in words."""
    comparability: float
    """1 - median / ceiling of the structure measure (radar: log-ratio); below about .08 nothing is said."""
    calibration: dict[str, float]
    """Floors and ceilings of the measures, and what else the score was normalised with."""
    min_region_px: int = 0
    """Smaller regions are not reported: the minimum mapping unit, in whole cells."""
    measure: str = "structure"
    """What the score was made of: the setting ``diff.measure``, or ``log_ratio`` for radar."""
    min_region_rule: str = ""
    """Where that minimum comes from, in words."""
    low_threshold: float | None = None
    """The score down to which regions grow, where that is lower than the threshold (hysteresis)."""
    sensitivity: tuple[Sensitivity, ...] = ()
    """The same scene at multiples of the threshold, 1 among them; empty when nothing is said about change."""
    why: ByteArray | None = None
    """(cell rows, cell cols) 0 where analysed, else 1 + the position in `REASONS`; None: not told."""
    sight: Sight = Sight()
    """What each picture may not show."""


@dataclass(frozen=True)
class Region:
    """One connected region of change. Ids count from 1 by falling score mass, ties by position."""

    id: int
    tier: Tier
    """``structural``: built structure looks different or is missing; ``other``: ground or colour."""
    area_px: int
    """Pixels of the working grid."""
    area_m2: float | None
    """Square metres on the ground; None without a ground sample distance."""
    score_mean: float
    """Of its cells, 0..1."""
    score_max: float
    """Of its cells, 0..1."""
    flags: tuple[str, ...]
    """Reasons to doubt it, by their names in docs/reading-a-report.md."""
    bbox_rc: tuple[int, int, int, int]
    """First row, first col, last row + 1, last col + 1 on the working grid."""
    centroid_rc: tuple[float, float]
    outline_rc: tuple[tuple[tuple[float, float], ...], ...]
    """Closed rings of (row, col) in pixel-centre coordinates: the outer ring first, then holes."""
    ordinary_chance: float | None = None
    """Chance of being ordinary change, by `Trust.ordinary`; None where that was not counted."""


@dataclass(frozen=True)
class Crop:
    """Full-resolution cut-outs around one region, for insets and cards."""

    region_id: int
    window: Window
    before: ByteArray
    """(rows, cols, 3) RGB, same stretch as `after`."""
    after: ByteArray


@dataclass(frozen=True)
class Pictures:
    """Reduced pictures of the pair, made for looking: on the working grid with one stretch, if aligned."""

    before: ByteArray
    """(rows, cols, 3) RGB."""
    after: ByteArray
    """(rows, cols, 3) RGB; the after image aligned or, if refused, as its georeference places it or, without
    one, on its own pixels and then of another shape than `before`."""
    after_valid: BoolArray
    """(rows, cols) where both images have pixels; of a refused pair, where the after image has."""
    reduction: float
    """Working-grid pixels per picture pixel, >= 1."""
    stretch: tuple[tuple[float, float], ...]
    """Per band shown: values drawn black and white, in the before image's units (p2 and p98)."""
    crops: tuple[Crop, ...] = ()
    sheet: ByteArray | None = None
    """(rows, cols, 3) RGB of the picture both images were cut from, with the rectangles; None: two files."""
    after_reduction: float | None = None
    """Pixels of the after image per picture pixel where it is drawn by itself; None: the same `reduction`."""


@dataclass(frozen=True)
class Comparison:
    """Everything that one run found: the only thing that figures and reports see."""

    case: Case
    pair: Pair
    alignment: Alignment
    change: ChangeMap | None
    """None when the alignment was refused."""
    regions: tuple[Region, ...]
    buildings: tuple[Building, ...]
    trust: Trust
    pictures: Pictures
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    """Sentences that every reader must see, for example that both files are identical or synthetic."""
    grid_summary: GridSummary | None = None
    """Shares in squares; None when not asked for, or when there is no change map."""
    footprint_fit: FootprintFit | None = None
    """How the footprints were laid on the before image; None without footprints or when switched off."""
    footprint_count: FootprintCount | None = None
    """None without footprints."""
    file_facts: tuple[FileFacts, FileFacts] | None = None
    """What the before and the after file tell of themselves; None: not looked at."""
    baselines: tuple[Image, ...] = ()
    """The further images from before, as they were let in."""
    eight_bit: EightBit | None = None
    """How values became grey levels; None: refused, or a run of an older version."""
    reviews: tuple[Review, ...] = ()
    """What reviewers decided since, in the order in which it came; no part of the results."""

    @property
    def verdict(self) -> Verdict:
        """`comparable`, `comparable with reservations` or `not comparable`."""
        return self.trust.verdict
