"""What is written beside the pixels: reduced copies, statistics, and the check of what came to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from damagediff import cog, tiles
from damagediff.errors import OutputError
from damagediff.types import Grid

Pixels = np.ndarray[Any, Any]
LONG = (40, 9000)
"""So long that the last reduced copies cannot be made of single tiles."""
ODD = (701, 1035)


def pixels(shape: tuple[int, int], dtype: str, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 255, (2, *shape)).astype(dtype)


def write(
    path: Path, data: Pixels, valid: Pixels | None, tile_px: int, backwards: bool = False, **how: Any
) -> None:
    windows = tiles.plan(data.shape[1:], tile_px)
    on = Grid(data.shape[1:], Affine(0.5, 0, 250_000, 0, -0.5, 4_050_000), "EPSG:32638", 0.5)
    with cog.Writer(path, on, len(data), data.dtype.name, **how) as out:
        for window in reversed(windows) if backwards else windows:
            out.write(window, data[:, *window.slices], None if valid is None else valid[window.slices])


def block_means(data: Pixels, valid: Pixels) -> tuple[Pixels, Pixels]:
    """Of 2 x 2 pixels, one by one, in float64."""
    rows, cols = (-(-n // 2) for n in data.shape[1:])
    total, count = np.zeros((len(data), rows, cols)), np.zeros((rows, cols))
    for dy in (0, 1):
        for dx in (0, 1):
            part, seen = data[:, dy::2, dx::2], valid[dy::2, dx::2]
            at = np.s_[..., : part.shape[1], : part.shape[2]]
            total[at] += np.where(seen, part, 0)
            count[at] += seen
    mean = total / np.maximum(count, 1)
    return (mean if data.dtype.kind == "f" else np.floor(mean + 0.5)).astype(data.dtype), count > 0


@pytest.mark.parametrize("shape", [LONG, ODD])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_each_copy_holds_the_means_of_the_valid_pixels_of_the_one_before(
    tmp_path: Path, shape: tuple[int, int], dtype: str
) -> None:
    data, valid = pixels(shape, dtype), np.random.default_rng(1).random(shape) < 0.4
    write(tmp_path / "a.tif", data, valid, 256)
    with rasterio.open(tmp_path / "a.tif") as file:
        levels = len(file.overviews(1))
    assert levels == (5 if shape == LONG else 2)
    for level in range(levels):
        data, valid = block_means(data, valid)
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as copy:
            np.testing.assert_array_equal(copy.read_masks(1) > 0, valid)
            np.testing.assert_array_equal(copy.read()[:, valid], data[:, valid])


def test_copies_of_classes_hold_classes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).choice([0, 1, 2, 255], (1, *ODD)).astype(np.uint8)
    write(tmp_path / "a.tif", data, None, 256, nodata=255, resampling="nearest")
    for level in range(2):
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as copy:
            np.testing.assert_array_equal(copy.read(), data[:, :: 2 << level, :: 2 << level])


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", None), ("float32", None), ("uint16", 7)])
def test_parts_and_their_order_change_no_byte(tmp_path: Path, dtype: str, nodata: int | None) -> None:
    data, valid = pixels(LONG, dtype), np.indices(LONG)[1] % 700 > 90
    write(tmp_path / "a.tif", data, valid, 9008, nodata=nodata)
    for tile_px in (1024, 80):
        write(tmp_path / "b.tif", data, valid, tile_px, backwards=True, nodata=nodata)
        assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", None), ("uint16", 7), ("int16", None), ("float32", -1)]
)
def test_statistics_are_those_of_all_valid_pixels(tmp_path: Path, dtype: str, nodata: int | None) -> None:
    data, valid = pixels(ODD, dtype), np.random.default_rng(1).random(ODD) < 0.4
    write(tmp_path / "a.tif", data, valid, 256, nodata=nodata)
    with rasterio.open(tmp_path / "a.tif") as file:
        for band, values in enumerate(data, 1):
            used, told = values[valid & (values != nodata)].astype(np.float64), file.tags(band)
            assert float(told["STATISTICS_MINIMUM"]) == used.min()
            assert float(told["STATISTICS_MAXIMUM"]) == used.max()
            assert told["STATISTICS_MEAN"] == f"{used.mean():.6g}"
            assert told["STATISTICS_STDDEV"] == f"{used.std():.6g}"
            assert told["STATISTICS_VALID_PERCENT"] == f"{100 * used.size / values.size:.4g}"


def test_nothing_valid_has_no_statistics(tmp_path: Path) -> None:
    for dtype in ("uint8", "float32"):
        write(tmp_path / "a.tif", pixels(ODD, dtype), np.zeros(ODD, bool), 256)
        with rasterio.open(tmp_path / "a.tif", overview_level=0) as copy:
            assert not copy.read_masks(1).any()
        with rasterio.open(tmp_path / "a.tif") as file:
            assert not [name for name in file.tags(1) if name.startswith("STATISTICS")]


@pytest.mark.parametrize("what", ["pixel", "mask"])
def test_one_wrong_value_on_the_disk_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    copy = cog.rasterio.shutil.copy

    def damaged(source: Path, target: Path, **options: Any) -> None:
        copy(source, target, **options)
        if options["driver"] != "COG":
            return
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
            if what == "pixel":
                file.write(file.read(1, window=((9, 10), (9, 10))) ^ 1, 1, window=((9, 10), (9, 10)))
            else:
                file.write_mask(np.zeros((1, 1), bool), window=((9, 10), (9, 10)))

    data = pixels(ODD, "uint8")
    write(tmp_path / "a.tif", data, None, 256)
    monkeypatch.setattr(cog.rasterio.shutil, "copy", damaged)
    with pytest.raises(OutputError, match="b.tif: cannot be written .what was read back differs"):
        write(tmp_path / "b.tif", data, None, 256)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_part_that_begins_between_blocks_of_the_copies_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="col=8"):
        write(tmp_path / "a.tif", pixels((64, 64), "uint8"), None, 8)
    assert not list(tmp_path.iterdir())
