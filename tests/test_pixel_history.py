"""What pixels keep of earlier versions: made copies whose history is known."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from damagediff import jpeg_history, outputs, pixel_grid, provenance, summary, synthetic, types

Pixels = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def scene() -> Pixels:
    """(480, 512) texture with roofs, never compressed and never resampled."""
    rng = np.random.default_rng(11)
    data = synthetic.textured(rng, (480, 512)) * 0.7 + 30
    for _ in range(150):
        row, col = rng.integers(0, (450, 480))
        data[row : row + rng.integers(8, 30), col : col + rng.integers(8, 30)] = rng.uniform(60, 230)
    return np.clip(np.rint(data + rng.normal(0, 2, data.shape)), 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    target = io.BytesIO()
    PillowImage.fromarray(pixels).save(target, "JPEG", quality=quality)
    return np.asarray(PillowImage.open(io.BytesIO(target.getvalue())))


def encoded(pixels: Pixels, kind: str, **options: Any) -> Pixels:
    target = io.BytesIO()
    PillowImage.fromarray(pixels).convert("RGB").save(target, kind, **options)
    return np.asarray(PillowImage.open(io.BytesIO(target.getvalue())).convert("L"))


def steps(quality: int) -> Pixels:
    return jpeg_history.standard(quality)


def test_a_picture_never_compressed_shows_nothing(scene: Pixels) -> None:
    assert jpeg_history.earlier(scene, None) is None
    assert pixel_grid.resampled(scene.astype(np.float32)) is None


@pytest.mark.parametrize("quality", [50, 75, 85, 93])
def test_a_screenshot_of_a_jpeg_shows_its_grid_and_quality(scene: Pixels, quality: int) -> None:
    found = jpeg_history.earlier(jpeg(scene, quality)[3:, 5:], None)
    assert found is not None and found.offset_xy == (3, 5)
    assert found.quality == pytest.approx(quality, abs=2)
    assert found.evidence > found.limit


@pytest.mark.parametrize("quality", [50, 75, 85, 95])
def test_a_jpeg_saved_once_shows_nothing(scene: Pixels, quality: int) -> None:
    assert jpeg_history.earlier(jpeg(scene, quality), steps(quality)) is None


@pytest.mark.parametrize(("first", "second"), [(60, 80), (75, 90), (85, 95)])
def test_a_jpeg_saved_again_shows_the_first_quality(scene: Pixels, first: int, second: int) -> None:
    found = jpeg_history.earlier(jpeg(jpeg(scene, first), second), steps(second))
    assert found is not None and found.offset_xy == (0, 0)
    assert found.quality == pytest.approx(first, abs=3)
    cut = jpeg_history.earlier(jpeg(jpeg(scene, first)[2:, 1:], second), steps(second))
    assert cut is not None and cut.offset_xy == (7, 6)
    assert cut.quality == pytest.approx(first, abs=3)


def test_drawings_and_enlargements_are_no_jpegs(scene: Pixels) -> None:
    for times in (2, 4):
        assert (
            jpeg_history.earlier(np.kron(scene[:200, :200], np.ones((times, times), np.uint8)), None) is None
        )
    assert jpeg_history.earlier(scene // 32 * 32, None) is None
    assert jpeg_history.earlier(np.full((300, 300), 7, np.uint8), None) is None
    stripes = np.tile(np.arange(300) // 5 % 2 * 200, (300, 1)).astype(np.uint8)
    assert jpeg_history.earlier(stripes, None) is None


@pytest.mark.parametrize("times", [1.5, 2.6, 3.3])
@pytest.mark.parametrize("way", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_an_enlargement_shows_its_period(scene: Pixels, times: float, way: int) -> None:
    large = cv2.resize(scene, None, fx=times, fy=times, interpolation=way)[:900, :900]
    found = pixel_grid.resampled(large.astype(np.float32))
    assert found is not None and not found.repeated
    assert min(abs(value - times) for value in found.enlarged) < 0.02 * times


@pytest.mark.parametrize("times", [2, 3])
def test_repeated_pixels_are_an_enlargement(scene: Pixels, times: int) -> None:
    large = np.kron(scene[:200, :250], np.ones((times, times), np.uint8))
    found = pixel_grid.resampled(large.astype(np.float32))
    assert found is not None and found.repeated and found.period_px == pytest.approx(times, rel=0.01)
    assert found.effective_px(times * 200) == pytest.approx((200, 200), abs=3)


def test_effective_resolution_is_told_against_the_nominal_one() -> None:
    facts = types.FileFacts((), resampled=provenance.Resampled(2.6, False), nominal_px=(1000, 1300))
    told = dict(summary.file_history(facts))["Effective resolution"]
    assert told.startswith(
        "0.38 to 0.62 of the nominal along a side: 500 × 385 px to 800 × 615 px of 1,300 × 1,000"
    )
    numbers = outputs.file_fields(facts)["resampled"]
    assert numbers["effective_px"] == [[385, 500], [615, 800]]
    assert numbers["effective_share"] == pytest.approx([1 / 2.6, 1.6 / 2.6])
    unknown = dict(summary.file_history(types.FileFacts((), nominal_px=(1000, 1300))))
    assert unknown["Effective resolution"].startswith("not known")


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_the_blocks_of_a_jpeg_are_no_enlargement(scene: Pixels, quality: int) -> None:
    assert pixel_grid.resampled(jpeg(scene, quality).astype(np.float32)) is None


def test_plain_and_small_pictures_show_nothing() -> None:
    for pixels in (np.zeros((300, 300), np.float32), np.zeros((20, 300), np.float32)):
        assert pixel_grid.resampled(pixels) is None
        assert jpeg_history.earlier(pixels, steps(75)) is None


def test_broken_tables_tell_nothing() -> None:
    assert jpeg_history.tables([b"", b"\0" * 10, b"\x10" + b"\1" * 100]) == {}
    (table,) = jpeg_history.tables([b"\0" + bytes([0] * 64)]).values()
    assert (table == 1).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WEBP", {"quality": 40}),
        ("WEBP", {"quality": 80}),
        ("JPEG2000", {"quality_mode": "rates", "quality_layers": [20]}),
    ],
)
def test_other_compressions_are_neither(scene: Pixels, kind: str, options: dict[str, Any]) -> None:
    """WebP repeats every 4 px, and JPEG 2000 every 2."""
    pixels = encoded(scene, kind, **options)
    assert pixel_grid.resampled(pixels.astype(np.float32)) is None
    assert jpeg_history.earlier(pixels, None) is None
