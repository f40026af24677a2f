"""Our differencing alone, on two files that lie on each other already: no alignment, no self-test, no report.

python benchmarks/_difference_runner.py BEFORE AFTER FOLDER WORKERS

Writes ``change_score.tif`` and ``change_mask.tif`` as a run does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import _pairs

from damagediff import diff, finding, measuring, rasters_out, settings, tiles


def main() -> None:
    """Command line."""
    before, after, folder = (Path(text) for text in sys.argv[1:4])
    with _pairs.opened(before, after, settings.Settings(workers=int(sys.argv[4]))) as scene:
        learnt = measuring.learn(scene)
        shape = scene.pair.grid.shape

        def one(core: tiles.Window) -> tuple[tiles.Window, diff.Measures]:
            return core, measuring.part(scene, core, learnt, None)

        windows = tiles.plan(shape, scene.settings.tile_px)
        measures = diff.assemble(shape, tiles.map_ordered(one, windows, scene.executor, ahead=4))
        scale = diff.calibrate(measures, measuring.ceiling(scene, *learnt))
        change, _ = finding.find(scene, measures, scale, learnt[0])
        rasters_out.write_change(scene, change, folder)


if __name__ == "__main__":
    main()
