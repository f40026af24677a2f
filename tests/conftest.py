"""What several rooms' tests share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browsers
import numpy as np
import pytest
import rasterio
import threadpoolctl
from hypothesis import settings
from rasterio.errors import NotGeoreferencedWarning

# How long a test takes is for benchmarks: a busy machine fails none. `make test` tries the same examples each
# time, so that a change is judged by what it changed; `make fuzz` looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("new", deadline=None, max_examples=400, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

DRIVER = {
    ".tif": "GTiff",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".webp": "WEBP",
    ".jp2": "JP2OpenJPEG",
    ".bmp": "BMP",
}
BEST = {
    "JP2OpenJPEG": {"quality": 100, "reversible": True},
    "JPEG": {"quality": 98},
    "WEBP": {"lossless": True},
}

RasterMaker = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread_in_blas() -> Iterator[None]:
    """As in a run: threads inside small matrix products cost more than they give."""
    with threadpoolctl.threadpool_limits(1):
        yield


@pytest.fixture
def make_raster(tmp_path: Path) -> RasterMaker:
    """``make_raster(name, (bands, rows, cols), **options)`` writes a raster, of the kind its name says."""

    def make(name: str, pixels: np.ndarray[Any, Any], **options: Any) -> Path:
        path, driver = tmp_path / name, DRIVER[Path(name).suffix]
        said = {key: options.pop(key, {}) for key in ("tags", "descriptions", "colormap")}
        bands, rows, cols = pixels.shape
        shape = {"count": bands, "height": rows, "width": cols, "dtype": pixels.dtype.name}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver=driver, **BEST.get(driver, {}), **shape, **options) as out:
                if said["colormap"]:
                    out.write_colormap(1, said["colormap"])
                out.update_tags(**said["tags"])
                for band, text in enumerate(said["descriptions"], 1):
                    out.set_band_description(band, text)
                out.write(pixels)
        return path

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, one for all tests of a module; they are skipped where it cannot be had."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: no browser test"
    )
    with sync_api.sync_playwright() as driver:
        path = browsers.path() or driver.chromium.executable_path
        if not Path(path).exists():
            pytest.skip(f"no Chromium found ({', '.join(browsers.NAMES)}): no browser test")
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `browsers.COMPARED`."""
    return browsers.write(browsers.COMPARED, tmp_path_factory.mktemp("page"))


@pytest.fixture
def opened(browser: Any, hostile_page: Path) -> Iterator[Callable[..., browsers.Opened]]:
    """``opened(width)`` is that page in a browser, and what went wrong in it until now."""
    with browsers.pages(browser, hostile_page) as open_:
        yield open_
