"""Every number that can be set, one frozen dataclass a stage, each default with its reason."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import SettingsError


@dataclass(frozen=True)
class ReadSettings:
    """Limits at the door, checked from the header before any pixel is read."""

    max_pixels: int = 2_500_000_000
    """Rows x columns of one image; larger is refused."""
    max_bands: int = 32
    """Bands of one image; more is hyperspectral, which the measures are not made for."""
    max_block_px: int = 64_000_000
    """Pixels of one internal block: a block is decoded whole, however small the window."""
    max_pixels_per_byte: int = 1_000_000
    """Pixels for each byte of the file; all black and deflated reaches 1,000."""
    max_directories: int = 1000
    """Directories of one TIFF: pages, overviews and masks; every one is visited when it is opened."""
    max_fetched_bytes: int = 4_000_000_000
    """Of one image that is read from an address; what is fetched is kept on the disk during the run."""
    accept_damaged: bool = False
    """Whether a damaged file is used: what cannot be decoded is then not valid, and every figure says so."""


@dataclass(frozen=True)
class MaskSettings:
    """What is not picture."""

    graphics: bool = True
    """Whether captions, arrows, markers and logos drawn over plain pictures are found and left out; see
    docs/method.md. Without, they may be aligned on and reported as change."""


@dataclass(frozen=True)
class AlignSettings:
    """Co-registration; see docs/method.md."""

    coarse_px: int = 768
    """Longest side of the reduced images on which candidates are found and judged."""
    model: Literal["auto", "translation", "similarity", "affine", "homography"] = "auto"
    """The richest global model allowed; auto takes what points left out of the fit support."""
    local: bool = True
    """Whether a smooth local field may be added to the global model."""
    max_shift_px: float | None = None
    """Refuse to move the centre by more px of the working grid (mostly before's own); None: no limit."""
    window_px: int = 128
    """Side of a tie-point window at full resolution (estimator error .04 px median, measured)."""
    windows_per_side: int = 24
    """Tie points are searched on a lattice of at most this many windows a side."""
    evidence_limit: float = 7.0
    """Evidence needed to accept; of 2,094 wrong pairs none that is not mirrored exceeded 5.9."""
    evidence_limit_turned: float = 14.0
    """The same for a rotation over 6 degrees or a scale beyond 12 %: more was searched, so more is asked."""
    min_windows: int = 12
    """Fewer comparable windows than this cannot carry a decision."""
    max_rival: float = 0.9
    """Refuse when another position explains the pair nearly as well: like houses on a lattice, .98."""
    min_coverage: float = 0.3
    """Share of a 4 x 4 grid over the overlap that must hold agreeing windows."""


@dataclass(frozen=True)
class DiffSettings:
    """Change measure, score and threshold; see docs/method.md."""

    min_comparability: float = 0.08
    """1 - median / ceiling below which nothing can be said (unaligned pairs .003-.02, flooded .005-.065)."""
    threshold: float | Literal["auto", "otsu", "triangle", "li", "kapur", "rosin", "far"] = "auto"
    """Score above which a region starts: a number, or a rule; auto is the pair's own, see docs/method.md."""
    false_alarm_share: float = 0.03
    """With threshold = far: share of the pair's unchanged structure that may lie above the threshold."""
    hysteresis: float = 1.0
    """Regions grow down to this share of the threshold once they hold a place above it; 1: they do not."""
    measure: Literal["structure", "ssim", "cva", "irmad", "stack"] = "structure"
    """What the score is made of; the others are published references, stack a test against earlier images."""


@dataclass(frozen=True)
class RadarSettings:
    """Radar pairs (sensor = sar); see docs/method.md."""

    values: Literal["amplitude", "intensity", "db"] = "amplitude"
    """What the pixels are; a picture of radar is nearly always an amplitude."""
    false_alarm_rate: float = 1e-3
    """Share of unchanged places of pure speckle whose log-ratio may reach a score of .5."""


@dataclass(frozen=True)
class RegionSettings:
    """From changed pixels to regions."""

    min_region_unit: Literal["auto", "m2", "px"] = "auto"
    """Which minimum mapping unit counts; auto: square metres where the ground sample distance is known."""
    min_region_m2: float = 80.0
    """Minimum mapping unit in square metres."""
    min_region_px: int = 200
    """Minimum mapping unit in pixels."""
    crops: int = 24
    """Regions shown as full-resolution crops in the report."""


@dataclass(frozen=True)
class BuildingSettings:
    """Building footprints: where they lie, and the class of each; see docs/method.md."""

    fit: bool = True
    """Whether footprints are moved onto the before image, block by block, where a shift can be shown."""
    max_shift_m: float = 10.0
    """How far off footprints may lie, where the ground sample distance is known."""
    max_shift_px: int = 20
    """The same where it is not."""
    false_discovery_rate: float = 0.1
    """Share of false ones among the buildings below the threshold that are called possible change."""
    grade_scale: Literal["copernicus", "unosat", "xbd"] | None = None
    """Scale of the empty column in which an analyst grades the buildings; the tool gives no grade."""


@dataclass(frozen=True)
class SummarySettings:
    """Shares of change in squares, as on overview maps."""

    cell_m: float | None = None
    """Side of a square in metres, its edges at whole multiples in the map projection; None: no squares."""
    cell_px: int | None = None
    """Side in pixels instead, for pictures whose scale is not known."""


@dataclass(frozen=True)
class TrustSettings:
    """Self-tests of a run; see docs/method.md."""

    selftest: bool = True
    """Whether a run measures on its own pair what it can find and how much ordinary change it lists; without
    it the report says that neither was measured."""


@dataclass(frozen=True)
class WriteSettings:
    """The rasters of a run; see docs/performance.md."""

    compression: Literal["deflate", "zstd", "none"] = "deflate"
    """Of the GeoTIFFs, without loss: deflate is read everywhere, zstd takes half its time, none most room."""


FigurePreset = Literal["news-16x9", "news-1x1", "news-9x16", "a4", "a3-map"]
"""Pages that a figure can be made for."""


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows."""

    picture_px: int = 2048
    """Longest side of the pictures in the HTML."""
    insets: int = 4
    """Regions enlarged in figure.png, and at most so many on a page of `figures`."""
    pdf: bool = True
    """Whether report.pdf, the same content on A4 pages, is written too."""
    figures: tuple[FigurePreset, ...] = ()
    """Pages to draw beside figure.png; none by default, for each costs seconds and megabytes."""
    animate: Literal["gif", "webp"] | None = None
    """Kind of a small moving picture that shows before and after in turn; None: none."""
    embed: bool = False
    """Whether a fragment for a news page is written too; off, because it is made to be published."""
    show_private: bool = False
    """Whether report and manifest tell what files hold of people; off, because a report is passed on."""


@dataclass(frozen=True)
class Settings:
    """All stages together. The same settings and inputs give the same bytes."""

    read: ReadSettings = field(default_factory=ReadSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    diff: DiffSettings = field(default_factory=DiffSettings)
    radar: RadarSettings = field(default_factory=RadarSettings)
    regions: RegionSettings = field(default_factory=RegionSettings)
    buildings: BuildingSettings = field(default_factory=BuildingSettings)
    summary: SummarySettings = field(default_factory=SummarySettings)
    trust: TrustSettings = field(default_factory=TrustSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    write: WriteSettings = field(default_factory=WriteSettings)
    sensor: Literal["optical", "sar"] = "optical"
    """What took the images; sar: one band of radar, speckled, compared by its log-ratio."""
    seed: int = 20201011
    """Seed of every random choice."""
    workers: int = 0
    """Threads; 0: one for each core. Does not change the result."""
    tile_px: int = 512
    """Side of a tile, a multiple of 16. Does not change the result. On two threads 1,024 takes 140 MiB more
    and saves about a fiftieth of the time."""
    max_memory_mib: int | None = None
    """What all processes of a run may take together: threads and tiles are chosen to fit. None: no limit."""

    def __post_init__(self) -> None:
        for key, (low, high) in RANGE.items():
            value: Any = functools.reduce(getattr, key.split("."), self)
            if value is not None and not isinstance(value, str) and not low <= value <= high:
                raise SettingsError(f"{key} = {value}: must lie between {low:g} and {high:g}")
        if self.sensor == "sar" and self.diff.measure != "structure":
            raise SettingsError(
                f"diff.measure = {self.diff.measure}: radar pairs are compared by their log-ratio only. "
                "Leave the measure out"
            )
        named = isinstance(self.diff.threshold, str) and self.diff.threshold != "auto"
        if self.sensor == "sar" and (named or self.diff.hysteresis < 1):
            raise SettingsError("sensor = sar: its threshold is auto or a score, without hysteresis")
        if self.tile_px % 16:
            raise SettingsError(f"tile_px = {self.tile_px}: must be a multiple of 16")


RANGE: dict[str, tuple[float, float]] = {
    "read.max_pixels": (1, 1e12),
    "read.max_bands": (1, 1024),
    "read.max_block_px": (1, 1e12),
    "read.max_pixels_per_byte": (1, 1e12),
    "read.max_directories": (1, 20_000),
    "align.coarse_px": (64, 8192),
    "align.max_shift_px": (0, 1e6),
    "align.window_px": (16, 1024),
    "align.windows_per_side": (2, 256),
    "align.evidence_limit": (0, 1000),
    "align.evidence_limit_turned": (0, 1000),
    "align.min_windows": (3, 10_000),
    "align.max_rival": (0, 10),
    "align.min_coverage": (0, 1),
    "diff.min_comparability": (0, 1),
    "diff.threshold": (0, 1),
    "diff.false_alarm_share": (1e-4, 0.5),
    "radar.false_alarm_rate": (1e-12, 0.5),
    "diff.hysteresis": (0.1, 1),
    "regions.min_region_m2": (0, 1e9),
    "regions.min_region_px": (1, 1e9),
    "regions.crops": (0, 1000),
    "buildings.max_shift_m": (0.1, 1000),
    "buildings.max_shift_px": (1, 64),
    "buildings.false_discovery_rate": (0, 1),
    "summary.cell_m": (0.1, 1e6),
    "summary.cell_px": (16, 1e6),
    "report.picture_px": (64, 16_384),
    "report.insets": (0, 12),
    "seed": (0, 2**32 - 1),
    "workers": (0, 4096),
    "tile_px": (64, 16_384),
    "max_memory_mib": (64, 1e9),
}
"""Least and largest value accepted; a typing mistake should not look like a result."""


def to_dict(settings: Settings) -> dict[str, Any]:
    """Plain nested dict, ready for JSON."""
    return dataclasses.asdict(settings)


def to_toml(settings: Settings) -> str:
    """The TOML file that `load` reads back; what is not set stands there as a comment."""
    values = to_dict(settings)
    stages = [key for key, value in values.items() if isinstance(value, dict)]
    lines = [_toml_line(key, value) for key, value in values.items() if key not in stages]
    for stage in stages:
        lines += ["", f"[{stage}]", *(_toml_line(key, value) for key, value in values[stage].items())]
    return "\n".join(lines) + "\n"


def _toml_line(key: str, value: Any) -> str:
    # Numbers, true/false and strings are written alike in JSON and in TOML.
    return f"# {key} is not set" if value is None else f"{key} = {json.dumps(value)}"


def from_dict(values: dict[str, Any]) -> Settings:
    """Settings from nested plain values; what is not named keeps its default.

    Raises
    ------
    SettingsError
        An unknown key, a wrong type or a value out of range; the message names the key.
    """
    from pydantic import TypeAdapter, ValidationError

    unknown = [k for k in values if k not in {f.name for f in dataclasses.fields(Settings)}]
    if unknown:
        raise SettingsError(f"unknown setting {unknown[0]!r}; `damagediff settings` lists them all")
    for stage, kind in _STAGES.items():
        known = {f.name for f in dataclasses.fields(kind)}
        given = values.get(stage, {})
        if not isinstance(given, dict):
            raise SettingsError(f"{stage}: expected a table of settings, got {given!r}")
        for key in given:
            if key not in known:
                raise SettingsError(f"unknown setting {stage}.{key}; `damagediff settings` lists them all")
    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as error:
        first, *others = error.errors()
        place = first["loc"][:2]  # behind it pydantic names the kinds of which one should have fitted
        said = [first["msg"], *(other["msg"] for other in others if other["loc"][:2] == place)]
        why = [words.replace("Input should", "must") for words in said]
        key = ".".join(str(part) for part in place)
        raise SettingsError(f"{key} = {first['input']!r}: {', or '.join(why)}") from None


_STAGES: dict[str, Any] = {
    "read": ReadSettings,
    "masks": MaskSettings,
    "align": AlignSettings,
    "diff": DiffSettings,
    "radar": RadarSettings,
    "regions": RegionSettings,
    "buildings": BuildingSettings,
    "summary": SummarySettings,
    "trust": TrustSettings,
    "report": ReportSettings,
    "write": WriteSettings,
}


MAX_FILE_BYTES = 4_000_000
"""Of a settings file: a thousand times what all settings take."""


def load(path: Path | None, overrides: tuple[str, ...] = (), first: dict[str, Any] | None = None) -> Settings:
    """Settings from a TOML file, then ``stage.key=value`` overrides, each value written as in TOML.

    `first` holds nested values that both may change: those of a case file.

    Raises
    ------
    SettingsError
        The file is missing or not TOML, or a value is not accepted.
    """
    values = copy.deepcopy(first) if first else {}
    if path is not None:
        try:
            if path.exists() and not (path.is_file() and path.stat().st_size <= MAX_FILE_BYTES):
                raise SettingsError(
                    f"{path}: no regular file of at most {MAX_FILE_BYTES:,} bytes. damagediff settings "
                    "writes one"
                )
            _merge(values, tomllib.loads(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(
                f"{path}: not a readable TOML settings file: {error}. damagediff settings writes one"
            ) from None
    for text in overrides:
        _override(values, text)
    return from_dict(values)


def _merge(values: dict[str, Any], more: dict[str, Any]) -> None:
    """Put nested values over others."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _override(values: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text}: expected KEY=VALUE, for example --set align.window_px=96")
    try:
        parsed = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value
    *stages, name = key.strip().split(".")
    table = values
    for stage in stages:
        table = table.setdefault(stage, {})
        if not isinstance(table, dict):
            raise SettingsError(f"--set {text}: {stage} is not a table of settings")
    table[name] = parsed
