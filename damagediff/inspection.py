"""Letting one image in: opened the safe way, held against limits, found whole, and asked about itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from . import decoder, decoding, door, georeference, integrity, jpeg_tables, limits, map_points, part, tags
from .errors import InputError
from .file_header import File, Header, Layout
from .provenance import Integrity
from .settings import ReadSettings
from .types import BoolArray, Image, Source


def inspect(source: Source, settings: ReadSettings) -> Image:
    """Open one image the safe way and tell what it says of itself; no pixel is read.

    Of one that is read from an address by parts, its header and directories are looked at.
    Only GeoTIFF, PNG, JPEG, WebP, JPEG 2000 and plain BMP pass, told by their first bytes and opened with
    that one driver; overviews, sidecars and references to other files are never followed.

    Parameters
    ----------
    source : Source
        A regular file on this machine, or what `remote` made of an address, and what the user says of it.
    settings : ReadSettings
        Limits, held against the header.

    Raises
    ------
    InputError
        Not a regular file, not such an image, damaged, too large, of a type that is not read, or with a
        georeference that leads nowhere.
    """
    name = tags.printable(source.path.name)
    path = door.regular_file(source.path, name)
    driver = door.driver_of(path, name)
    with door.input_errors(name):
        digest, size_bytes = None if source.address else _sha256(path), path.stat().st_size
        if driver == "GTiff":
            limits.check_directories(integrity.directories(path), name, settings)
        found = integrity.check(path, driver)
    _accepted(found, name, settings, source.address)
    file = File(path, driver, name, damaged=found.state == "damaged", remote=source.address is not None)
    with closing(decoding.open_file(file)) as one:
        layout = decoder.layout(one.ask("layout"))
        limits.check(layout, size_bytes, name, settings)
        one.expect(layout.samples)
        header = decoder.header(one.ask("header"))
        said = one.ask("complaints") if driver == "JPEG" and not file.damaged else None
        absent, _ = decoder.unpacked(one.ask("absent"))
    if said is not None and said["failed"]:
        found = _judged(file, found, said, layout.samples)
        _accepted(found, name, settings, source.address)
        with closing(
            decoding.open_file(
                replace(file, damaged=not found.tolerant, tolerant=found.tolerant), layout.samples
            )
        ) as one:
            absent, _ = decoder.unpacked(one.ask("absent"))
    image = _described(layout, header, source, (path, digest, size_bytes))
    notes = (*image.notes, *_oddities(header, image.dtype, absent), *_integrity_notes(found))
    image = replace(image, notes=notes, integrity=found)
    image = image if source.crop is None else part.of(image, source.crop)
    return image if source.map_points is None else map_points.place(image, source.map_points)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _accepted(found: Integrity, name: str, settings: ReadSettings, address: str | None) -> None:
    if found.state == "damaged" and address is not None:
        raise InputError(f"{name}: damaged: {'; '.join(found.findings)}. Download it, then give the file")
    if found.state == "damaged" and not settings.accept_damaged:
        raise InputError(
            f"{name}: damaged: {'; '.join(found.findings)}. Get the file again from where it came, "
            "or use what is left of it: --accept-damaged"
        )


def _judged(file: File, found: Integrity, said: decoder.Answer, samples: int) -> Integrity:
    """What is wrong with a JPEG that did not decode to its end: its container does not tell."""
    if decoder.maybe_benign(said):
        with closing(decoding.open_file(replace(file, tolerant=True), samples)) as one:
            again = one.ask("complaints")
        if decoder.benign(again):
            told = "bytes between its segments that its decoder skips"
            return Integrity("unusual", (*found.findings, told), tolerant=True)
        said = again if again["failed"] else said | {"failed": again["lines"][-1]}
    return Integrity("damaged", (f"it cannot be decoded to its end ({said['failed']})", *found.findings))


def _integrity_notes(found: Integrity) -> Iterator[str]:
    if found.state == "unusual":
        yield f"Unusual file: {'; '.join(found.findings)}."
    elif found.state == "damaged":
        yield (
            f"DAMAGED file, accepted by the user: {'; '.join(found.findings)}. What cannot be decoded is not "
            "valid; what is decoded after damage may be wrong."
        )


# ---- what the file says -------------------------------------------------------------------------


def _described(layout: Layout, header: Header, source: Source, file: tuple[Path, str | None, int]) -> Image:
    name = tags.printable(source.path.name)
    path, digest, size_bytes = file
    exif = tags.read_exif(path, layout.driver)
    said = header.tags | exif
    roles, role_note = _roles(header, source, name)
    place = georeference.find(header, source, name)
    orientation, turn_note = _orientation(exif, place.crs)
    acquired, date_notes = tags.acquisition(source, said)
    made_up = tags.synthetic(said)
    said_notes = (f"Synthetic image: {made_up}" if made_up else None, role_note, turn_note)
    record = replace(
        source.record,
        credit=source.record.credit or source.credit,
        url=source.record.url or source.address,
    )
    doubts = record.doubts(digest, acquired.acquired)
    notes = (*said_notes, *_remote_notes(source), *place.notes, *date_notes, *doubts)
    return Image(
        path=path,
        name=name,
        driver=layout.driver,
        sha256=digest,
        size_bytes=size_bytes,
        shape=tags.shown_shape(layout.shape, orientation),
        dtype=layout.dtypes[0],
        roles=roles,
        nodata=header.nodata,
        transform=place.transform,
        crs=place.crs,
        orientation=orientation,
        acquisition=acquired,
        credit=source.credit,
        jpeg_quality=_jpeg_quality(layout.driver, header, path),
        off_nadir_deg=tags.off_nadir_deg(said),
        notes=tuple(note for note in notes if note),
        world_file_sha256=place.world_file_sha256,
        record=record,
        address=source.address,
    )


def _remote_notes(source: Source) -> Iterator[str]:
    if source.address is not None:
        yield (
            f"Read by parts from {source.address} and not kept whole: the SHA-256 of the file is not known, "
            "and only its header and directories were checked for what is broken. The manifest has the hash "
            "of what was read."
        )


def _jpeg_quality(driver: str, header: Header, path: Path) -> int | None:
    """Of a JPEG by its tables; of a TIFF packed as JPEG as GDAL tells it."""
    if driver == "JPEG":
        return jpeg_tables.quality(path)
    packed = "JPEG" in header.structure.get("COMPRESSION", "").upper()
    told = header.structure.get("JPEG_QUALITY", "") if packed else ""
    return int(told) if told.isdecimal() and 1 <= int(told) <= 100 else None


def file_of(image: Image) -> File:
    """How its file is to be decoded."""
    damaged = image.integrity.state == "damaged"
    remote = image.address is not None
    return File(image.path, image.driver, image.name, image.integrity.tolerant, damaged, remote)


def _roles(header: Header, source: Source, name: str) -> tuple[tuple[str, ...], str | None]:
    if source.bands is None:
        roles, note = tags.band_roles(header.colours, header.descriptions)
    else:
        roles, note = source.bands, None
        if len(roles) != len(header.colours):
            raise InputError(
                f"{name}: {len(roles)} bands named, but the file has {len(header.colours)}. Name each, "
                "other for those not needed"
            )
        unknown = sorted(set(roles) - set(tags.ROLES))
        if unknown:
            raise InputError(f"{name}: unknown band {', '.join(unknown)}; known are {', '.join(tags.ROLES)}")
        twice = sorted({role for role in set(roles) - {"other"} if roles.count(role) > 1})
        if twice:
            raise InputError(f"{name}: band {twice[0]} named twice. Call those that are not needed other")
    if not set(roles) - {"alpha"}:
        raise InputError(f"{name}: it has no band but alpha, so nothing to compare. Give the picture itself")
    return roles, note


def _orientation(exif: dict[str, str], crs: str | None) -> tuple[int, str | None]:
    orientation = int(exif.get("ORIENTATION", 1))
    if orientation == 1:
        return 1, None
    if crs is not None:
        return 1, f"Its EXIF orientation {orientation} is not applied, because it is georeferenced."
    return orientation, f"Turned as its EXIF orientation {orientation} asks."


def _oddities(header: Header, dtype: str, absent: BoolArray) -> Iterator[str]:
    """Sentences on what is unusual, and on what was not followed."""
    for domain in ("OVERVIEWS", "GEOLOCATION"):
        if domain in header.domains:
            yield f"A tag of it names other files ({domain}): not followed."
    if "SUBDATASETS" in header.domains:
        yield "The file holds several pictures: the first is used."
    if header.full_scale is not None:
        yield f"Its grey is stored as 0 to {header.full_scale}: read as 0 to 255."
    if (space := header.structure.get("SOURCE_COLOR_SPACE")) in ("CMYK", "CIELAB"):
        yield f"Stored as {space}: its colours are the decoder's, without a colour profile."
    if "MINISWHITE" in header.structure and header.colours[:1] != ("palette",):
        yield "Its white is stored as 0, and its values are read as stored: it looks like a negative."
    if header.colours[:1] == ("palette",) and dtype == "uint16":
        yield "Its values lead to colours of 8 bits: finer steps are not used."
    if absent.any():
        yield f"{int(absent.sum()):,} of its {absent.size:,} internal blocks hold no data: not valid there."
