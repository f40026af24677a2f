"""One part of a picture as an image of its own: a panel of a composite."""

from __future__ import annotations

from dataclasses import replace

from affine import Affine

from .errors import InputError
from .types import Image, Window


def of(image: Image, crop: Window) -> Image:
    """One part of a picture as an image of its own, without georeference and angle of view of the whole.

    A page of two pictures has one of each at most, and it is true of none or one of them.

    Raises
    ------
    InputError
        `crop`, in pixels as shown, does not lie inside the picture.
    """
    rows, cols = image.shape
    inside = crop.row >= 0 and crop.col >= 0 and crop.row + crop.rows <= rows and crop.col + crop.cols <= cols
    if not inside or min(crop.rows, crop.cols) < 1:
        x, y, w, h = crop.col, crop.row, crop.cols, crop.rows
        raise InputError(
            f"{image.name}: the panel {x},{y},{w},{h} does not lie inside its {cols} x {rows} px. "
            "Give x,y,w,h in pixels with --panels"
        )
    notes = image.notes
    if image.georeferenced:
        notes += ("Its georeference is not used: it is cut from a picture of two.",)
    return replace(
        image,
        shape=(crop.rows, crop.cols),
        transform=Affine.identity(),
        crs=None,
        crop=crop,
        whole_shape=image.shape,
        off_nadir_deg=None,
        notes=notes,
    )


def whole(image: Image) -> Image:
    """The picture that an image is a part of; the image itself when it is all of it."""
    return replace(image, shape=image.whole_shape or image.shape, crop=None, whole_shape=None)
