"""Tall things that lean: their one direction is found, and they are not taken for change."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from damagediff import align_lean, diff, synthetic, types
from damagediff.align_fields import Plane

SHAPE = (560, 620)
RGB = ("red", "green", "blue")
LEAN = types.Lean((0.6, 0.8), 28.0, 20.0)


def towers(shape: tuple[int, int] = SHAPE, direction: tuple[float, float] = (0.0, 0.0), gone: int = -1):
    """Grey picture of a town whose roofs are displaced by 8 to 24 px along `direction`."""
    rng = np.random.default_rng(5)
    grey = synthetic.textured(rng, shape).astype(np.float32) * 0.5 + 40
    spots = [(r, c) for r in range(60, shape[0] - 110, 84) for c in range(60, shape[1] - 110, 84)]
    for k, (row, col) in enumerate(spots):
        roof = synthetic.textured(rng, (44, 44)).astype(np.float32) * 0.5 + 110
        for _ in range(4):
            top, left = rng.integers(0, 34, 2)
            roof[top : top + rng.integers(4, 12), left : left + rng.integers(4, 12)] = rng.uniform(0, 250)
        far = 8 + 16 * (k % 5) / 4
        top, left = round(row + far * direction[0]), round(col + far * direction[1])
        if k != gone:
            grey[top : top + 44, left : left + 44] = roof
    return grey, spots


def surfaces(before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
    room = align_lean.CONTEXT_PX + align_lean.SEARCH_PX
    planes = [Plane(np.pad(x, room), np.pad(np.ones(x.shape, bool), room)) for x in (before, after)]
    found = []
    for w in align_lean.plan(before.shape):
        area = np.s_[w.row : w.row + w.rows + 2 * room, w.col : w.col + w.cols + 2 * room]
        found.append(align_lean.surface(*(Plane(p.grey[area], p.valid[area]) for p in planes)))
    return [s for s in found if s is not None]


@pytest.mark.parametrize("direction", [(0.6, 0.8), (-1.0, 0.0), (0.28, -0.96)])
def test_the_direction_is_found(direction: tuple[float, float]) -> None:
    found = align_lean.direction(surfaces(towers()[0], towers(direction=direction)[0]))
    assert found is not None
    assert np.dot(found.direction_rc, direction) > np.cos(np.deg2rad(6))
    assert 18 <= found.reach_px <= 34


def test_no_direction_where_nothing_leans() -> None:
    before = towers()[0]
    noisy = before + np.random.default_rng(1).normal(0, 6, before.shape).astype(np.float32)
    assert align_lean.direction(surfaces(before, noisy)) is None
    other = synthetic.textured(np.random.default_rng(77), SHAPE).astype(np.float32)
    assert align_lean.direction(surfaces(before, other)) is None
    assert align_lean.direction([]) is None and align_lean.plan((100, 600)) == ()


def measured(before: np.ndarray, after: np.ndarray, lean: types.Lean | None, tile: int) -> diff.Measures:
    halo, shape = diff.halo(lean), before.shape
    pad = [(0, 0), (halo, halo), (halo, halo)]
    a, b = (np.pad(np.repeat(x[None], 3, 0).astype(np.uint8), pad, mode="reflect") for x in (before, after))
    valid = np.ones(a.shape[1:], bool)
    parts = []
    for r in range(0, shape[0], tile):
        for c in range(0, shape[1], tile):
            w = types.Window(r, c, min(tile, shape[0] - r), min(tile, shape[1] - c))
            at = (..., slice(r, r + w.rows + 2 * halo), slice(c, c + w.cols + 2 * halo))
            parts.append((w, diff.measure(a[at], b[at], valid[at[1:]], RGB, lean)))
    return diff.assemble(shape, parts).whole()


def test_leaning_roofs_are_found_again_and_a_lost_one_is_not() -> None:
    gone = 12
    before, spots = towers()
    after = towers(direction=LEAN.direction_rc, gone=gone)[0]
    plain, leaning = (measured(before, after, lean, 2048) for lean in (None, LEAN))
    inside = [np.s_[(r + 12) // 4 : (r + 32) // 4, (c + 12) // 4 : (c + 32) // 4] for r, c in spots]
    kept = [k for k in range(len(spots)) if k != gone]
    assert np.mean([plain.structure[inside[k]].mean() for k in kept]) > 0.4
    assert np.mean([leaning.structure[inside[k]].mean() for k in kept]) < 0.15
    assert np.mean([(leaning.leaning[inside[k]] > 0).mean() for k in kept]) > 0.9
    assert leaning.structure[inside[gone]].mean() > 0.35
    far = [np.median(leaning.leaning[inside[k]]) for k in kept]
    truth = [8 + 16 * (k % 5) / 4 for k in kept]
    assert np.median(np.abs(np.subtract(far, truth))) <= 2


def test_whole_and_tiled_have_the_same_bits_also_along_a_lean() -> None:
    before, after = towers()[0][:501, :539], towers(direction=LEAN.direction_rc)[0][:501, :539]
    after = cv2.GaussianBlur(after, (0, 0), 0.7)
    whole = measured(before, after, LEAN, 2048)
    for tile in (64, 200):
        tiled = measured(before, after, LEAN, tile)
        for name in ("structure", "pattern", "orientation", "leaning", "texture", "colour", "light", "valid"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(tiled, name), err_msg=name)


def test_without_a_lean_nothing_is_looked_up() -> None:
    before = towers()[0]
    assert diff.halo(None) == diff.HALO and diff.halo(LEAN) == diff.HALO + 28
    assert not measured(before, np.flipud(before), None, 2048).leaning.any()
