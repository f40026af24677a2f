"""How many megapixels a second does each stage of the one pass take, and how near is that to the memory?

python benchmarks/stages.py --data DIR [--side 2048] [--repeats 5] [--out FILE.json]

On a georeferenced pair of 3 bands of 8 bits with texture from DIR, by tiles of the shipped size, on one and
on two threads, interleaved; the least of all rounds, as others share the machine: of wall clock, and of the
processor time of this process and its decoders, which they disturb less. ``align``: all of it, from the
reduced read to the model; it looks at windows, so its pace grows with the picture. ``read``: the before
image, decoded in its child process, as float32. ``resample``: the after image through the
alignment, read included. ``8 bit``: both through their look-ups. ``measure``: all measures of change.
``write``: one image as COG, with compression and overviews. ``score``: score, threshold, tiers and regions of
the whole scene, without tiles.

The physical limit of a stage is the time in which the memory moves the bytes that it must take and give, each
once; the memory's pace is measured here by copying 256 MiB, on as many threads. The share is of wall clock.
Needs Linux.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import _options
import _pairs
import _processes
import _scale_pair
import numpy as np

from damagediff import (
    diff,
    measuring,
    rasters_out,
    regions,
    registration,
    settings,
    tiles,
)

MUST_MOVE = {
    "align": 3 + 3,
    "read": 3 + 12,
    "resample": 3 + 12,
    "8 bit": 24 + 6,
    "measure": 6 + 4.6,
    "write": 3 + 3,
    "score": 5.6,
}
"""Bytes a pixel that must be taken and given."""
THREADS = (1, 2)


def main() -> int:
    """Run, print a table, write JSON."""
    args = _options.of_one_size(__doc__, side_px=2048, repeats=5)
    files = _scale_pair.source_files(args.data)
    if not _pairs.need_data(args.data, files):
        return 2
    with tempfile.TemporaryDirectory() as name:
        before, after = _scale_pair.make(files, args.side, Path(name))
        with _pairs.opened(before, after, settings.Settings(workers=max(THREADS))) as scene:
            seconds = measured(scene, Path(name), args.repeats)
    figures = table(seconds, args.side**2)
    print(markdown(figures))
    pace = {str(n): round(2 * COPIED / seconds["copy", n][0] / 1e9, 2) for n in THREADS}
    print("memory, GB/s by threads:", pace)
    _pairs.write_json(args.out, {"figures": figures, "memory_gb_s": pace, **_pairs.about(files)})
    return 0


COPIED = 256 << 20


def measured(scene: Any, folder: Path, repeats: int) -> dict[tuple[str, int], tuple[float, float]]:
    """Fewest seconds of each stage on so many threads."""
    plain, (_, model) = scene, registration.register(scene)
    scene = replace(scene, after=scene.after.aligned(model))
    radiometry, reference = measuring.learn(scene)
    shape, tile_px = scene.pair.grid.shape, scene.settings.tile_px
    windows = tiles.plan(shape, tile_px)
    pairs = [measuring.read_pair(scene, w.padded(diff.HALO)) for w in windows]
    both = [(radiometry.before_8bit(p[0]), radiometry.after_8bit(p[1]), p[2] & p[3]) for p in pairs]
    source, target = np.ones(COPIED, np.uint8), np.ones(COPIED, np.uint8)
    spans = [slice(k * (32 << 20), (k + 1) * (32 << 20)) for k in range(8)]
    parts = [diff.measure(*b, scene.pair.roles) for b in both]
    whole = diff.assemble(shape, list(zip(windows, parts, strict=True)))
    scale = diff.calibrate(whole, measuring.ceiling(scene, radiometry, reference))

    def write(pool: ThreadPoolExecutor, threads: int) -> None:
        chosen = replace(scene, settings=replace(scene.settings, workers=threads))
        with rasters_out.image_writer(folder / "out.tif", scene.pair.before, chosen) as out:
            for window, (data, _, valid) in zip(windows, both, strict=True):
                inner = np.s_[..., diff.HALO : diff.HALO + window.rows, diff.HALO : diff.HALO + window.cols]
                out.write(window, data[inner], valid[inner])

    def each(work: Callable[[Any], Any], items: Any) -> Callable[[ThreadPoolExecutor, int], None]:
        return lambda pool, threads: list(pool.map(work, items)) and None

    def score(pool: ThreadPoolExecutor, threads: int) -> None:
        regions.find(diff.change_map(whole, scale, scene.pair.grid, scene.settings), whole, scene.pair.grid)

    jobs: dict[str, Callable[[ThreadPoolExecutor, int], None]] = {
        "copy": each(lambda at: np.copyto(target[at], source[at]), spans),
        "align": lambda pool, threads: registration.register(replace(plain, executor=pool)) and None,
        "read": each(scene.before.read, windows),
        "resample": each(scene.after.read, windows),
        "8 bit": each(lambda p: (radiometry.before_8bit(p[0]), radiometry.after_8bit(p[1])), pairs),
        "measure": each(lambda b: diff.measure(*b, scene.pair.roles), both),
        "write": write,
        "score": score,
    }
    return interleaved(jobs, repeats)


def interleaved(
    jobs: dict[str, Callable[[ThreadPoolExecutor, int], None]], repeats: int
) -> dict[tuple[str, int], tuple[float, float]]:
    """Fewest seconds, wall and processor, of each job on so many threads; all run in every round."""
    taken: dict[tuple[str, int], list[tuple[float, float]]] = {
        (name, n): [] for name in jobs for n in THREADS
    }
    pools = {n: ThreadPoolExecutor(n) for n in THREADS}
    for _ in range(repeats + 1):
        for (name, n), own in taken.items():
            start, used = time.perf_counter(), cpu_s()
            jobs[name](pools[n], n)
            own.append((time.perf_counter() - start, cpu_s() - used))
    for pool in pools.values():
        pool.shutdown()
    return {key: (min(t[0] for t in own[1:]), min(t[1] for t in own[1:])) for key, own in taken.items()}


def cpu_s() -> float:
    """Processor time of this process and its decoders so far."""
    return time.process_time() + _processes.children_cpu_s()


def markdown(figures: dict[str, dict[str, float]]) -> str:
    """The table of docs/performance.md."""
    kinds = {"mpx_per_s": ".3g", "mpx_per_cpu_s": ".3g", "share_of_limit": ".3f"}
    lines = [
        "| stage | Mpx a second: 1, 2 threads | Mpx a cpu second: 1, 2 | share of the limit: 1, 2 |",
        "|---|---|---|---|",
    ]
    for stage, row in figures.items():
        cells = (", ".join(f"{row[f'{kind}_{n}']:{form}}" for n in THREADS) for kind, form in kinds.items())
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(seconds: dict[tuple[str, int], tuple[float, float]], pixels: int) -> dict[str, dict[str, float]]:
    """Megapixels a second, and the share of the physical limit, by stage."""
    rows: dict[str, dict[str, float]] = {}
    for stage, moved in MUST_MOVE.items():
        rows[stage] = {}
        for n in THREADS:
            least = moved * pixels * seconds["copy", n][0] / (2 * COPIED)
            wall, cpu = seconds[stage, n]
            rows[stage][f"mpx_per_s_{n}"] = pixels / wall / 1e6
            rows[stage][f"mpx_per_cpu_s_{n}"] = pixels / cpu / 1e6
            rows[stage][f"share_of_limit_{n}"] = least / wall
    return rows


if __name__ == "__main__":
    sys.exit(main())
