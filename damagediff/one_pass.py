"""The one pass over the scene by tiles: resample, measure and shrink where there are workers, write here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from . import bits, diff, measuring, memory, pictures, rasters_out, sight, tiles
from .diff import Measures, Survey
from .measuring import Learnt
from .scene import Scene
from .types import Array, BoolArray, Lean, Pictures, Window


@dataclass(frozen=True)
class Tile:
    """What becomes of one tile: what is written of it, and what is kept."""

    core: Window
    images: tuple[tuple[Array, BoolArray], ...]
    """Before and after: pixels in their files' own types, and where they are valid."""
    measures: Measures
    shrunk: pictures.Shrunk

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"images": tuple((data, bits.packed(valid)) for data, valid in self.images)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        images = tuple((data, bits.unpacked(valid)) for data, valid in state["images"])
        self.__dict__.update(state | {"images": images})


def measure_and_write(
    scene: Scene, learnt: Learnt, lean: Lean | None, folder: Path
) -> tuple[Survey, Pictures]:
    """Write ``before.tif`` and ``after_aligned.tif`` into `folder`; the measures and reduced pictures."""
    on, settings = scene.pair.grid, scene.settings
    canvas = pictures.Canvas(on, settings.report.picture_px, settings.tile_px, len(scene.pair.roles))
    windows = tiles.plan(on.shape, settings.tile_px)
    with (
        rasters_out.image_writer(folder / "before.tif", scene.pair.before, scene) as before,
        rasters_out.image_writer(folder / "after_aligned.tif", scene.pair.after, scene) as after,
    ):

        def written(tile: Tile) -> Tile:
            for out, image in zip((before, after), tile.images, strict=True):
                out.write(tile.core, *image)
            return replace(tile, images=())

        work = partial(_tile, scene, learnt, lean, canvas.reduction)

        def parts() -> Iterator[tuple[Window, Measures]]:
            found = tiles.map_then(work, written, windows, scene.executor, scene.home)
            for done, tile in enumerate(found, start=1):
                canvas.put(tile.core, tile.shrunk)
                yield tile.core, tile.measures
                scene.progress("measuring change", done / len(windows))

        measures = diff.assemble(on.shape, parts(), folder)
        memory.give_back()  # what the tiles took, before both images are made COGs
    return measures, pictures.finish(canvas.before, canvas.after, canvas.valid, canvas.reduction, scene.shown)


def _tile(scene: Scene, learnt: Learnt, lean: Lean | None, reduction: int, core: Window) -> Tile:
    """Everything that is made of one tile, from the files."""
    radiometry, reference = learnt
    halo, dtypes = diff.halo(lean), (scene.pair.before.dtype, scene.pair.after.dtype)
    before, after, before_valid, after_valid = measuring.read_pair(scene, core.padded(halo))
    inner = tuple(slice(halo, halo + n) for n in core[2:])
    pixels = before[:, *inner], after[:, *inner]
    before8, after8 = radiometry.before_8bit(before), radiometry.after_8bit(after)
    both = before_valid & after_valid
    found = measuring.measured(scene, core, (before8, after8), both, (reference, lean))
    found = replace(found, full=sight.full_pixels(pixels, dtypes, found.shape))
    images = tuple(
        (rasters_out.as_type(data, dtype), valid[inner])
        for data, dtype, valid in zip(pixels, dtypes, (before_valid, after_valid), strict=True)
    )
    shrunk = pictures.shrunk(before8[:, *inner], after8[:, *inner], both[inner], reduction)
    return Tile(core, images, found, shrunk)
