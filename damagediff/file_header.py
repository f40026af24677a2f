"""What travels between those who ask about a file and those who decode it: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """What is to be decoded, and how."""

    path: Path
    driver: str
    name: str
    tolerant: bool = False
    """See `Integrity.tolerant`."""
    damaged: bool = False
    """Known to be damaged: blocks that cannot be decoded hold no data, instead of an error."""
    remote: bool = False
    """Full of holes, which `remote` has to fill before they are decoded."""


@dataclass(frozen=True)
class Layout:
    """What limits are held against."""

    driver: str
    shape: tuple[int, int]
    dtypes: tuple[str, ...]
    block: tuple[int, int]
    band_interleaved: bool

    @property
    def count(self) -> int:
        """Bands."""
        return len(self.dtypes)

    @property
    def samples(self) -> int:
        """Numbers to decode: pixels times bands."""
        return self.shape[0] * self.shape[1] * self.count


@dataclass(frozen=True)
class Header:
    """What the file says of itself."""

    nodata: float | None
    transform: tuple[float, ...]
    """Six numbers of an affine transform."""
    crs: str | None
    """``EPSG:n`` or WKT; None for none and for those not tied to Earth."""
    control_points: tuple[tuple[float, float, float, float], ...]
    """Column and row, the corner of the first pixel at (0, 0), and x and y in `points_crs`."""
    points_crs: str | None
    camera_model: bool
    colours: tuple[str, ...]
    """GDAL's colour interpretation of each band."""
    descriptions: tuple[str | None, ...]
    tags: dict[str, str]
    domains: tuple[str, ...]
    full_scale: int | None
    """What white is stored as, in grey of fewer than 8 bits; it is read as 255. None for all else."""
    structure: dict[str, str]
    """How pixels are stored, in GDAL's words: COMPRESSION, JPEG_QUALITY, SOURCE_COLOR_SPACE."""
    xmp: tuple[str, ...]
    band_tags: tuple[dict[str, str], ...] = ()
    """Of each band, statistics among them where the file has any."""
