"""Outlines on drawn roofs: displaced by a known shift, and left alone where nothing shows one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from damagediff import footprint_fit
from damagediff.settings import BuildingSettings
from damagediff.types import FootprintFit, Grid, Outline, Window

ASKED = BuildingSettings(max_shift_px=16)
GRID = Grid((1100, 1100))


def town(seed: int = 1) -> tuple[np.ndarray, list[Outline]]:
    """Turned roofs of many sizes and tones on textured ground, and their outlines."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.standard_normal(GRID.shape).astype(np.float32), (0, 0), 2) * 60 + 110
    outlines = []
    for row in range(60, 1050, 70):
        for col in range(60, 1050, 70):
            if rng.random() < 0.35:
                continue
            size = rng.uniform(18, 36, 2)
            centre = np.array([row, col]) + rng.uniform(-12, 12, 2)
            box = cv2.boxPoints((tuple(centre[::-1]), tuple(size), rng.uniform(0, 90)))
            cv2.fillPoly(ground, [np.rint(box).astype(np.int32)], float(rng.uniform(60, 220)))
            ring = tuple((float(y), float(x)) for x, y in (*box, box[0]))
            outlines.append(((ring,),))
    noise = rng.normal(0, 4, GRID.shape)
    return np.clip(ground + noise, 0, 255).astype(np.uint8), outlines


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, list[Outline]]:
    return town()


def displaced(outlines: list[Outline], shift) -> list[Outline]:
    def one(outline: Outline, by) -> Outline:
        return tuple(
            tuple(tuple((r + by[0], c + by[1]) for r, c in ring) for ring in part) for part in outline
        )

    return [one(outline, shift(outline) if callable(shift) else shift) for outline in outlines]


def fitted(picture: np.ndarray, outlines: list[Outline]) -> FootprintFit:
    places = footprint_fit.places(outlines, GRID, ASKED)
    pad = 200
    around = np.pad(picture, pad, mode="reflect")
    surfaces = []
    for place in places:
        window = Window(place.window.row + pad, place.window.col + pad, *place.window[2:])
        surface = footprint_fit.agreement(around[window.slices], np.ones(window[2:], bool), place)
        assert surface is not None
        surfaces.append(surface)
    return footprint_fit.fit(places, surfaces, GRID)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (5.0, -9.0), (-12.0, 3.5), (0.0, 14.0)])
def test_a_known_shift_is_found(scene, shift) -> None:
    picture, outlines = scene
    found = fitted(picture, displaced(outlines, shift))
    assert np.array(found.scene.shift_rc) + shift == pytest.approx([0, 0], abs=0.7)
    back = footprint_fit.moved(displaced(outlines, shift), found)
    apart = [np.array(b[0][0][0]) - np.array(o[0][0]) for (b), o in zip(back, outlines, strict=True)]
    assert np.median(np.hypot(*np.concatenate(apart).T)) < 0.7


def test_outlines_in_place_stay_there(scene) -> None:
    picture, outlines = scene
    found = fitted(picture, outlines)
    assert found.scene.length_px < 0.7 and all(b.length_px < 0.7 for b in found.blocks)


def test_each_block_has_its_own_shift(scene) -> None:
    picture, outlines = scene
    by = {(0, 0): (4.0, 4.0), (0, 1): (-6.0, 4.0), (1, 0): (4.0, -6.0), (1, 1): (8.0, 8.0)}

    def shift(outline: Outline) -> tuple[float, float]:
        middle = np.array(outline[0][0])[:-1].mean(0) // 512
        return by.get((int(middle[0]), int(middle[1])), (4.0, 4.0))

    found = fitted(picture, displaced(outlines, shift))
    large = [block for block in found.blocks if block.block in by and block.outlines > 20]
    assert len(large) == 4
    for block in large:
        assert np.array(block.shift_rc) + by[block.block] == pytest.approx([0, 0], abs=1)


def test_outlines_of_another_place_show_no_shift(scene) -> None:
    picture, _ = scene
    _, elsewhere = town(9)
    turned = [
        tuple(tuple(tuple((c, 1099.0 - r) for r, c in ring) for ring in part) for part in outline)
        for outline in elsewhere
    ]
    found = fitted(picture, turned)
    assert found.scene.shift_rc == (0.0, 0.0) and "no" in found.scene.reason


def test_few_outlines_and_flat_pictures_show_nothing(scene) -> None:
    picture, outlines = scene
    found = fitted(picture, outlines[:5])
    assert found.scene.shift_rc == (0.0, 0.0) and "only 5" in found.scene.reason and found.blocks == ()
    place = footprint_fit.places(outlines, GRID, ASKED)[0]
    flat = np.full(place.window[2:], 90, np.uint8)
    assert footprint_fit.agreement(flat, np.ones(flat.shape, bool), place) is None
    assert footprint_fit.agreement(flat, np.zeros(flat.shape, bool), place) is None
    nothing = footprint_fit.fit((), (), GRID)
    assert nothing.scene.outlines == 0 and footprint_fit.moved([], nothing) == []


def test_the_sign_of_an_edge_does_not_count(scene) -> None:
    picture, outlines = scene
    shift = displaced(outlines, (3.0, -4.0))
    assert fitted(255 - picture, shift).scene.shift_rc == pytest.approx(
        fitted(picture, shift).scene.shift_rc, abs=0.2
    )


def test_splinters_and_giants_take_no_part() -> None:
    def box(row, col, height, width) -> Outline:
        return (
            (((row, col), (row, col + width), (row + height, col + width), (row + height, col), (row, col)),),
        )

    outlines = [
        box(300.0, 300.0, 3.0, 40.0),
        box(100.0, 100.0, 600.0, 600.0),
        box(-10.0, 300.0, 30.0, 30.0),
        box(300.0, 300.0, 30.0, 30.0),
        ((((5.0, 5.0), (5.0, 5.0), (5.0, 5.0), (5.0, 5.0)),),),
    ]
    assert [place.index for place in footprint_fit.places(outlines, GRID, ASKED)] == [3]
    metres = Grid((1100, 1100), gsd_m=0.5)
    assert footprint_fit.reach_px(metres, ASKED) == 20 and footprint_fit.reach_px(GRID, ASKED) == 16
    assert footprint_fit.block_px(metres) == 500
