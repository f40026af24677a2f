"""Where a file says it lies, or its user does: CRS, transform and world file, checked before use."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import NamedTuple

import rasterio
from affine import Affine
from rasterio.crs import CRS

from . import control_points, door, tags
from .errors import InputError, SettingsError
from .file_header import Header
from .types import Source


class Place(NamedTuple):
    """Where a file says it lies; identity and None when it does not say."""

    transform: Affine
    crs: str | None
    world_file_sha256: str | None
    notes: tuple[str, ...]


def find(header: Header, source: Source, name: str) -> Place:
    """Where the image lies, by its own tags or by the world file that the user names.

    Raises
    ------
    InputError
        Only a camera model, or ground control points that no affine meets; a CRS without transform; a
        transform that turns areas into nothing.
    """
    crs, transform, digest = header.crs, Affine(*header.transform), None
    own = not transform.is_identity
    stated = None if source.crs is None else stated_crs(source.crs)
    if source.world_file is not None:
        transform, digest = _read_world_file(source.world_file)
    elif not own and header.control_points:
        return Place(*_by_control_points(header, stated, name))
    elif not own and header.camera_model:
        advice = "gdalwarp -rpc with a terrain model"
        raise InputError(f"{name}: placed only by a camera model (RPC). Rectify it first: {advice}")
    if crs is None and stated is None:
        return Place(Affine.identity(), None, digest, _why_nowhere(source, own))
    if transform.is_identity:
        raise InputError(
            f"{name}: a CRS but no transform. Give its world file, or assign one: "
            "gdal_edit.py -a_ullr ULX ULY LRX LRY"
        )
    determinant = transform.a * transform.e - transform.b * transform.d
    if not (all(map(math.isfinite, transform[:6])) and determinant != 0):
        numbers = ", ".join(f"{value:g}" for value in transform[:6])
        raise InputError(f"{name}: its transform ({numbers}) has no inverse. Assign a right one")
    notes = ("The world file is used in place of its own transform.",) * (digest is not None and own)
    if stated is not None and crs is not None and stated != crs:
        notes += (f"{stated}, as stated, is used in place of its own CRS.",)
    elif stated is not None and crs is None:
        notes += (f"Its CRS {stated} is as stated by the user.",)
    return Place(transform, stated or crs, digest, notes)


def stated_crs(text: str) -> str:
    """A CRS as a user states it, checked.

    Raises
    ------
    SettingsError
        Not ``EPSG:n``, or not a code of a CRS on Earth.
    """
    if not re.fullmatch(r"EPSG:[0-9]{4,6}", text, re.IGNORECASE):
        raise SettingsError(f"CRS {tags.printable(text)}: give a code like EPSG:32638")
    try:
        with rasterio.Env():
            crs = CRS.from_epsg(int(text[5:]))
    except (*door.GDAL_ERRORS, ValueError) as error:
        raise SettingsError(
            f"CRS {text}: not known ({door.reason(error)}). Give a code like EPSG:32638"
        ) from error
    if not (crs.is_geographic or crs.is_projected):
        raise SettingsError(
            f"CRS {text}: neither geographic nor projected, so it places no image. Give that of the map it "
            "lies on"
        )
    return text.upper()


def _why_nowhere(source: Source, own: bool) -> tuple[str, ...]:
    if source.world_file is not None:
        return (
            "A world file names no CRS and the image has none: used without georeference. "
            "State it with --before-crs or --after-crs.",
        )
    return ("It has a transform but no CRS on Earth: used without georeference.",) * own


def _by_control_points(
    header: Header, stated: str | None, name: str
) -> tuple[Affine, str, None, tuple[str, ...]]:
    own = header.points_crs
    transform, crs, note = control_points.fit(header.control_points, stated or own, name)
    if stated is None:
        return transform, crs, None, (note,)
    used = f"{stated}, as stated, is used as the CRS of its ground control points"
    return transform, crs, None, (note, f"{used}, in place of their own." if own else f"{used}.")


def _read_world_file(path: Path) -> tuple[Affine, str]:
    """Transform of pixel corners, and SHA-256, of a world file, which tells the centre of the first pixel."""
    name = tags.printable(path.name)
    real = door.regular_file(path, name)
    with door.input_errors(name, "not a world file"), real.open("rb") as file:
        content = file.read(4096)
        a, d, b, e, x, y = (float(word) for word in content.decode("ascii").split())
        if not (all(map(math.isfinite, (a, b, d, e, x, y))) and a * e - b * d):
            raise ValueError("its pixels have no size")
    corner = Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)
    return corner, hashlib.sha256(content).hexdigest()
