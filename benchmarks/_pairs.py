"""What the benchmarks of alignment share: plain pictures, one alignment, machine and data in JSON."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from rasterio.errors import NotGeoreferencedWarning

from damagediff import pipeline, raster, registration, settings, tiles, types, versions
from damagediff.align_points import Model
from damagediff.errors import InputError
from damagediff.feed import Feed
from damagediff.scene import Scene

GEOREFERENCED = ("joplin_mosaic", "landsat_peru_1985_2020", "puertorico_maria_0_107")
ONE_CORE = settings.Settings(workers=1)


@dataclass(frozen=True)
class Found:
    """What alignment answered for one pair of files."""

    accepted: bool
    reason: str
    seconds: float
    """From the paths to the answer."""
    register_seconds: float = 0.0
    """Of these, the alignment itself: without opening, hashing and the one reduced read."""
    alignment: types.Alignment | None = None
    """None when the files themselves were turned away."""
    model: Model | None = None
    before: Feed | None = None
    after: Feed | None = None
    shape: tuple[int, int] = (0, 0)
    """Of the working grid."""

    def after_from_grid(self, rc: np.ndarray) -> np.ndarray:
        """(..., 2) pixels of the working grid to (..., 2) pixels of the after file as shown."""
        return self.after.aligned(self.model).file_from_grid(rc)

    def before_from_grid(self, rc: np.ndarray) -> np.ndarray:
        """(..., 2) pixels of the working grid to (..., 2) pixels of the before file as shown."""
        return self.before.file_from_grid(rc)

    def evidence(self) -> dict[str, Any]:
        """What the decision was made on, flat, for tables and JSON."""
        if self.alignment is None:
            return {}
        e = self.alignment.evidence
        return {
            "score": e.score,
            "limit": e.limit,
            "log10_chance": e.log10_chance,
            "stack_peak_sd": e.stack_peak_sd,
            "coverage": e.coverage,
            "windows": e.windows,
            "agreeing": e.agreeing,
            "rival": e.rival,
        }


@contextmanager
def opened(before: Path, after: Path, options: settings.Settings) -> Iterator[Scene]:
    """A pair opened for reading, without the warning that plain pictures have no georeference."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    case = types.Case(types.Source(before), types.Source(after))
    with pipeline.open_scene(case, options) as scene:
        yield scene


def align(
    before: Path, after: Path, options: settings.Settings = ONE_CORE, picture: Path | None = None
) -> Found:
    """Open, align, close. `picture` gets a checkerboard of both when the alignment is accepted."""
    start = time.perf_counter()
    try:
        with opened(before, after, options) as scene:
            ready = time.perf_counter()
            alignment, model = registration.register(scene)
            done = time.perf_counter()
            if picture is not None and alignment.accepted:
                write_checkerboard(scene, model, picture)
    except InputError as error:
        return Found(False, f"input: {error}", time.perf_counter() - start)
    return Found(
        alignment.accepted,
        alignment.reason,
        done - start,
        done - ready,
        alignment,
        model,
        scene.before,
        scene.after,
        scene.pair.grid.shape,
    )


def write_checkerboard(scene: Scene, model: Model, path: Path, side_px: int = 1400) -> None:
    """Before and after in turn on fields of about a tenth of the picture; a wrong alignment breaks lines."""
    shape = scene.pair.grid.shape
    factor = max(1, -(-max(shape) // side_px))
    first, _ = scene.before.overview(factor, shape)
    second, valid = scene.after.aligned(model).overview(factor, shape)
    shown = [np.clip(bands[:3].transpose(1, 2, 0), 0, 255).astype(np.uint8) for bands in (first, second)]
    shown = [np.repeat(p, 3, axis=2) if p.shape[2] == 1 else p for p in shown]
    rows, cols = np.indices(shown[0].shape[:2])
    field = max(24, max(shown[0].shape) // 10)
    after_here = ((rows // field + cols // field) % 2 == 1) & valid
    board = np.where(after_here[..., None], shown[1], shown[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    grow = max(1, 700 // max(board.shape))
    PillowImage.fromarray(np.repeat(np.repeat(board, grow, 0), grow, 1)).save(path)


def folders(data: Path) -> list[Path]:
    """Every folder that holds a before and an after image."""
    return (
        [p for p in sorted(data.iterdir()) if p.is_dir() and list(p.glob("before.*"))]
        if data.is_dir()
        else []
    )


def need_data(data: Path, found: Sequence[Path]) -> bool:
    """Say so on stderr when there is nothing to measure on."""
    if not found:
        print(
            f"{data}: no folder with before.* and after.*. Point --data at the folder of pairs",
            file=sys.stderr,
        )
    return bool(found)


def file_of(pair: Path, when: str) -> Path:
    """The picture itself, not a lossy twin beside it."""
    return next(pair.glob(f"{when}.*"))


def pixels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cols, 3) uint8 as shown, and (rows, cols) validity, of any file that the door lets through."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    image = raster.inspect(types.Source(path), settings.ReadSettings())
    roles = ("red", "green", "blue") if {"red", "palette"} & set(image.roles) else ("grey",)
    with raster.Reader(image, roles) as reader:
        data, valid = reader.read(types.Window(0, 0, *image.shape))
    if image.dtype != "uint8":
        low, high = np.percentile(data[:, valid], [0.5, 99.5])
        data = (data - low) * (255 / max(high - low, 1e-6))
    data = np.clip(np.round(data), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(data, 3, 2) if data.shape[2] == 1 else data, valid


def write_png(path: Path, data: np.ndarray, valid: np.ndarray | None = None) -> Path:
    """RGB, with an alpha channel only where something is not valid; no georeference."""
    if valid is not None and not valid.all():
        data = np.dstack([data, np.where(valid, 255, 0).astype(np.uint8)])
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(data).save(path, compress_level=1)
    return path


def plain_copies(pairs: Iterable[Path], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Each pair as two PNGs without georeference: name to (before, after)."""
    copies = {}
    for pair in pairs:
        both = [
            write_png(folder / pair.name / f"{w}.png", *pixels(file_of(pair, w))) for w in ("before", "after")
        ]
        copies[pair.name] = (both[0], both[1])
    return copies


def peak_mib() -> float | None:
    """Largest resident memory of this process so far; None where the system does not tell."""
    try:  # not ru_maxrss: a child starts with its parent's
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def data_hash(files: Iterable[Path]) -> str:
    """One SHA-256 over the bytes of all files, in order of their paths."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def about(files: Iterable[Path]) -> dict[str, Any]:
    """Machine, versions and data of a run."""
    return {
        "machine": {
            "system": platform.system(),
            "machine": platform.machine(),
            "cores": tiles.available_cores(),
            "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        },
        "versions": versions.versions(),
        "data_sha256": data_hash(files),
        "command": sys.argv[1:],
    }


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    """Write what was measured, if a file was asked for."""
    if path is not None:
        path.write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Arrays and paths as JSON has them."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def lattice(shape: tuple[int, int], per_side: int) -> np.ndarray:
    """(N, 2) points over the whole frame, its corners among them."""
    rows, cols = (np.linspace(0, n - 1, per_side) for n in shape)
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)


def inside(rc: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(N,) whether a point lies on the picture."""
    return ((rc >= 0) & (rc <= np.array(shape) - 1)).all(-1)


def spread(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Median, 90 % and largest."""
    if not len(values):
        return {}
    return {
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
        "max": float(np.max(values)),
    }
