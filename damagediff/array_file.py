"""Part of `raster`: an array as a file, so that it comes in by the same door as every other image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyproj
import rasterio
from affine import Affine
from rasterio.transform import guard_transform

from . import door, limits, tags
from .errors import InputError, OutputError
from .types import Array, BoolArray, Grid

SOFTWARE = "damagediff, from an array"
"""What the file says of its maker."""
_BLOCK_PX = 256
MAX_NAME_BYTES = 200


class HasWkt(Protocol):
    """A CRS of pyproj or rasterio."""

    def to_wkt(self) -> str:
        """The CRS as WKT."""
        ...


@dataclass(frozen=True, eq=False)
class Raster:
    """One image as an array, with where it lies and what its values mean.

    It is written to a GeoTIFF without loss and read from there like any other file: the same checks, the same
    bytes out. `save` writes that file, for whoever is to repeat the comparison.

    Examples
    --------
    >>> import numpy as np
    >>> from affine import Affine
    >>> pixels = np.zeros((3, 600, 800), np.uint8)  # (bands, rows, cols)
    >>> Raster(pixels).pixels.shape
    (3, 600, 800)
    >>> Raster(pixels, Affine(0.5, 0, 680_000, 0, -0.5, 4_505_000), "EPSG:32638", name="before").name
    'before'
    """

    pixels: Array
    """(rows, cols) or (bands, rows, cols), row 0 at the top, at least 64 px a side. uint8, uint16, int16,
    uint32, int32, float16, float32 or float64, in any unit; NaN and infinity are not valid. Of a numpy
    masked array what is masked in any band is not valid."""
    transform: Affine | None = None
    """(col, row) of pixel *corners* to (x, y) in `crs`, as rasterio gives it; None: plain pixels."""
    crs: str | HasWkt | None = None
    """``EPSG:n``, WKT, or a CRS of pyproj or rasterio; given together with `transform`, or not at all."""
    bands: tuple[str, ...] | None = None
    """Role of each band: red, green, blue, nir, grey, alpha or other, each once but other. None: one band is
    grey, three are red, green and blue, and of others the first is used, as grey."""
    valid: BoolArray | None = None
    """(rows, cols) True where usable; None: everywhere."""
    nodata: float | None = None
    """Value of pixels that hold nothing, in the unit of the pixels; None: there is none."""
    name: str | None = None
    """What reports call it, and the name of its file without ``.tif``; None: before or after."""

    @classmethod
    def on_grid(cls, pixels: Array, grid: Grid, name: str | None = None) -> Raster:
        """An array on a `Grid`, such as that of an earlier comparison; `dataclasses.replace` tells more.

        Raises
        ------
        InputError
            The array has other rows and columns than the grid.
        """
        shape = np.shape(pixels)[-2:]
        if shape != grid.shape:
            found, asked = (" x ".join(map(str, each)) for each in (shape, grid.shape))
            raise InputError(f"{name or 'an array'}: {found} px do not fit a grid of {asked}")
        if grid.crs is None:
            return cls(pixels, name=name)
        return cls(pixels, grid.transform, grid.crs, name=name)

    def save(self, path: Path | str) -> Path:
        """Write the GeoTIFF that the comparison reads: the same array, the same bytes.

        Bands called other are left out: nothing looks at them.

        Parameters
        ----------
        path : Path or str
            What is there is replaced.

        Returns
        -------
        Path

        Raises
        ------
        InputError
            The array cannot be an image: its shape, type, roles, mask, nodata value or place.
        OutputError
            There is a folder of that name, or the disk refuses.
        """
        path = Path(path)
        if path.is_dir():
            raise OutputError(f"{tags.printable(path)}: a folder. Name the file to write")
        whole = _checked(self, tags.printable(self.name or path.stem))
        _write(whole, path)
        return path


def _checked(raster: Raster, name: str) -> Raster:
    """The same with three axes, its mask in `valid`, without bands that are not used; else InputError."""
    try:
        pixels = np.asanyarray(raster.pixels)
    except ValueError:  # rows of several lengths
        raise InputError(f"{name}: a {type(raster.pixels).__name__} that is no array") from None
    valid = None if raster.valid is None else np.asanyarray(raster.valid)
    _check_valid(valid, pixels.shape[-2:], name)
    if isinstance(pixels, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(pixels).reshape(-1, *pixels.shape[-2:]).any(axis=0)
        valid = np.asarray(~masked if valid is None else ~masked & valid, np.bool_)
        pixels = np.asarray(pixels.data)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    _check_pixels(pixels, name)
    _check_nodata(raster.nodata, pixels.dtype, name)
    if (raster.transform is None) != (raster.crs is None):
        lacking = "crs" if raster.crs is None else "transform"
        raise InputError(f"{name}: has no {lacking}. Give transform and crs, or neither for plain pixels")
    bands = raster.bands
    if bands is not None:
        _check_bands(bands, len(pixels), name)
        used = [k for k, role in enumerate(bands) if role != "other"]
        pixels, bands = (pixels if len(used) == len(bands) else pixels[used]), tuple(bands[k] for k in used)
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    crs = None if raster.crs is None else _wkt(raster.crs, name)
    place = None if raster.transform is None else _transform(raster.transform, name)
    return replace(raster, pixels=pixels, valid=valid, bands=bands, crs=crs, transform=place, name=name)


def _check_pixels(pixels: Array, name: str) -> None:
    if pixels.ndim != 3 or not pixels.size:
        raise InputError(
            f"{name}: an array of shape {pixels.shape} is no image: (rows, cols) or (bands, rows, cols)"
        )
    if pixels.shape[2] <= 4 < pixels.shape[0]:
        raise InputError(
            f"{name}: {pixels.shape} has its bands last. Put them first: numpy.moveaxis(pixels, -1, 0)"
        )
    if pixels.dtype.name not in limits.DTYPES:
        known = ", ".join(limits.DTYPES)
        raise InputError(
            f"{name}: pixels of type {pixels.dtype.name} are not read, only {known}. Convert them"
        )


def _check_valid(valid: BoolArray | None, shape: tuple[int, ...], name: str) -> None:
    if valid is not None and (valid.dtype != np.bool_ or valid.shape != shape):
        raise InputError(f"{name}: valid is {valid.dtype.name} of shape {valid.shape}, not bool of {shape}")


def _check_nodata(nodata: float | None, kind: np.dtype[Any], name: str) -> None:
    if nodata is None:
        return
    if isinstance(nodata, int | float | np.integer | np.floating):
        if kind.kind == "f":
            most = float(np.finfo(np.result_type(kind, np.float32)).max)
            fits = nodata != nodata or abs(nodata) == np.inf or abs(nodata) <= most
        else:
            fits = np.iinfo(kind).min <= nodata <= np.iinfo(kind).max and float(nodata).is_integer()
        if fits:
            return
    told = tags.printable(nodata)[:40]
    raise InputError(f"{name}: nodata {told} is no value of {kind.name}. Leave it out")


def _check_bands(bands: tuple[str, ...], count: int, name: str) -> None:
    if not isinstance(bands, tuple | list) or not all(isinstance(role, str) for role in bands):
        raise InputError(f"{name}: bands: not a tuple of texts. Known are {', '.join(tags.ROLES)}")
    unknown = sorted(set(bands) - (set(tags.ROLES) - {"palette"}))
    twice = sorted({role for role in set(bands) - {"other"} if bands.count(role) > 1})
    if len(bands) != count or unknown or twice:
        why = f"{len(bands)} bands are named and {count} there" if len(bands) != count else ""
        odd = f"{'unknown' if unknown else 'named twice'}: {', '.join(map(tags.printable, unknown or twice))}"
        why = why or odd
        raise InputError(f"{name}: bands: {why}. Known are {', '.join(tags.ROLES)}, each once but other")
    if not set(bands) - {"alpha", "other"}:
        raise InputError(f"{name}: bands: none is left to compare beside alpha and other")


def _wkt(crs: str | HasWkt, name: str) -> str:
    """The CRS as WKT, whatever it came as."""
    if not isinstance(crs, str) and not hasattr(crs, "to_wkt"):
        told = tags.printable(crs)[:40]
        raise InputError(f"{name}: CRS {told}: not EPSG:n, WKT or a CRS of pyproj or rasterio")
    text = crs if isinstance(crs, str) else crs.to_wkt()
    try:
        return str(pyproj.CRS.from_user_input(text).to_wkt())
    except pyproj.exceptions.CRSError as error:
        raise InputError(f"{name}: CRS {tags.printable(text)[:80]}: {tags.printable(error)[:200]}") from None


def _transform(transform: Any, name: str) -> Affine:
    """Six numbers in the order of affine, not in that of GDAL."""
    try:
        return guard_transform(transform)
    except (TypeError, ValueError, LookupError):
        told = tags.printable(transform)[:80]
        raise InputError(
            f"{name}: transform {told}: not an affine.Affine. One of GDAL: Affine.from_gdal(*numbers)"
        ) from None


def _write(raster: Raster, path: Path) -> None:
    pixels, name = raster.pixels, raster.name
    count, rows, cols = pixels.shape
    place: dict[str, Any] = {} if raster.crs is None else {"transform": raster.transform, "crs": raster.crs}
    colour = raster.bands is not None and raster.bands[:3] == ("red", "green", "blue")
    try:
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_PAM_ENABLED=False),
            door.quiet(),
            rasterio.open(
                path, "w", driver="GTiff", width=cols, height=rows, count=count, dtype=pixels.dtype.name,
                nodata=raster.nodata, tiled=True, blockxsize=_BLOCK_PX, blockysize=_BLOCK_PX, ALPHA="NO",
                photometric="RGB" if colour else "MINISBLACK", BIGTIFF="IF_NEEDED", **place,
            ) as out,
        ):  # fmt: skip
            out.update_tags(TIFFTAG_SOFTWARE=SOFTWARE)
            for band, role in enumerate(raster.bands or (), 1):
                out.set_band_description(band, role)
            out.write(pixels)
            if raster.valid is not None:
                out.write_mask(raster.valid)
    except (*door.GDAL_ERRORS, ValueError) as error:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"{tags.printable(name)}: cannot be written as a GeoTIFF ({door.reason(error)})"
        ) from error
